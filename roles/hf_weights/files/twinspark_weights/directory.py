"""A source that the owner gives as a directory on the head: copied and hashed in one reading."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path

from core.twinspark.weights.manifest import Entry
from core.twinspark.weights.state import Transfer
from core.twinspark_host.progress import Progress
from hashing import CHUNK, Hasher, Sums, write_all
from job import Failure
from spec import Fetch
from store import Store


def transfer(reader: FileIO, target: int, hasher: Hasher) -> None:
    """Copy and hash an open file. What an earlier try left of the copy is compared, and not written again."""
    buffer, same = memoryview(bytearray(CHUNK)), True
    while got := reader.readinto(buffer):
        piece, start = buffer[:got], hasher.size
        hasher.add(piece)
        if same and os.pread(target, got, start) == bytes(piece):
            continue
        if same:
            same = False
            os.ftruncate(target, start)
        write_all(target, piece)
    os.ftruncate(target, hasher.size)
    os.fdatasync(target)


def copy_one(source: Path, store: Store, entry: Entry, progress: Progress) -> Sums:
    """Copy a file and hash what was copied. Failure when it can't be read, or is not as long as it was listed."""
    hasher = Hasher(entry, progress.add)
    try:
        with source.open("rb", buffering=0) as reader, store.open_staged(staged_name(entry)) as writer:
            transfer(reader, writer.fileno(), hasher)
    except OSError as error:
        raise Failure(f"{source} can't be copied to {store.layout.staging} ({error.strerror})") from error
    if hasher.size != entry.size:
        raise Failure(
            f"{source} has {hasher.size} bytes now and had {entry.size}; let nobody write to it, and run again"
        )
    return hasher.sums()


def staged_name(entry: Entry) -> str:
    """What the copy of a file is called on its way, the same at every try."""
    return f"{hashlib.sha256(entry.path.encode()).hexdigest()}.copy"


def copy_all(store: Store, needed: list[Entry], spec: Fetch) -> Transfer:
    """Everything that is needed, from `source_dir`."""
    source = Path(spec.source_dir)
    total = sum(entry.size for entry in needed)
    sizes = {staged_name(entry): entry.size for entry in needed}
    store.clear_staging(keep=sizes)
    came = total - store.staged_bytes(sizes)
    store.require_space(came, spec.reserve_gib)
    started = time.monotonic()
    with Progress(total, "B", "copy from directory") as progress, ThreadPoolExecutor(spec.threads) as pool:

        def work(entry: Entry) -> Sums:
            return copy_one(source / entry.path, store, entry, progress)

        for entry, sums in zip(needed, pool.map(work, needed), strict=True):
            if entry.blob and not entry.accepts(sums.sha256, sums.git_sha1):
                raise Failure(f"{source / entry.path} is not what the manifest says (sha256 {sums.sha256})")
            store.publish([entry], store.layout.staging / staged_name(entry), sums)
    return Transfer(bytes=came, seconds=round(time.monotonic() - started, 3), source=str(source))
