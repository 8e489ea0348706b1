"""What one host shows of its rank: the unit, its container, its log, the memory. Values, and the readers of texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from ..proof.json_form import from_json, to_json
from . import log
from .causes import Cause

GIB = 1 << 30

SHOW = ("LoadState", "ActiveState", "SubState", "Result", "NRestarts", "ExecMainStatus", "InvocationID",
        "ActiveEnterTimestamp", "UnitFileState")  # fmt: skip

NAMED = re.compile(r"rank (\d+) in world size (\d+)|world_size=(\d+) rank=(\d+)")
# NVIDIA's plugin says IBext_v10 for IB. Two devices that NCCL has made one of are `a+b` or `[0]={[0] a:1/RoCE, ...}`.
IB = re.compile(r"NET/IB(?:ext\w*)? ?: Using (.*?)(?:; ?OOB|$)")
NETWORK = re.compile(r"NCCL INFO Using network (\S+)")
DEVICE = re.compile(r"(?<![\w.+-])([\w.+-]{1,100}):\d{1,3}/(\w+)")

FAILED, ENDED, ANSWERING, WAITING = "failed", "ended", "answering", "waiting for a rank"
# vLLM's own lines, from their first word on: the settings that it prints whole name every phase.
STARTING: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("starting", re.compile(r"vLLM API server version|non-default args:|Resolved architecture:|Launching vLLM "
                            r"|Initializing a V1 LLM engine")),
    ("joining ranks", NAMED),
    ("loading weights", re.compile(r"Starting to load model|Loading (drafter model|safetensors|weights)")),
    # On a cold start it takes minutes and says nothing: it begins where the weights are loaded.
    ("compiling kernels", re.compile(r"Model loading took|Dynamo bytecode transform time|Compiling a graph"
                                     r"|torch\.compile took|Initial profiling/warmup run took")),
    ("sizing the cache", re.compile(r"(GPU |CPU )?KV cache size:|Available KV cache memory:")),
    ("warming up", re.compile(r"Warming up |Using FlashInfer autotune|flashinfer\S*: \[Autotuner\]")),
    ("capturing graphs", re.compile(r"Capturing CUDA graphs?\b|Rank \d+: Torch profiler disabled for CUDA graph")),
    # The last one of a rank without a server.
    ("warmed up", re.compile(r"Graph capturing finished|Kernel JIT monitor activated|init engine \(")),
)  # fmt: skip
NO_BLOCK = re.compile(r"No available shared memory broadcast block found")
TOKENS = re.compile(r"Engine \d+: .*Avg generation throughput: (?!0\.0 )")
BROKEN = re.compile(r"EngineCore (encountered a fatal error|failed to start)|Worker proc \S+ died unexpectedly"
                    r"|WorkerProc (failed to start|hit an exception)|RuntimeError: Engine core initialization failed"
                    )  # fmt: skip
DOWN = re.compile(r"Shutting down$|Application shutdown complete|Finished server process")

Unit = Mapping[str, str]  # systemd's properties, those of SHOW


@dataclass(frozen=True, slots=True)
class Container:
    """The rank's container. digest: of what it was started to run; pid: null when it does not run.

    command, env: what runs in it, the environment as NAME=value lines with those of the image.
    """

    id: str
    image_id: str | None
    digest: str | None
    pid: int | None
    started: str | None
    command: tuple[str, ...] = ()
    env: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """What /health answered: the HTTP status, or null with the error."""

    status: int | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """A rank that said in the log who it is, and the line."""

    rank: int
    world_size: int
    line: str


@dataclass(frozen=True, slots=True)
class Nccl:
    """Which network NCCL says that it uses, with its devices; empty where the log does not show it."""

    network: str = ""
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Memory:
    """Of a host, in bytes."""

    total: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """Everything that `twinspark_serve_info` saw on one host.

    desired: digest of what should run. image_id: of the image that should run; empty where the host does not have it.
    peers: the other ranks' units, asked by the head. dead: names of ranks that died. settled: ready, or one is dead.
    started: Unix time. ready_seconds: from the start to the line that says that the server listens.
    """

    unit: Unit
    container: Container | None
    desired: str
    image_id: str
    health: Health
    peers: Mapping[str, Unit]
    dead: tuple[str, ...]
    ready: bool
    settled: bool
    phase: str
    cause: Cause | None
    log_tail: tuple[str, ...]
    ranks: tuple[Named, ...]
    nccl: Nccl
    started: float | None
    ready_seconds: float | None
    memory: Memory

    @property
    def active(self) -> str:
        """The unit's ActiveState."""
        return self.unit.get("ActiveState") or "absent"

    def to_json(self) -> dict[str, Any]:
        """As the module returns it."""
        return dict(to_json(self))

    @classmethod
    def from_json(cls, given: object, where: str = "rank") -> Self:
        """Raises ShapeError."""
        return from_json(cls, given, where)


