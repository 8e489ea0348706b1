"""The served pair as its supervisor knows it: what was seen, what is remembered, what is to be done. Values only.

Times are in seconds. `passed` is counted by a clock that nobody sets, so no wait depends on the time of day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ..proof.json_form import Json
from .causes import Cause
from .rank import Memory

Kind = Literal["stopped", "starting", "serving", "busy", "stuck", "restarting", "given_up"]
Stage = Literal["", "log", "stop", "pause", "room", "workers", "head", "ready"]
UP: tuple[Kind, ...] = ("serving", "busy")
LAUNCHING: tuple[Kind, ...] = ("starting", "restarting")
DOWN: tuple[Kind, ...] = ("stopped", "given_up")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the supervisor is bound by.

    patience: without a token, while one is asked for, before the pair counts as stuck; the longest pause known of a
    healthy engine is eight minutes, in which kernels are compiled. ready_timeout: from the start of the ranks to the
    first token. restarts: in all, until there were `service_hours` of service without one; pauses: before the first,
    the second and every further one. canary_every: between two canaries while nothing runs; canary_retry: after one
    that failed, and during a start. utilization: share of all memory that the engine takes; memory_gib: the need where
    there is no share; headroom_gib: to be free beyond it before a start. floor_gib: of available memory in service,
    null for none. idle_watts: up to which a GPU is idle. start_grace: from a rank's start to its process.
    """

    patience: float = 600
    ready_timeout: float = 2400
    restarts: int = 3
    service_hours: float = 6
    pauses: tuple[float, ...] = (10, 60, 300)
    canary_every: float = 60
    canary_retry: float = 10
    utilization: float | None = None
    memory_gib: float = 0
    headroom_gib: float = 4
    floor_gib: float | None = 2
    idle_watts: float = 20
    start_grace: float = 120

    def __post_init__(self) -> None:
        for name in ("patience", "ready_timeout", "service_hours", "canary_every", "canary_retry", "start_grace"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be more than 0, not {getattr(self, name)}")
        if self.restarts < 0:
            raise ValueError(f"restarts must be at least 0, not {self.restarts}")


@dataclass(frozen=True, slots=True)
class Process:
    """A process of the engine that has named itself. state: the kernel's letter, T for one that is stopped."""

    pid: int
    title: str
    state: str = "S"


@dataclass(frozen=True, slots=True)
class Log:
    """What a rank's log says: how far it has come, what killed it, and its last words."""

    phase: str = ""
    cause: Cause | None = None
    tail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSeen(Json):
    """One look at one host. reachable: false where it gave no answer, for the reason in `error`; nothing else is known.

    unit: systemd's properties, those of rank.SHOW. container: ID of the rank's container while it runs, empty where
    there is none, null where Docker gave no answer. docker: whether Docker answers. addresses: of the interfaces that
    are up; missing: rails of this host whose address is not among them. leftovers: segments of shared memory, and a
    container, that an ended rank has left. power: watts of all GPUs, null where not known. log: only where it was asked
    for.
    """

    called: ClassVar[str] = "look"

    host: str
    reachable: bool = True
    error: str = ""
    boot_id: str = ""
    unit: Mapping[str, str] = field(default_factory=dict)
    container: str | None = ""
    docker: bool = True
    processes: tuple[Process, ...] = ()
    memory: Memory | None = None
    addresses: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    leftovers: int = 0
    power: float | None = None
    log: Log | None = None

    @property
    def active(self) -> str:
        """The unit's ActiveState."""
        return self.unit.get("ActiveState") or "inactive"

    @property
    def over(self) -> bool:
        """Whether the unit runs nothing, and is about to run nothing."""
        return self.active in ("inactive", "failed") or self.unit.get("SubState") == "auto-restart"

    @property
    def cleared(self) -> bool:
        """Whether nothing of a rank is here any more."""
        return self.over and self.active != "activating" and not self.container and not self.leftovers


@dataclass(frozen=True, slots=True)
class Counters:
    """What the engine counts: `work` is the sum of what moves with tokens only; requests that run and that wait.

    generated: tokens of answers, of which nothing is decided; null where the engine does not count them.
    """

    work: float
    running: float = 0
    waiting: float = 0
    generated: float | None = field(default=None, compare=False)

    @property
    def held(self) -> float:
        """Requests that somebody waits for."""
        return self.running + self.waiting


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of the canary with this number. error: why there was no token."""

    number: int
    tokens: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the owner wants of the pair, by a verb or an apply. id: another one for every wish. why: for the journal."""

    id: str
    verb: Literal["start", "stop", "restart"]
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look at everything. now: Unix time, to be shown only. passed: since the look before, 0 at the first one.

    hosts: in rank order, the head first. counters: null where the endpoint gave none. asking: number of the canary that
    waits for its answer now, 0 for none; answer: the last one that came.
    """

    now: float
    passed: float
    hosts: tuple[HostSeen, ...]
    counters: Counters | None = None
    asking: int = 0
    answer: Answer | None = None
    wish: Wish | None = None

    @property
    def head(self) -> HostSeen:
        """Rank 0's host."""
        return self.hosts[0]


@dataclass(frozen=True, slots=True)
class Known:
    """What belongs to the present start on one host. before: the unit's invocation when the start was ordered."""

    boot_id: str
    before: str = ""
    invocation: str = ""
    container: str = ""
    processes: tuple[Process, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class State(Json):
    """What the supervisor remembers, on disk as well.

    since: Unix time at which the kind began; `busy` and `serving` are one in this. why: of a restart or of the end.
    restarts: counted starts so far; counted: whether the start at work is one of them. spent: in the stage. pause: what
    is left of it. ready: since the ranks were started. quiet: since the last canary was asked or the last token came.
    frozen: without a token while one was asked for. served: since the last start. token: Unix time of the last one.
    work: the counters' last sum. asked, heard: numbers of the last canary asked and of the last one whose end was
    seen; refused: why that one brought no token. low: looks in a row with memory under the floor.
    farewell: boot ID of the head when it was last shut down in order.
    """

    called: ClassVar[str] = "state"

    kind: Kind = "stopped"
    since: float = 0.0
    phase: str = ""
    why: str = ""
    stage: Stage = ""
    restarts: int = 0
    counted: bool = False
    spent: float = 0.0
    pause: float = 0.0
    ready: float = 0.0
    quiet: float = 0.0
    frozen: float = 0.0
    served: float = 0.0
    token: float | None = None
    work: float | None = None
    asked: int = 0
    heard: int = 0
    refused: str = ""
    low: int = 0
    wish: Wish | None = None
    ranks: Mapping[str, Known] = field(default_factory=dict)
    farewell: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """What a hand is to do now: stop, start or read the log of a host's rank, or ask the canary with this number.

    `stop` is repeated until nothing of the rank is left, and removes what it leaves. `start` is given once.
    """

    verb: Literal["stop", "start", "log", "ask"]
    host: str = ""
    number: int = 0


def sentence(state: State, limits: Limits) -> str:
    """The state in words, for the journal."""
    told = state.kind.replace("_", " ")
    if state.kind == "restarting":
        # A start is counted when the ranks are told to start; before, it is the next one.
        ordered = state.stage in ("workers", "head", "ready")
        told += f" ({state.restarts + (0 if ordered else 1)} of {limits.restarts})"
    phase = f", {state.phase}" if state.phase not in {"", told} else ""
    return told + phase + (f": {state.why}" if state.why else "")
