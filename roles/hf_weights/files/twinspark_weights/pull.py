"""`pull`, on every other host: bring the head's blobs over the rails, hashing each while it arrives."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rsync
from core import snapshot, weights
from core.hubcache import Layout
from core.manifest import Entry
from hashing import Sums, sums_of
from job import Failure, Progress, only_one, say
from store import Store

RAIL_FAILURES = 3  # in a row on one stream, after which it leaves its rail alone


@dataclass
class Copy:
    """What the streams of one copy share."""

    store: Store
    spec: Mapping[str, Any]
    progress: Progress
    waiting: dict[str, list[Entry]]
    lock: threading.Lock = field(default_factory=threading.Lock)
    failure: list[BaseException] = field(default_factory=list)
    refetched: list[str] = field(default_factory=list)
    last: str = ""

    def __post_init__(self) -> None:
        self.queue = weights.queue_of(entries[0] for entries in self.waiting.values())
        self.in_flight = 0

    def take(self) -> Entry | None:
        """The next file; None when nothing is left to do for this stream."""
        while True:
            with self.lock:
                if self.failure or (not self.queue and not self.in_flight):
                    return None
                if self.queue:
                    self.in_flight += 1
                    return self.queue.popleft()
            time.sleep(0.05)  # another stream may still give its file back

    def done(self, entry: Entry, *, again: bool) -> None:
        """A file is through, or goes back to the front of the queue."""
        with self.lock:
            self.in_flight -= 1
            if again:
                self.queue.appendleft(entry)


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


def move(copy: Copy, entry: Entry, rail: Mapping[str, str]) -> rsync.Outcome:
    """One file over one rail into staging, hashed at the same time; published when it is right."""
    part = copy.store.layout.staging / f"{entry.blob}.part"
    part.touch()
    had = part.stat().st_size
    if had > entry.size:
        part.write_bytes(b"")
        had = 0
    copy.progress.add(had)
    transfer = rsync.Transfer(copy.spec, rail, entry, part, resumed=had > 0)
    result: dict[str, Any] = {}

    def hash_it() -> None:
        try:
            result["sums"] = sums_of(part, entry, growing=transfer.running, count=count, sync=True)
        except OSError as error:
            result["error"] = error

    counted = 0

    def count(got: int) -> None:
        nonlocal counted
        fresh = max(0, counted + got - max(had, counted))
        counted += got
        copy.progress.add(fresh)

    if had == entry.size:
        outcome = rsync.Outcome(0, "")
        hash_it()
    else:
        transfer.start()
        hasher = threading.Thread(target=hash_it, daemon=True)
        hasher.start()
        outcome = transfer.wait()
        hasher.join()
    if "error" in result:
        raise Failure(f"{part} can't be read back ({result['error'].strerror})")
    if outcome.code:
        copy.progress.add(-max(had, counted))
        copy.done(entry, again=True)
        return outcome
    copy.done(entry, again=not settle(copy, entry, part, result["sums"]))
    return outcome


def stream(copy: Copy, rail: Mapping[str, str], carried: dict[str, int]) -> None:
    """Work through the queue over one rail, until it is empty or the rail carries nothing any more."""
    failures = 0
    try:
        while failures < RAIL_FAILURES and (entry := copy.take()):
            outcome = move(copy, entry, rail)
            if not outcome.code:
                failures = 0
                with copy.lock:
                    carried[rail["name"]] = carried.get(rail["name"], 0) + entry.size
                continue
            if outcome.permanent:
                raise Failure(outcome.words)
            failures += 1
            copy.last = f"{rail['name']} ({rail['address']}): {outcome.words}"
            say(copy.last)
            time.sleep(min(2**failures, copy.spec["longest_pause"]))
        if failures:
            say(f"{rail['name']}: {failures} failures in a row; leaving this rail alone")
    except BaseException as error:
        copy.failure.append(error)


def copy_over_rails(store: Store, needed: list[Entry], spec: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that is needed, in several streams over every rail. Returns what was measured."""
    waiting = weights.duplicates(needed)
    total = sum(entries[0].size for entries in waiting.values())
    store.clear_staging(keep=[f"{blob}.part" for blob in waiting])
    staged = sum(path.stat().st_size for path in store.layout.staging.glob("*.part"))
    store.require_space(total - staged, spec["reserve_gib"])
    carried: dict[str, int] = {}
    started = time.monotonic()
    with Progress(total, "copy over the rails") as progress:
        copy = Copy(store, spec, progress, waiting)
        rails = weights.streams_of(weights.rails_between(spec["head"], spec["mine"]), spec["streams"])
        threads = [threading.Thread(target=stream, args=(copy, rail, carried), daemon=True) for rail in rails]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if copy.failure:
        raise copy.failure[0]
    if copy.queue:
        raise Failure(
            f"{len(copy.queue)} files did not come: no rail carries them any more, last {copy.last}. "
            "Look at the cable (twinspark apply --stage network), and run again: what came is kept"
        )
    seconds = time.monotonic() - started
    return {
        "bytes": total - staged,
        "seconds": round(seconds, 3),
        "streams": len(rails),
        "rails": carried,
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
