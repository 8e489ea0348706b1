"""What each verb is told: the JSON of its SPEC as a value. Paths are of this host, times in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.twinspark.inventory.fabric import Host, Rail


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """home: what HF_HOME means. state_dir: where the host remembers what it hashed. threads: that hash."""

    home: str
    state_dir: str
    repo: str
    commit: str
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bring(Verify):
    """What bringing a commit needs. ref: branch to point at it, or empty. stall_seconds: to wait for a byte."""

    rehash: bool
    ref: str
    reserve_gib: float
    stall_seconds: float
    longest_pause: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch(Bring):
    """source_dir: directory to take the files from, or empty for the Hub. client: path of `hf`. xet: whether it may."""

    source_dir: str
    endpoint: str
    token_file: str
    client: str
    xet: bool
    workers: int
    environment: Mapping[str, str | int | float]
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull(Bring):
    """head, mine: the rails of the head and of this host. streams: on each. rail_patience: with a rail that is down."""

    head: tuple[Rail, ...]
    mine: tuple[Rail, ...]
    port: int
    secret_file: str
    streams: int
    rail_patience: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Serve:
    """fabric: in rank order, the head first. idle_seconds: without a peer, and the server ends."""

    home: str
    repo: str
    commit: str
    fabric: tuple[Host, ...]
    port: int
    secret_file: str
    idle_seconds: float
