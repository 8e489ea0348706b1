"""Keeps the byte code of what is imported from zip files, as Python does for all other imports.

Ansible sends every task's module in a zip file, so all of its parts are compiled anew for each task. That is a matter
of 0.2 seconds on a processor of its own, and of several on an emulated one. The code is the same: it is found by the
sum of its source and the interpreter's own mark. Every start of Python reads this, so it imports nothing that is slow.
"""

# ruff: noqa: PTH105, PTH123, S302 - no pathlib for that reason; and the folder is written by root alone

import contextlib
import hashlib
import marshal
import os
import sys
import zipimport

FOLDER = "/var/cache/twinspark-lab/bytecode"  # root's: other users can read it only
compile_source = zipimport._compile_source


def kept(pathname, source):
    """The code object of `source`; compiled once."""
    mark = f"{sys.implementation.cache_tag} {sys.hexversion} {sys.flags.optimize} ".encode()
    path = f"{FOLDER}/{hashlib.sha256(mark + source).hexdigest()}"
    with contextlib.suppress(OSError, ValueError, EOFError, TypeError), open(path, "rb") as file:
        return marshal.loads(file.read())
    code = compile_source(pathname, source)
    with contextlib.suppress(OSError):
        part = f"{path}.{os.getpid()}"
        with open(part, "wb") as file:
            file.write(marshal.dumps(code))
        os.replace(part, path)
    return code


zipimport._compile_source = kept
