"""A source that the owner gives as a directory on the head: copied and hashed in one reading."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from core.manifest import Entry
from hashing import CHUNK, Hasher, Sums, write_all
from job import Failure, Progress
from store import Store


def copy_one(source: Path, target: Path, entry: Entry, progress: Progress) -> Sums:
    """Copy a file and hash what was written. Failure when it can't be read, or is not as long as it was listed."""
    hasher = Hasher(entry, progress.add)
    buffer = memoryview(bytearray(CHUNK))
    try:
        with source.open("rb", buffering=0) as reader, target.open("wb", buffering=0) as writer:
            while got := reader.readinto(buffer):
                hasher.add(buffer[:got])
                write_all(writer.fileno(), buffer[:got])
            os.fdatasync(writer.fileno())
    except OSError as error:
        raise Failure(f"{source} can't be copied to {target} ({error.strerror})") from error
    if hasher.size != entry.size:
        raise Failure(
            f"{source} has {hasher.size} bytes now and had {entry.size}; let nobody write to it, and run again"
        )
    return hasher.sums()


def copy_all(store: Store, needed: list[Entry], spec: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that is needed, from `source_dir`."""
    source = Path(spec["source_dir"])
    total = sum(entry.size for entry in needed)
    store.require_space(total, spec["reserve_gib"])
    started = time.monotonic()
    with Progress(total, "copy from directory") as progress, ThreadPoolExecutor(spec["threads"]) as pool:

        def work(item: tuple[int, Entry]) -> tuple[Entry, Path, Sums]:
            number, entry = item
            staged = store.layout.staging / f"{number}.copy"
            return entry, staged, copy_one(source / entry.path, staged, entry, progress)

        for entry, staged, sums in pool.map(work, enumerate(needed)):
            if entry.blob and not entry.accepts(sums.sha256, sums.git_sha1):
                raise Failure(f"{source / entry.path} is not what the manifest says (sha256 {sums.sha256})")
            store.publish([entry], staged, sums)
    return {
        "bytes": total,
        "seconds": round(time.monotonic() - started, 3),
        "refetched": [],
        "from": str(source),
    }
