"""`pull`, on every other host: bring the head's blobs over the rails, each byte hashed in the pass that receives it."""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core import snapshot, weights
from core.hubcache import Layout
from core.manifest import Entry
from hashing import CHUNK, Hasher, Sums, read_through, write_all
from job import Failure, Progress, only_one, say
from store import Store
from wire import BrokenRailError, Rail, RefusedError

RAIL_FAILURES = 3  # in a row on one stream, after which it leaves its rail alone


@dataclass
class Copy:
    """What the streams of one copy share."""

    store: Store
    spec: Mapping[str, Any]
    secret: str
    progress: Progress
    waiting: dict[str, list[Entry]]
    streams: int
    changed: threading.Condition = field(default_factory=threading.Condition)
    failure: list[BaseException] = field(default_factory=list)
    refetched: list[str] = field(default_factory=list)
    rails: list[Rail] = field(default_factory=list)
    last: str = ""

    def __post_init__(self) -> None:
        self.queue = weights.queue_of(entries[0] for entries in self.waiting.values())
        self.in_flight = 0

    def over(self) -> bool:
        """Whether nothing is left to do for any stream."""
        return bool(self.failure) or not (self.queue or self.in_flight)

    def take(self) -> Entry | None:
        """The next file; None when it is over. Waits while another stream may still give its file back."""
        with self.changed:
            self.changed.wait_for(lambda: self.queue or self.over())
            if self.over():
                return None
            self.in_flight += 1
            return self.queue.popleft()

    def put(self, entry: Entry, *, again: bool) -> None:
        """A file is through, or goes back to the front of the queue."""
        with self.changed:
            self.in_flight -= 1
            if again:
                self.queue.appendleft(entry)
            self.changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """End every stream after its file: nobody can do better."""
        with self.changed:
            self.failure.append(error)
            self.changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Wait, but not when it is over."""
        with self.changed:
            self.changed.wait_for(self.over, seconds)

    def carried(self) -> dict[str, int]:
        """Bytes by the name of the rail that carried them."""
        return {name: sum(r.carried for r in self.rails if r.name == name) for name in {r.name for r in self.rails}}

    def leave(self) -> None:
        """A stream ends."""
        with self.changed:
            self.streams -= 1
            self.changed.notify_all()

    def wait(self) -> None:
        """Until it is over, or no stream is left. One that still knocks at a dead rail is not waited for."""
        with self.changed:
            self.changed.wait_for(lambda: self.over() or not self.streams)


def settle(copy: Copy, entry: Entry, part: Path, sums: Sums) -> bool:
    """Publish a file that hashes right. False when it has to come again, which happens once."""
    if entry.accepts(sums.sha256, sums.git_sha1):
        copy.store.publish(copy.waiting[entry.blob], part, sums)
        return True
    part.unlink()
    copy.progress.add(-sums.size)
    if entry.path in copy.refetched:
        raise Failure(
            f"{entry.path} came twice with the wrong bytes (sha256 {sums.sha256}); nothing was published under "
            "its name. Check the head: twinspark apply --stage weights -e hf_weights_rehash=true"
        )
    say(f"{entry.path}: wrong bytes (sha256 {sums.sha256}, {sums.size} bytes); fetching it again")
    copy.refetched.append(entry.path)
    return False


def receive(rail: Rail, entry: Entry, handle: int, hasher: Hasher, buffer: memoryview) -> None:
    """The rest of a file, hashed and written piece by piece."""
    rail.ask(entry.blob, hasher.size, entry.size)
    while left := entry.size - hasher.size:
        got = rail.read_into(buffer[: min(left, len(buffer))])
        hasher.add(buffer[:got])
        write_all(handle, buffer[:got])


def move(copy: Copy, entry: Entry, rail: Rail, buffer: memoryview) -> None:
    """One file over one rail into staging, and published when it is right.

    What an earlier try left of it is hashed first, so that the sum is always over every byte of the file.
    """
    part = copy.store.layout.staging / f"{entry.blob}.part"
    hasher = Hasher(entry, copy.progress.add)
    try:
        with part.open("a+b", buffering=0) as target:
            if os.fstat(target.fileno()).st_size > entry.size:
                target.truncate(0)
            target.seek(0)
            read_through(target.fileno(), hasher, buffer)
            if hasher.size < entry.size:
                receive(rail, entry, target.fileno(), hasher, buffer)
            os.fdatasync(target.fileno())
    except BrokenRailError:
        copy.progress.add(-hasher.size)
        copy.put(entry, again=True)
        raise
    copy.put(entry, again=not settle(copy, entry, part, hasher.sums()))


def stream(copy: Copy, way: Mapping[str, str]) -> None:
    """Work through the queue over one rail, until it is empty or the rail carries nothing any more."""
    failures = 0
    buffer = memoryview(mmap.mmap(-1, CHUNK))
    try:
        while failures < RAIL_FAILURES and not copy.over():
            rail = Rail(copy.spec, way, copy.secret)
            copy.rails.append(rail)
            try:
                with contextlib.closing(rail):
                    rail.connect()  # before a file is taken: a rail that is dead must not hold one
                    while entry := copy.take():
                        move(copy, entry, rail, buffer)
            except BrokenRailError as error:
                failures = 1 if rail.carried else failures + 1
                copy.last = f"{way['name']}: {error}"
                say(copy.last)
                copy.pause(min(2**failures, copy.spec["longest_pause"]))
        if failures == RAIL_FAILURES:
            say(f"{way['name']}: {failures} failures in a row; leaving this rail alone")
    except BaseException as error:
        copy.fail(Failure(str(error)) if isinstance(error, RefusedError) else error)
    finally:
        copy.leave()


def copy_over_rails(store: Store, needed: list[Entry], spec: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that is needed, in several streams over every rail. Returns what was measured."""
    waiting = weights.duplicates(needed)
    total = sum(entries[0].size for entries in waiting.values())
    store.clear_staging(keep=[f"{blob}.part" for blob in waiting])
    staged = sum(path.stat().st_size for path in store.layout.staging.glob("*.part"))
    store.require_space(total - staged, spec["reserve_gib"])
    ways = weights.streams_of(weights.rails_between(spec["head"], spec["mine"]), spec["streams"])
    started = time.monotonic()
    with Progress(total, "copy over the rails") as progress:
        copy = Copy(store, spec, Path(spec["secret_file"]).read_text().strip(), progress, waiting, len(ways))
        for way in ways:
            threading.Thread(target=stream, args=(copy, way), daemon=True).start()
        copy.wait()
    if copy.failure:
        raise copy.failure[0]
    if not copy.over():
        raise Failure(
            f"{len(copy.queue)} files did not come: no rail carries them any more, last {copy.last}. "
            "Look at the cable (twinspark apply --stage network), and run again: what came is kept"
        )
    return {
        "bytes": total - staged,
        "seconds": round(time.monotonic() - started, 3),
        "streams": len(ways),
        "rails": copy.carried(),
        "refetched": copy.refetched,
    }


@contextlib.contextmanager
def gone_after(secret: Path) -> Iterator[None]:
    """The secret is good for one copy; it does not stay, whoever still watches."""
    try:
        yield
    finally:
        secret.unlink(missing_ok=True)


def run(spec: Mapping[str, Any]) -> None:
    """Bring the snapshot of a manifest from the head into the cache, verified."""
    layout = Layout(spec["home"], spec["repo"])
    path = layout.manifest(spec["commit"])
    manifest = snapshot.read_manifest(path)
    if manifest is None or not manifest.complete:
        raise Failure(f"{path} is missing or no complete manifest. Run the stage again, which brings it from the head")
    os.umask(0o022)
    with only_one(layout.own / "lock"), gone_after(Path(spec["secret_file"])):
        store = Store(spec["home"], spec["state_dir"], manifest)
        needed, wrong = store.adopt(rehash=spec["rehash"], repair=True, threads=spec["threads"])
        if needed:
            figures = copy_over_rails(store, needed, spec)
            figures["replaced"] = wrong
            store.finish(spec["ref"], copy=figures)
        else:
            store.finish(spec["ref"])
        say(f"verified: {len(manifest.entries)} files, {manifest.total} bytes, commit {manifest.commit}")
