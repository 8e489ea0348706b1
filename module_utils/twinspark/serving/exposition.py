"""The pair's state as node_exporter's textfile collector reads it: Prometheus' text form, version 0.0.4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from .pair import Counters, Kind, Limits, State

FILE = "twinspark.prom"
STATES: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. An absent value leaves it out: a figure that is not known is no zero."""

    name: str
    kind: str
    help: str
    values: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen: now, Unix time. restarted: counted starts since the supervisor itself was started.

    rate: tokens that the engine has generated in a second, over the last looks; null where that is not known.
    """

    now: float
    counters: Counters | None = None
    restarted: int = 0
    rate: float | None = None


def metrics(state: State, limits: Limits, look: Look) -> list[Metric]:
    """Every metric that is written, of the pair as a whole."""
    held = look.counters

    def one(name: str, kind: str, help: str, value: float | None) -> Metric:
        return Metric(f"twinspark_{name}", kind, help, {"": value})

    return [
        Metric(
            "twinspark_pair_state",
            "gauge",
            "1 for the state that the supervisor knows the pair in, 0 for the others.",
            {f'{{state="{kind}"}}': float(kind == state.kind) for kind in STATES},
        ),
        one("pair_state_since_timestamp_seconds", "gauge", "Unix time at which the state began.", state.since or None),
        one(
            "pair_last_token_timestamp_seconds",
            "gauge",
            "Unix time of the last sign that tokens were made.",
            state.token,
        ),
        one(
            "pair_restarts_total",
            "counter",
            "Starts after a fault, since the supervisor itself was started.",
            look.restarted,
        ),
        one("pair_restarts_counted", "gauge", "Starts after a fault, since the last long service.", state.restarts),
        one("pair_restarts_limit", "gauge", "Starts after a fault at which the pair is given up.", limits.restarts),
        one("pair_tokens_per_second", "gauge", "Tokens that the engine generates, over the last looks.", look.rate),
        one("pair_requests_running", "gauge", "Requests that the engine works on.", held.running if held else None),
        one("pair_requests_waiting", "gauge", "Requests that wait for the engine.", held.waiting if held else None),
        one("supervisor_look_timestamp_seconds", "gauge", "Unix time of the supervisor's look at the pair.", look.now),
    ]


def exposition(state: State, limits: Limits, look: Look) -> str:
    """The file's text."""
    lines: list[str] = []
    for metric in metrics(state, limits, look):
        known = {labels: value for labels, value in metric.values.items() if value is not None}
        if known:
            lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
            lines += [f"{metric.name}{labels} {_number(value)}" for labels, value in known.items()]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.3f}"
