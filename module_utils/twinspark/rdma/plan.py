"""What will be measured, in which order, and how long it takes. Pure.

For every ordered pair of hosts: each rail alone (every test, a bounded number of times), then all rails at once.
A run is one server and one client; runs of one group go at the same time. A step's `spares` are more groups like
these, of which one is used when a group was refused its queue pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import permutations

from ..inventory.fabric import Host, Rail
from ..proof.json_form import SPARSE
from .causes import Cause

TESTS = ("write_bw", "read_bw", "send_bw", "write_lat", "read_lat", "send_lat")
# Seconds of one run besides the traffic: perftest sleeps one, and sets up and takes down its queue pairs.
RUN_SECONDS = 1.7
# Seconds that starting the servers and taking everything down again take, and each step's own task.
FRAME_SECONDS, STEP_SECONDS = 6.0, 1.0


class PlanError(ValueError):
    """A plan that can't be made; the message says why and what to do."""


@dataclass(frozen=True)
class Settings:
    """What the owner chose. Sizes in bytes, durations in seconds.

    spares: so many more servers wait for each test, for the attempts that perftest itself loses (causes.LOST).
    """

    tests: tuple[str, ...] = ("write_bw", "write_lat")
    repeats: int = 3
    together_seconds: int = 5
    queue_pairs: int = 4
    bandwidth_bytes: int = 65536
    latency_bytes: int = 2
    iterations: int = 0
    spares: int = 2
    connection: tuple[str, ...] = ("-R", "--force-link", "IB")

    def __post_init__(self) -> None:
        unknown = [test for test in self.tests if test not in TESTS]
        if unknown or not self.tests:
            raise PlanError(f"rdma_verify_tests names {', '.join(unknown) or 'none'}: choose from {', '.join(TESTS)}")
        for name in ("repeats", "together_seconds", "queue_pairs", "bandwidth_bytes", "latency_bytes"):
            if getattr(self, name) < 1:
                raise PlanError(f"{name}: must be at least 1")
        if self.repeats > 9:
            raise PlanError("repeats: must be at most 9")
        if not 0 <= self.spares <= 9:
            raise PlanError("spares: must be between 0 and 9")
        if self.iterations < 0:
            raise PlanError("iterations: must be at least 0, which leaves their number to perftest")


@dataclass(frozen=True, slots=True)
class Run:
    """One server and one client of one test over one rail. seconds 0: as many messages as the options say."""

    key: str
    group: int
    test: str
    rail: str
    client_device: str
    server_device: str
    source: str
    address: str
    options: tuple[str, ...]
    seconds: int
    spare: bool = field(default=False, metadata=SPARSE)


@dataclass(frozen=True, slots=True)
class Step:
    """What one host measures against another. kind: `alone` or `together`; spares take the place of lost runs."""

    subject: str
    kind: str
    client: str
    server: str
    rails: tuple[str, ...]
    runs: tuple[Run, ...]
    spares: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in order, what is left out and why, the estimate in seconds, and the number of runs."""

    steps: tuple[Step, ...]
    skipped: Mapping[str, str]
    seconds: int
    runs: int


@dataclass(frozen=True, slots=True)
class Started:
    """What became of a run's server."""

    key: str
    port: int | None = None
    state: str | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Servers:
    """What twinspark_perftest returns of the servers of one host."""

    runs: tuple[Started, ...] = ()


@dataclass(frozen=True, slots=True)
class Listening(Run):
    """A run, and what became of its server: where it listens, or why it does not."""

    port: int | None = None
    state: str | None = None
    cause: Cause | None = None


def options(test: str, settings: Settings, *, seconds: int = 0) -> list[str]:
    """A test's options but for device, port and address, the same on both ends."""
    bandwidth = test.endswith("_bw")
    size = settings.bandwidth_bytes if bandwidth else settings.latency_bytes
    return [
        *(["-q", str(settings.queue_pairs), "--report_gbits"] if bandwidth else []),
        *["-s", str(size), *settings.connection],
        *(["-D", str(seconds)] if seconds else ["-n", str(settings.iterations)] if settings.iterations else []),
    ]


