"""Hashing bytes as they pass, and files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.twinspark.weights.manifest import Entry, git_blob_header

CHUNK = 1024**2  # fits the second-level cache: what was just received or read is hashed and written from there


@dataclass(frozen=True)
class Sums:
    """What a file hashes to; `git_sha1` only where it was asked for. `size` is how many bytes were read."""

    sha256: str
    git_sha1: str
    size: int


class Hasher:
    """Both sums that a manifest may give a file, over bytes handed in order. `count` hears of every piece's length."""

    def __init__(self, entry: Entry, count: Callable[[int], None] = lambda _: None) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._git = hashlib.sha1(git_blob_header(entry.size), usedforsecurity=False) if entry.git_sha1 else None
        self._count = count

    def add(self, piece: memoryview) -> None:
        """The next bytes."""
        self._sha256.update(piece)
        if self._git:
            self._git.update(piece)
        self.size += len(piece)
        self._count(len(piece))

    def sums(self) -> Sums:
        """Of all that was handed in so far."""
        return Sums(self._sha256.hexdigest(), self._git.hexdigest() if self._git else "", self.size)


def read_through(handle: int, hasher: Hasher, buffer: memoryview) -> None:
    """Hash an open file from where it stands to its end."""
    while got := os.readv(handle, [buffer]):
        hasher.add(buffer[:got])


def write_all(handle: int, piece: memoryview) -> None:
    """Write every byte, or raise what the disk says."""
    while piece:
        piece = piece[os.write(handle, piece) :]


def sums_of(path: Path, entry: Entry, *, count: Callable[[int], None] = lambda _: None, sync: bool = False) -> Sums:
    """Hash a file.

    With `sync`, the bytes are on the disk and not only in memory when this returns: what was hashed survives a power
    cut, or the next boot finds another file.
    """
    hasher = Hasher(entry, count)
    with path.open("r+b" if sync else "rb", buffering=0) as stream:
        read_through(stream.fileno(), hasher, memoryview(bytearray(CHUNK)))
        if sync:
            os.fdatasync(stream.fileno())
    return hasher.sums()
