"""`pull`, on every other host: bring the head's blobs over the rails, each byte hashed in the pass that receives it."""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.twinspark.weights import weights
from core.twinspark.weights.hubcache import Layout
from core.twinspark.weights.manifest import Entry
from core.twinspark.weights.state import Fault, Transfer
from core.twinspark.weights.weights import Way
from core.twinspark_host import hubapi, snapshot
from core.twinspark_host.progress import Progress
from hashing import CHUNK, Hasher, Sums, read_through, write_all
from job import Failure, only_one, say, say_replaced
from spec import Pull
from store import Store
from wire import BarredRailError, BrokenRailError, Rail, RefusedError

KNOCK = 30  # seconds between two signs of life while this host only hashes; the head waits for minutes
RAIL_PAUSE = 10  # seconds at most between two tries of a rail: a cable that is plugged in again is soon taken up


@dataclass
class Copy:
    """What the streams of one copy share."""

    store: Store
    spec: Pull
    secret: str
    progress: Progress
    waiting: dict[str, list[Entry]]
    ways: list[Way]
    changed: threading.Condition = field(default_factory=threading.Condition)
    failure: list[BaseException] = field(default_factory=list)
    refetched: list[str] = field(default_factory=list)
    barred: set[str] = field(default_factory=set)
    faults: dict[str, Fault] = field(default_factory=dict)
    last: str = "none leads to the head"

    def __post_init__(self) -> None:
        self.queue = weights.queue_of(entries[0] for entries in self.waiting.values())
        self.in_flight = 0
        self.carried = {way.name: 0 for way in self.ways}
        self.waited = dict.fromkeys(range(len(self.ways)), 0.0)  # by stream, seconds for nothing since its last bytes

    def over(self) -> bool:
        """Whether nothing is left to do for any stream, or every one that is left has waited long enough."""
        with self.changed:
            hopeless = all(seconds > self.spec.rail_patience for seconds in self.waited.values())
            return bool(self.failure) or not (self.queue or self.in_flight) or hopeless

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

    def arrived(self, number: int, rail: Rail, count: int) -> None:
        """Bytes came over a stream's rail."""
        with self.changed:
            self.carried[rail.name] += count
            if self.waited[number] and rail.useful:
                self.waited[number] = 0.0
                say(f"{rail.name}: it carries again")

    def broke(self, number: int, name: str, error: Exception, waited: float) -> None:
        """A stream's rail failed after it had waited so many seconds more for nothing. The proof tells of it."""
        with self.changed:
            times = self.faults[name].times if name in self.faults else 0
            self.faults[name] = Fault(times + 1, str(error))
            self.last = f"{name}: {error}"
            self.waited[number] += waited
            self.changed.notify_all()

    def leave(self, number: int) -> None:
        """A stream ends."""
        with self.changed:
            self.waited.pop(number)
            self.changed.notify_all()

    def wait(self) -> None:
        """Until it is over. A stream that still knocks at a dead rail is not waited for."""
        with self.changed:
            self.changed.wait_for(self.over)


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


@dataclass
class Stream:
    """One stream of a copy: its number, its rail by the way there, and the piece of memory that all passes through."""

    copy: Copy
    number: int
    way: Way

    def __post_init__(self) -> None:
        self.buffer = memoryview(mmap.mmap(-1, CHUNK))

    def run(self) -> None:
        """Work through the queue until it is over. A rail that fails is tried again and again, a barred one is not."""
        copy, name, failures, said = self.copy, self.way.name, 0, ""
        longest = min(RAIL_PAUSE, copy.spec.longest_pause)
        try:
            while not copy.over():
                rail = Rail(copy.spec, self.way, copy.secret)
                try:
                    self.carry(rail)
                except BrokenRailError as error:
                    failures, said = (0, "") if rail.useful else (failures + 1, said)
                    seconds = hubapi.pause(failures, None, longest)
                    copy.broke(self.number, name, error, time.monotonic() - rail.since + seconds)
                    if said != str(error):  # a rail that is down for hours gets one line a stream
                        said = str(error)
                        say(f"{name}: {said}; trying it again")
                    copy.pause(seconds)
        except BarredRailError as error:
            copy.broke(self.number, name, error, 0.0)
            copy.barred.add(name)
            say(f"{name}: {error}; leaving this rail alone")
        except BaseException as error:
            copy.fail(Failure(str(error)) if isinstance(error, RefusedError) else error)
        finally:
            copy.leave(self.number)

    def carry(self, rail: Rail) -> None:
        """File after file over one connection."""
        with contextlib.closing(rail):
            rail.connect()  # before a file is taken: a rail that is dead must not hold one
            while entry := self.copy.take():
                self.move(entry, rail)

    def move(self, entry: Entry, rail: Rail) -> None:
        """One file over the rail into staging, and published when it is right.

        What an earlier try left of it is hashed first, so that the sum is always over every byte of the file.
        """
        copy = self.copy
        part = copy.store.layout.staging / f"{entry.blob}.part"
        hasher = Hasher(entry, copy.progress.add)
        try:
            with copy.store.open_staged(part.name) as target:
                if os.fstat(target.fileno()).st_size > entry.size:
                    target.truncate(0)
                target.seek(0)
                read_through(target.fileno(), hasher, self.buffer)
                if hasher.size < entry.size:
                    self.receive(entry, rail, target.fileno(), hasher)
                os.fdatasync(target.fileno())
        except (BrokenRailError, BarredRailError):
            copy.progress.add(-hasher.size)
            copy.put(entry, again=True)
            raise
        copy.put(entry, again=not settle(copy, entry, part, hasher.sums()))

    def receive(self, entry: Entry, rail: Rail, handle: int, hasher: Hasher) -> None:
        """The rest of a file, hashed and written piece by piece."""
        rail.ask(entry.blob, hasher.size, entry.size)
        while left := entry.size - hasher.size:
            got = rail.read_into(self.buffer[: min(left, CHUNK)])
            self.copy.arrived(self.number, rail, got)
            hasher.add(self.buffer[:got])
            write_all(handle, self.buffer[:got])


