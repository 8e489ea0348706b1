"""Judging a snapshot: what a manifest asks for, what was hashed when, and what lies there now. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .manifest import Entry, Manifest

SCHEMA = 1
GIB = 1024**3

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


def judge_file(entry: Entry, record: Mapping[str, Any] | None, seen: Seen) -> str:
    """One file: believed only when it is, to the inode and the nanosecond, the one that was hashed."""
    if seen.kind != "file":
        return ABSENT if seen.kind == "absent" else DANGLING
    if seen.stamp[0] != entry.size:
        return LENGTH
    if not record:
        return UNHASHED
    if record.get("bad"):
        return BAD
    if list(record.get("stamp", ())) != list(seen.stamp):
        return CHANGED
    return VERIFIED if entry.accepts(record.get("sha256", ""), record.get("git_sha1", "")) else BAD


def judge(manifest: Manifest, state: Mapping[str, Any], seen: Mapping[str, Seen]) -> Judgement:
    """The snapshot of a manifest, from what is remembered and what is seen."""
    records = state.get("files") or {}
    files = {e.path: judge_file(e, records.get(e.path), seen.get(e.path, Seen(ABSENT))) for e in manifest.entries}
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


def space_verdict(host: str, needed: int, free: int, folder: str, reserve_gib: float) -> dict[str, Any]:
    """Whether `needed` bytes and a reserve for the rest of the host fit into `free`."""
    wanted = needed + reserve_gib * GIB if needed else 0
    why = f"{folder} must hold {needed / GIB:.2f} GiB more, and {reserve_gib} GiB is kept free" if needed else ""
    return {
        "name": f"space on {host}",
        "ok": free >= wanted,
        "measured": round(free / GIB, 2),
        "required": round(wanted / GIB, 2),
        "unit": "GiB",
        "reason": why,
        "fix": "free some space (twinspark_weights_info names old commits), or set twinspark_hub_home to a larger disk",
    }


def snapshot_verdict(host: str, commit: str, judgement: Judgement | None) -> dict[str, Any]:
    """Whether a host holds the commit, every byte hashed."""
    state = judgement.state if judgement else "missing"
    return {
        "name": f"weights on {host}",
        "ok": state == "verified",
        "measured": state,
        "required": "verified",
        "reason": complaint(judgement) if judgement else f"no manifest of {commit}",
        "fix": "twinspark apply --stage weights",
    }


def parity(sums: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Paths whose sha256 is not one and the same on every host. `sums`: host to path to sha256."""
    paths = sorted({path for files in sums.values() for path in files})
    return [path for path in paths if len({files.get(path, "") for files in sums.values()}) != 1]


def queue_of(entries: Iterable[Entry]) -> deque[Entry]:
    """Files in the order to move them: the largest first, so that no stream ends long after the others."""
    return deque(sorted(entries, key=lambda entry: (-entry.size, entry.path)))


def rails_between(head: Sequence[Mapping[str, Any]], mine: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The rails that lead from here to the head: name, the head's address, the local address. By name, in its order."""
    local = {rail["name"]: rail["address"] for rail in mine}
    return [
        {"name": rail["name"], "address": rail["address"], "local": local[rail["name"]]}
        for rail in head
        if rail["name"] in local
    ]


def rails_to_serve(fabric: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The head's rails, each with the addresses of the peers that may ask on it. The head is rank 0."""
    peers = fabric[1:]
    return [
        {
            "name": rail["name"],
            "address": rail["address"],
            "peers": [r["address"] for peer in peers for r in peer["rails"] if r["name"] == rail["name"]],
        }
        for rail in fabric[0]["rails"]
    ]


def mended(found: Mapping[str, Any]) -> str:
    """Files that the last download or copy found wrong on a host and replaced, in words for its verdict."""
    paths = [path for what in ("download", "copy") for path in (found.get(what) or {}).get("replaced") or []]
    return f"found wrong and replaced by the last copy: {', '.join(paths)}" if paths else ""


def evidence(hosts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A proof's verdicts, measurements and evidence from what `twinspark_weights_info` says of every host."""
    sums = {host: {f["path"]: f["sha256"] for f in found["files"]} for host, found in hosts.items()}
    differing = parity(sums)
    verdicts = [{**found["verdict"], "reason": found["verdict"]["reason"] or mended(found)} for found in hosts.values()]
    verdicts.append(
        {
            "name": "the same bytes on every host",
            "ok": not differing and all(sums.values()),
            "measured": len(differing),
            "required": 0,
            "unit": "files that differ",
            "reason": ", ".join(differing[:5]),
            "fix": "twinspark apply --stage weights -e hf_weights_rehash=true",
        }
    )
    measurements = []
    for host, found in hosts.items():
        for what in ("download", "copy"):
            figures = found.get(what) or {}
            if figures.get("bytes") and figures.get("seconds"):
                rate = figures["bytes"] / figures["seconds"]
                subject = f"{what} to {host}"
                measurements += [
                    {"name": f"weights_{what}_bytes", "subject": subject, "value": figures["bytes"], "unit": "B"},
                    {"name": f"weights_{what}_rate", "subject": subject, "value": round(rate), "unit": "B/s"},
                ]
    files: dict[str, dict[str, Any]] = {}
    for host, found in hosts.items():
        for f in found["files"]:
            files.setdefault(f["path"], {"size": f["size"], "sha256": {}})["sha256"][host] = f["sha256"]
    keys = ("snapshot", "verified", "manifest_digest", "used_bytes", "download", "copy", "old_commits")
    return {
        "verdicts": verdicts,
        "measurements": measurements,
        "evidence": {
            "commit": next(iter(hosts.values()))["commit"],
            "total_bytes": next(iter(hosts.values()))["total_bytes"],
            "files": files,
            "hosts": {host: {key: found.get(key) for key in keys} for host, found in hosts.items()},
        },
    }


def streams_of(rails: Sequence[Mapping[str, str]], per_rail: int) -> list[Mapping[str, str]]:
    """The rail that each stream uses, alternating, so that the first two files already take both."""
    return [rail for _ in range(max(1, per_rail)) for rail in rails]


def duplicates(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Entries by blob: two paths of the same content share one blob, which is moved once."""
    by_blob: dict[str, list[Entry]] = {}
    for entry in entries:
        by_blob.setdefault(entry.blob, []).append(entry)
    return by_blob