def container(text: str, label: str) -> Container | None:
    """The container of `docker container inspect`, with the digest that its `label` holds; None when there is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, list) or not found:
        return None
    state = found[0].get("State") or {}
    config = found[0].get("Config") or {}
    return Container(
        id=found[0]["Id"],
        image_id=found[0].get("Image"),
        digest=(config.get("Labels") or {}).get(label),
        pid=state.get("Pid") if state.get("Running") else None,
        started=state.get("StartedAt"),
        command=tuple(config.get("Cmd") or ()),
        env=tuple(config.get("Env") or ()),
    )


def journal(text: str) -> list[tuple[float, str]]:
    """Lines of `journalctl --output=short-unix --no-hostname` as (Unix time, message)."""
    found = []
    for line in text.splitlines():
        stamp, _, rest = line.partition(" ")
        try:
            at = float(stamp)
        except ValueError:
            continue
        found.append((at, rest.partition(": ")[2]))
    return found


def phase(lines: Iterable[str], unit: Unit | None = None) -> str:
    """How far the engine has come, by the newest line that says so; `unit` knows of an end without words."""
    found = ""
    for line in lines:
        found = step(found, log.read(line)) or found
        if found == FAILED:
            return found
    return ENDED if found and unit and over(unit) else found


def step(at: str, line: log.Line) -> str:
    """The phase that begins with this line; empty when it says nothing of the kind."""
    if line.error and BROKEN.match(line.text):
        return FAILED
    if line.listens:
        return ANSWERING
    if DOWN.match(line.text):
        return ENDED
    if at not in (ANSWERING, WAITING):
        return next((name for name, pattern in STARTING if pattern.match(line.text)), "")
    # A rank that compiles for a while and one that is gone look alike here. While it starts, that is the phase's own.
    if NO_BLOCK.match(line.text):
        return WAITING
    return ANSWERING if TOKENS.match(line.text) else ""


def over(unit: Unit) -> bool:
    """Whether what the unit ran has ended: by itself or as it was told to, with whatever exit code."""
    return unit.get("SubState") == "auto-restart" or unit.get("ActiveState") in ("failed", "inactive")


def named(lines: Iterable[str]) -> tuple[Named, ...]:
    """The ranks that said in the log who they are, each once, in order."""
    found: dict[int, Named] = {}
    for line in lines:
        if match := NAMED.search(line):
            a, b, c, d = match.groups()
            rank, world = (int(a), int(b)) if a else (int(d), int(c))
            found.setdefault(rank, Named(rank, world, line.strip()[:240]))
    return tuple(found[rank] for rank in sorted(found))


def nccl(lines: Iterable[str]) -> Nccl:
    """What NCCL says of its network, the last word of it."""
    network: str = ""
    devices: tuple[str, ...] = ()
    for line in lines:
        if match := NETWORK.search(line):
            network = match[1]
        if match := IB.search(line):
            found = DEVICE.findall(match[1])
            devices = tuple(f"{name}/{kind}" for names, kind in found for name in names.split("+"))
    return Nccl(network, devices)


def meminfo(text: str) -> Memory:
    """From /proc/meminfo. Raises KeyError where that has no MemTotal or MemAvailable."""
    found = {}
    for line in text.splitlines():
        key, _, rest = line.partition(":")
        if key in ("MemTotal", "MemAvailable"):
            found[key] = int(rest.split()[0]) * 1024
    return Memory(found["MemTotal"], found["MemAvailable"])


def dead(unit: Unit) -> bool:
    """Whether a rank has died since it was started by hand, even if systemd is about to try it again.

    A start waits for the other ranks by itself, so what ends it is a cause that the next try meets as well. Exit code 0
    is no excuse: vLLM ends with it when a worker was killed.
    """
    if "unreachable" in unit:
        return False
    return over(unit) or int(unit.get("NRestarts") or 0) > 0


def milestones(lines: Sequence[tuple[float, str]]) -> tuple[float | None, float | None]:
    """Unix times of the log's first line, and of the line that says the server listens."""
    ready = next((at for at, line in lines if log.read(line).listens), None)
    return (lines[0][0] if lines else None), ready
