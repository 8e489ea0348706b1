"""Run on a host, `FOLDER look|drop`: how many pages of a folder's files are in memory, first forgotten with `drop`."""

import ctypes
import mmap
import os
import sys
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)
found = 0
for path in Path(sys.argv[1]).iterdir():
    with path.open("r+b") as stream:
        if sys.argv[2] == "drop":
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        size = os.fstat(stream.fileno()).st_size
        start = (ctypes.c_char * size).from_buffer(mmap.mmap(stream.fileno(), size))
        seen = (ctypes.c_ubyte * (-(-size // mmap.PAGESIZE)))()
        if libc.mincore(ctypes.byref(start), ctypes.c_size_t(size), seen):
            raise OSError(ctypes.get_errno(), str(path))
        found += sum(byte & 1 for byte in seen)
print(found)