def plan(fabric: Sequence[Host], settings: Settings, unusable: Mapping[str, str] | None = None) -> Plan:
    """What to measure on the fabric.

    `unusable`: "host/rail" to the reason why nothing can be measured there.
    """
    alone = [test for test in settings.tests for _ in range(settings.repeats)]
    together = [test for test in settings.tests if test.endswith("_bw")]
    steps: list[Step] = []
    skipped: dict[str, str] = {}
    for client, server in permutations(fabric, 2):
        usable = []
        for mine, theirs in zip(client.rails, server.rails, strict=True):
            subject = f"{mine.name} {client.host} -> {server.host}"
            wrong = [
                f"{host.host}: {unusable[key]}"
                for host in (client, server)
                if (key := f"{host.host}/{mine.name}") in (unusable or {}) and unusable
            ]
            if wrong:
                skipped[subject] = "; ".join(wrong)
            else:
                usable.append((mine, theirs))
                direction = _Direction(client.host, server.host, ((mine, theirs),))
                steps.append(direction.step(subject, alone, settings))
        subject = f"{len(client.rails)} rails {client.host} -> {server.host}"
        if len(client.rails) > 1 and together:
            if len(usable) == len(client.rails):
                direction = _Direction(client.host, server.host, tuple(usable))
                steps.append(direction.step(subject, together, settings, settings.together_seconds))
            else:
                skipped[subject] = "not every rail can be measured"
    return Plan(tuple(steps), skipped, estimate(steps), sum(len(step.runs) for step in steps))


def estimate(steps: Sequence[Step]) -> int:
    """Seconds that the steps take on two Sparks."""
    total = FRAME_SECONDS if steps else 0.0
    for step in steps:
        groups = {run.group: run.seconds for run in step.runs}
        total += STEP_SECONDS + sum(RUN_SECONDS + seconds for seconds in groups.values())
    return round(total)


def servers(plan: Plan, host: str) -> list[Run]:
    """Every run for which `host` is the server, the spare ones last."""
    mine = [step for step in plan.steps if step.server == host]
    return [*(run for step in mine for run in step.runs), *(run for step in mine for run in step.spares)]


def listening(step: Step, started: Sequence[Started]) -> list[Listening]:
    """The step's runs, the spare ones too, with the port that each one's server took, and what became of it."""
    known = {one.key: one for one in started}
    return [
        Listening(
            **{part.name: getattr(run, part.name) for part in fields(Run)},
            port=one.port,
            state=one.state,
            cause=one.cause,
        )
        for run in (*step.runs, *step.spares)
        for one in (known.get(run.key, Started(run.key)),)
    ]


@dataclass(frozen=True)
class _Direction:
    """One host measuring against another over some rails: pairs of the client's rail and the server's."""

    client: str
    server: str
    pairs: tuple[tuple[Rail, Rail], ...]

    def step(self, subject: str, tests: Sequence[str], settings: Settings, seconds: int = 0) -> Step:
        """`tests` in this order, each a group of its own: `seconds` long, or as many messages as the settings say."""
        groups = list(enumerate([*tests, *(test for test in dict.fromkeys(tests) for _ in range(settings.spares))], 1))
        runs = [run for group, test in groups for run in self._runs(test, settings, group, seconds)]
        return Step(
            subject=subject,
            kind="together" if seconds else "alone",
            client=self.client,
            server=self.server,
            rails=tuple(mine.name for mine, _ in self.pairs),
            runs=tuple(run for run in runs if run.group <= len(tests)),
            spares=tuple(replace(run, spare=True) for run in runs if run.group > len(tests)),
        )

    def _runs(self, test: str, settings: Settings, group: int, seconds: int) -> list[Run]:
        kind = "all" if seconds else "alone"
        return [
            Run(
                key=f"{mine.name}-{self.client}-{self.server}-{test}-{kind}-{group}",
                group=group,
                test=test,
                rail=mine.name,
                client_device=mine.hca,
                server_device=theirs.hca,
                source=mine.address,
                address=theirs.address,
                options=tuple(options(test, settings, seconds=seconds)),
                seconds=seconds,
            )
            for mine, theirs in self.pairs
        ]
