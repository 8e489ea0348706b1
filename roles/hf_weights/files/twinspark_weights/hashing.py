"""Hashing files, also while they are still being written."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.manifest import Entry, git_blob_header

CHUNK = 2 * 1024**2
WAIT = 0.02  # seconds between two looks at a file that grows


@dataclass(frozen=True)
class Sums:
    """What a file hashes to; `git_sha1` only where it was asked for. `size` is how many bytes were read."""

    sha256: str
    git_sha1: str
    size: int


def sums_of(
    path: Path,
    entry: Entry,
    *,
    growing: Callable[[], bool] = lambda: False,
    count: Callable[[int], None] = lambda _: None,
    sync: bool = False,
) -> Sums:
    """Hash a file to its end. While `growing` says so, wait at the end for more.

    With `sync`, the bytes are on the disk and not only in memory when this returns: what was hashed survives a power
    cut, or the next boot finds another file.
    """
    sha256 = hashlib.sha256()
    git = hashlib.sha1(git_blob_header(entry.size), usedforsecurity=False) if entry.git_sha1 else None
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    size = 0
    with path.open("rb", buffering=0) as stream:
        while True:
            alive = growing()
            got = stream.readinto(buffer)
            if got:
                sha256.update(view[:got])
                if git:
                    git.update(view[:got])
                size += got
                count(got)
            elif alive:
                time.sleep(WAIT)
            else:
                break
    if sync:
        handle = os.open(path, os.O_RDWR)
        try:
            os.fdatasync(handle)
        finally:
            os.close(handle)
    return Sums(sha256.hexdigest(), git.hexdigest() if git else "", size)
