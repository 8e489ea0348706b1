"""Judging a snapshot: what a manifest asks for, what was hashed when, and what lies there now. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..inventory.fabric import Host, Rail
from .manifest import Entry, Manifest
from .state import Record, State

ABSENT, DANGLING, LENGTH, CHANGED, UNHASHED, BAD, VERIFIED = (
    "absent",  # nothing there
    "dangling",  # a link to nothing
    "length",  # not as long as the manifest says
    "changed",  # touched since it was hashed
    "unhashed",  # there, but nobody hashed it yet
    "bad",  # hashed, and not what the manifest says
    "verified",
)


@dataclass(frozen=True)
class Seen:
    """What `stat` says of a file behind its snapshot path. `stamp`: size, mtime (ns), ctime (ns), inode."""

    kind: str  # absent, dangling or file
    stamp: tuple[int, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """The state of a snapshot, and the state of each file by path."""

    state: str  # missing, partial, wrong, verified
    files: Mapping[str, str]

    def those(self, *states: str) -> list[str]:
        """Paths of the files in any of these states."""
        return [path for path, state in self.files.items() if state in states]


def judge_file(entry: Entry, record: Record | None, seen: Seen) -> str:
    """One file: believed only when it is, to the inode and the nanosecond, the one that was hashed."""
    if seen.kind != "file":
        return ABSENT if seen.kind == "absent" else DANGLING
    if seen.stamp[0] != entry.size:
        return LENGTH
    if not record:
        return UNHASHED
    if record.bad:
        return BAD
    if record.stamp != seen.stamp:
        return CHANGED
    return VERIFIED if entry.accepts(record.sha256, record.git_sha1) else BAD


def judge(manifest: Manifest, state: State, seen: Mapping[str, Seen]) -> Judgement:
    """The snapshot of a manifest, from what is remembered and what is seen."""
    files = {e.path: judge_file(e, state.files.get(e.path), seen.get(e.path, Seen(ABSENT))) for e in manifest.entries}
    kinds = set(files.values())
    if kinds == {VERIFIED}:
        return Judgement("verified", files)
    if kinds & {DANGLING, LENGTH, CHANGED, BAD}:
        return Judgement("wrong", files)
    return Judgement("missing" if kinds == {ABSENT} else "partial", files)


def complaint(judgement: Judgement, limit: int = 5) -> str:
    """What is the matter, in words, naming the first few files of each kind; empty when all is verified."""
    words = {
        ABSENT: "absent",
        DANGLING: "a link to nothing",
        LENGTH: "of the wrong length",
        CHANGED: "touched since it was hashed",
        UNHASHED: "not hashed yet",
        BAD: "not what the manifest says",
    }
    parts = []
    for kind, text in words.items():
        paths = judgement.those(kind)
        more = f" and {len(paths) - limit} more" if len(paths) > limit else ""
        if paths:
            parts.append(f"{text}: {', '.join(paths[:limit])}{more}")
    return "; ".join(parts)


def bytes_to_fetch(
    manifest: Manifest, judgement: Judgement, staged: int = 0, blobs: Mapping[str, int] | None = None
) -> int:
    """Bytes that must still come. A file that lies there unhashed or touched may be good, and takes no new space.

    So does one that an earlier try published and no snapshot shows yet. `blobs`: those there are, by name to size.
    """
    there, absent = blobs or {}, set(judgement.those(ABSENT, DANGLING, LENGTH, BAD))
    lacking = {
        e.blob or e.path: e.size
        for e in manifest.entries
        if e.path in absent and (judgement.files[e.path] == BAD or there.get(e.blob) != e.size)
    }
    return max(0, sum(lacking.values()) - staged)


def queue_of(entries: Iterable[Entry]) -> deque[Entry]:
    """Files in the order to move them: the largest first, so that no stream ends long after the others."""
    return deque(sorted(entries, key=lambda entry: (-entry.size, entry.path)))


@dataclass(frozen=True, slots=True)
class Way:
    """The way to the head over one rail: the head's address on it, and the local one."""

    name: str
    address: str
    local: str


def rails_between(head: Sequence[Rail], mine: Sequence[Rail]) -> list[Way]:
    """The rails that lead from here to the head. By name, in its order."""
    local = {rail.name: rail.address for rail in mine}
    return [Way(rail.name, rail.address, local[rail.name]) for rail in head if rail.name in local]


@dataclass(frozen=True, slots=True)
class Served:
    """A rail of the head, with the addresses of the peers that may ask on it."""

    name: str
    address: str
    peers: frozenset[str]


def rails_to_serve(fabric: Sequence[Host]) -> list[Served]:
    """The head's rails. The head is rank 0."""
    head, *peers = fabric
    return [
        Served(rail.name, rail.address, frozenset(end.address for peer in peers if (end := peer.rail(rail.name))))
        for rail in head.rails
    ]


def streams_of(rails: Sequence[Way], per_rail: int) -> list[Way]:
    """The rail that each stream uses, alternating, so that the first two files already take both."""
    return [rail for _ in range(max(1, per_rail)) for rail in rails]


def duplicates(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Entries by blob: two paths of the same content share one blob, which is moved once."""
    by_blob: dict[str, list[Entry]] = {}
    for entry in entries:
        by_blob.setdefault(entry.blob, []).append(entry)
    return by_blob
