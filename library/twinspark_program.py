#!/usr/bin/python
"""Ansible module: a small program of several files, laid down whole in one go."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_program
short_description: Install a program of several text files
description:
  - Makes a folder hold exactly the given text files, owned by root. One round trip, however many files.
options:
  path: {description: Folder of the program., type: path, required: true}
  files: {description: Text of each file by relative path., type: dict, default: {}}
  state: {description: Whether it should be there., type: str, choices: [present, absent], default: present}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Install the program
  twinspark_program:
    path: /usr/local/lib/twinspark/weights
    files: {__main__.py: "print('hello')"}
"""

RETURN = r"""
written: {description: Files that were made or replaced., type: list, elements: str, returned: always}
removed: {description: Files that were taken away., type: list, elements: str, returned: always}
"""

import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark_host.files import write_atomically

ARGUMENTS: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "files": {"type": "dict", "default": {}},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def present(folder: Path) -> dict[str, str]:
    """Text of every file there is, what Python compiles left out."""
    found = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if path.is_file() and "__pycache__" not in path.parts:
            found[str(path.relative_to(folder))] = path.read_text(errors="replace")
    return found


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    folder = Path(module.params["path"])
    wanted = {} if module.params["state"] == "absent" else {k: str(v) for k, v in module.params["files"].items()}
    old = present(folder)
    written = sorted(name for name, text in wanted.items() if old.get(name) != text)
    removed = sorted(set(old) - set(wanted))
    if not module.check_mode:
        for name in removed:
            (folder / name).unlink()
        for name in written:
            write_atomically(folder / name, wanted[name])
        if not wanted:
            shutil.rmtree(folder, ignore_errors=True)
    diff = [
        {
            "before_header": str(folder / name),
            "after_header": str(folder / name),
            "before": old.get(name, ""),
            "after": wanted.get(name, ""),
        }
        for name in [*written, *removed]
    ]
    module.exit_json(changed=bool(written or removed), written=written, removed=removed, diff=diff)


if __name__ == "__main__":
    main()