def why_not(copy: Copy) -> Failure:
    """What kept the files that did not come, with its fix."""
    count = f"{len(copy.queue) + copy.in_flight} files did not come"
    if copy.ways and copy.barred == set(copy.carried):
        return Failure(f"{count}: {copy.last}")
    return Failure(
        f"{count}: no rail carries them any more, last {copy.last}. "
        "Look at the cable (twinspark apply --stage network), and run again: what came is kept"
    )


def secret_of(spec: Pull) -> str:
    """What this copy's two ends share. Gone when another job has just done the work."""
    return Path(spec.secret_file).read_text().strip()


def copy_over_rails(store: Store, needed: list[Entry], spec: Pull) -> Transfer:
    """Everything that is needed, in several streams over every rail. Returns what was measured."""
    waiting = weights.duplicates(needed)
    total = sum(entries[0].size for entries in waiting.values())
    sizes = {f"{blob}.part": entries[0].size for blob, entries in waiting.items()}
    store.clear_staging(keep=sizes)
    staged = store.staged_bytes(sizes)
    store.require_space(total - staged, spec.reserve_gib)
    ways = weights.streams_of(weights.rails_between(spec.head, spec.mine), spec.streams)
    started = time.monotonic()
    with Progress(total, "B", "copy over the rails") as progress:
        copy = Copy(store, spec, secret_of(spec), progress, waiting, ways)
        for number, way in enumerate(ways):
            threading.Thread(target=Stream(copy, number, way).run, daemon=True).start()
        copy.wait()
    if copy.failure:
        raise copy.failure[0]
    if copy.queue or copy.in_flight:
        raise why_not(copy)
    return Transfer(
        bytes=total - staged,
        seconds=round(time.monotonic() - started, 3),
        streams=len(ways),
        rails=dict(copy.carried),
        rail_faults=dict(copy.faults),
        refetched=tuple(copy.refetched),
    )


@contextlib.contextmanager
def wanted(spec: Pull) -> Iterator[None]:
    """Let the head know now and then that its files are still wanted: hashing what is here may outlast its patience."""
    over = threading.Event()
    ways = weights.rails_between(spec.head, spec.mine)

    def knock() -> None:
        while not over.wait(KNOCK):
            for way in ways:
                # What ails a rail is told by the copy, if there is one.
                with (
                    contextlib.suppress(BrokenRailError, BarredRailError, OSError),
                    contextlib.closing(Rail(spec, way, secret_of(spec))) as rail,
                ):
                    rail.knock()

    threading.Thread(target=knock, daemon=True).start()
    try:
        yield
    finally:
        over.set()


@contextlib.contextmanager
def gone_after(secret: Path) -> Iterator[None]:
    """The secret is good for one copy; it does not stay, whoever still watches."""
    try:
        yield
    finally:
        secret.unlink(missing_ok=True)


def run(spec: Pull) -> None:
    """Bring the snapshot of a manifest from the head into the cache, verified."""
    layout = Layout(spec.home, spec.repo)
    path = layout.manifest(spec.commit)
    manifest = snapshot.read_manifest(path)
    if manifest is None or not manifest.complete:
        raise Failure(f"{path} is missing or no complete manifest. Run the stage again, which brings it from the head")
    os.umask(0o022)
    with only_one(layout.own / "lock"), gone_after(Path(spec.secret_file)):
        store = Store(spec.home, spec.state_dir, manifest)
        with wanted(spec):
            needed, wrong = store.adopt(rehash=spec.rehash, repair=True, threads=spec.threads)
        if needed:
            figures = copy_over_rails(store, needed, spec)
            store.finish(spec.ref, copy=replace(figures, replaced=tuple(wrong)))
            say_replaced(wrong)
        else:
            store.finish(spec.ref)
        say(f"verified: {len(manifest.entries)} files, {manifest.total} bytes, commit {manifest.commit}")
