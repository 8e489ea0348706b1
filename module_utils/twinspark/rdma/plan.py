"""What will be measured, in which order, and how long it takes. Pure.

For every ordered pair of hosts: each rail alone (every test, a bounded number of times), then all rails at once.
A run is one server and one client; runs of one group go at the same time. A step's `spares` are more groups like
these, of which one is used when a group was refused its queue pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

TESTS = ("write_bw", "read_bw", "send_bw", "write_lat", "read_lat", "send_lat")
# Seconds of one run besides the traffic: perftest sleeps one, and sets up and takes down its queue pairs.
RUN_SECONDS = 1.7
# For each test so many more servers wait, for the connections that perftest loses: perftest_causes.QUEUE_PAIRS_REFUSED.
SPARES = 2
# Seconds that starting the servers and taking everything down again take, and each step's own task.
FRAME_SECONDS, STEP_SECONDS = 6.0, 1.0


class PlanError(ValueError):
    """A plan that can't be made; the message says why and what to do."""


@dataclass(frozen=True)
class Settings:
    """What the owner chose. Sizes in bytes, durations in seconds."""

    tests: tuple[str, ...] = ("write_bw", "write_lat")
    repeats: int = 3
    together_seconds: int = 5
    queue_pairs: int = 4
    bandwidth_bytes: int = 65536
    latency_bytes: int = 2
    iterations: int = 0
    connection: tuple[str, ...] = ("-R", "--force-link", "IB")

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Settings:
        """From Ansible's values; PlanError for an unknown test or a number that makes no sense."""
        tests = tuple(str(test) for test in given.get("tests", cls.tests))
        unknown = [test for test in tests if test not in TESTS]
        if unknown or not tests:
            raise PlanError(f"rdma_verify_tests names {', '.join(unknown) or 'none'}: choose from {', '.join(TESTS)}")
        numbers = {
            name: int(given.get(name, getattr(cls, name)))
            for name in ("repeats", "together_seconds", "queue_pairs", "bandwidth_bytes", "latency_bytes")
        }
        wrong = [name for name, value in numbers.items() if value < 1]
        if wrong or numbers["repeats"] > 9:
            raise PlanError(f"{wrong[0] if wrong else 'repeats'}: must be at least 1, and repeats at most 9")
        numbers["iterations"] = int(given.get("iterations", cls.iterations))
        if numbers["iterations"] < 0:
            raise PlanError("iterations: must be at least 0, which leaves their number to perftest")
        connection = tuple(str(part) for part in given.get("connection", cls.connection))
        return cls(tests=tests, connection=connection, **numbers)


def options(test: str, settings: Settings, *, seconds: int = 0) -> list[str]:
    """A test's options but for device, port and address, the same on both ends."""
    bandwidth = test.endswith("_bw")
    size = settings.bandwidth_bytes if bandwidth else settings.latency_bytes
    return [
        *(["-q", str(settings.queue_pairs), "--report_gbits"] if bandwidth else []),
        *["-s", str(size), *settings.connection],
        *(["-D", str(seconds)] if seconds else ["-n", str(settings.iterations)] if settings.iterations else []),
    ]


def plan(
    fabric: Sequence[Mapping[str, Any]],
    given: Mapping[str, Any],
    unusable: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Steps in order, what is left out and why, and the estimate in seconds.

    `unusable`: "host/rail" to the reason why nothing can be measured there.
    """
    settings = Settings.of(given)
    alone = [test for test in settings.tests for _ in range(settings.repeats)]
    together = [test for test in settings.tests if test.endswith("_bw")]
    steps, skipped = [], {}
    for client, server in permutations(fabric, 2):
        usable = []
        for mine, theirs in zip(client["rails"], server["rails"], strict=True):
            subject = f"{mine['name']} {client['host']} -> {server['host']}"
            wrong = [
                f"{host['host']}: {unusable[key]}"
                for host in (client, server)
                if (key := f"{host['host']}/{mine['name']}") in (unusable or {}) and unusable
            ]
            if wrong:
                skipped[subject] = "; ".join(wrong)
            else:
                usable.append((mine, theirs))
                direction = _Direction(client["host"], server["host"], ((mine, theirs),))
                steps.append(direction.step(subject, alone, settings))
        subject = f"{len(client['rails'])} rails {client['host']} -> {server['host']}"
        if len(client["rails"]) > 1 and together:
            if len(usable) == len(client["rails"]):
                direction = _Direction(client["host"], server["host"], tuple(usable))
                steps.append(direction.step(subject, together, settings, settings.together_seconds))
            else:
                skipped[subject] = "not every rail can be measured"
    return {"steps": steps, "skipped": skipped, "seconds": estimate(steps), "runs": sum(len(s["runs"]) for s in steps)}


def estimate(steps: Sequence[Mapping[str, Any]]) -> int:
    """Seconds that the steps take on two Sparks."""
    total = FRAME_SECONDS if steps else 0.0
    for step in steps:
        groups = {run["group"]: run["seconds"] for run in step["runs"]}
        total += STEP_SECONDS + sum(RUN_SECONDS + seconds for seconds in groups.values())
    return round(total)


def servers(steps: Sequence[Mapping[str, Any]], host: str) -> list[dict[str, Any]]:
    """Every run for which `host` is the server, the spare ones last."""
    mine = [step for step in steps if step["server"] == host]
    return [run for kind in ("runs", "spares") for step in mine for run in step[kind]]


def listening(runs: Sequence[Mapping[str, Any]], started: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """`runs` with the port that each one's server took, and what became of that server."""
    known = {run["key"]: run for run in started}
    return [
        {**run, **{field: known.get(run["key"], {}).get(field) for field in ("port", "state", "cause")}} for run in runs
    ]


@dataclass(frozen=True)
class _Direction:
    """One host measuring against another over some rails: pairs of the client's rail and the server's."""

    client: str
    server: str
    pairs: tuple[tuple[Mapping[str, Any], Mapping[str, Any]], ...]

    def step(self, subject: str, tests: Sequence[str], settings: Settings, seconds: int = 0) -> dict[str, Any]:
        """`tests` in this order, each a group of its own: `seconds` long, or as many messages as the settings say."""
        groups = list(enumerate([*tests, *(test for test in dict.fromkeys(tests) for _ in range(SPARES))], 1))
        runs = [run for group, test in groups for run in self._runs(test, settings, group, seconds)]
        return {
            "subject": subject, "kind": "together" if seconds else "alone",
            "client": self.client, "server": self.server,
            "rails": [mine["name"] for mine, _ in self.pairs],
            "runs": [run for run in runs if run["group"] <= len(tests)],
            "spares": [{**run, "spare": True} for run in runs if run["group"] > len(tests)],
        }  # fmt: skip

    def _runs(self, test: str, settings: Settings, group: int, seconds: int) -> list[dict[str, Any]]:
        kind = "all" if seconds else "alone"
        return [
            {
                "key": f"{mine['name']}-{self.client}-{self.server}-{test}-{kind}-{group}",
                "group": group,
                "test": test,
                "rail": mine["name"],
                "client_device": mine["hca"],
                "server_device": theirs["hca"],
                "source": mine["address"],
                "address": theirs["address"],
                "options": options(test, settings, seconds=seconds),
                "seconds": seconds,
            }
            for mine, theirs in self.pairs
        ]
