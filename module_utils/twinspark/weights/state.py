"""What is known of a snapshot: what a host remembers of its last hashing, and what it says of itself when asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..proof.json_form import SPARSE, Json
from ..proof.values import Verdict

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Record:
    """A file when it was last hashed. `stamp`: size, mtime (ns), ctime (ns), inode; hashed: UTC, ISO 8601.

    bad: its bytes were not what the manifest says.
    """

    sha256: str = ""
    git_sha1: str = field(default="", metadata=SPARSE)
    size: int | None = field(default=None, metadata=SPARSE)
    stamp: tuple[int, ...] = ()
    hashed: str = field(default="", metadata=SPARSE)
    bad: bool = field(default=False, metadata=SPARSE)


@dataclass(frozen=True, slots=True)
class Fault:
    """How often a rail failed a copy, and in which words the last time."""

    times: int
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What a download or a copy took: bytes that came, and seconds.

    source: the Hub or the directory. rails: bytes by rail. refetched: paths that came wrong once. replaced: paths of
    files that lay there and were wrong.
    """

    bytes: int
    seconds: float
    source: str = field(default="", metadata=SPARSE)
    streams: int | None = field(default=None, metadata=SPARSE)
    rails: Mapping[str, int] = field(default_factory=dict)
    rail_faults: Mapping[str, Fault] = field(default_factory=dict)
    refetched: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class State(Json):
    """What a host remembers of one commit. verified: when all of it was last found right; UTC, ISO 8601."""

    called = "state"

    schema: int = SCHEMA
    repo: str = ""
    commit: str = ""
    manifest: str = ""
    files: Mapping[str, Record] = field(default_factory=dict)
    download: Transfer | None = None
    copy: Transfer | None = None
    verified: str | None = None


@dataclass(frozen=True, slots=True)
class OldCommit:
    """A commit in the cache that is not the one in use, and what removing it alone would free."""

    commit: str
    frees_bytes: int


@dataclass(frozen=True, slots=True)
class FileState:
    """A file of the manifest; state: a word of weights.py."""

    path: str
    size: int
    sha256: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Json):
    """Everything that `twinspark_weights_info` says of a host. Figures that only a manifest gives are null without one.

    snapshot: its folder. fetch_bytes: still to come. left: paths that only a running copy needs, and are there.
    """

    called = "weights"

    repo: str
    commit: str
    snapshot: str
    state: str
    complaint: str
    verified: str | None
    download: Transfer | None
    copy: Transfer | None
    total_bytes: int | None
    fetch_bytes: int | None
    free_bytes: int
    used_bytes: int
    manifest_digest: str
    complete: bool
    files: tuple[FileState, ...]
    old_commits: tuple[OldCommit, ...]
    left: tuple[str, ...]
    verdict: Verdict
    space_verdict: Verdict
