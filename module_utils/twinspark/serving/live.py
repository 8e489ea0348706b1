"""The pair at this moment: what its engine counts, and memory, power and temperature of a host. Readers, and words.

What is not known is null and is said so; nothing is ever taken for zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..proof.json_form import to_json
from ..proof.numbers import duration, plain
from .rank import Memory
from .supervised import Supervised
from .vitals import SAMPLE

GIB = 1 << 30
GENERATED, PROMPT = "vllm:generation_tokens_total", "vllm:prompt_tokens_total"
RUNNING, WAITING = "vllm:num_requests_running", "vllm:num_requests_waiting"
# A share of 1, in spite of its name. Older releases of vLLM call it gpu_cache_usage_perc.
CACHE = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")
# nvidia-smi's columns in the order of Gpu's fields. Not the memory: on a GB10 it is the host's, and "Not Supported".
QUERY = ("power.draw", "clocks.sm", "temperature.gpu", "utilization.gpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the engine's /metrics say, each null where they don't. Tokens since the engine's start, requests now."""

    generated_tokens: float | None = None
    prompt_tokens: float | None = None
    running_requests: float | None = None
    waiting_requests: float | None = None
    kv_cache_used_percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The engine now: rates over `seconds` between two looks, the rest by the second one."""

    seconds: float
    generated_tokens_per_second: float | None = None
    prompt_tokens_per_second: float | None = None
    running_requests: float | None = None
    waiting_requests: float | None = None
    kv_cache_used_percent: float | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU, each figure null where nvidia-smi gives none."""

    power_watts: float | None = None
    sm_clock_mhz: float | None = None
    temperature_celsius: float | None = None
    utilization_percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """One host now. engine, supervised: on the head only, null elsewhere. gpu_problem: why there is no GPU's figure."""

    memory: Memory | None = None
    gpus: tuple[Gpu, ...] = ()
    gpu_problem: str = ""
    engine: Engine | None = None
    supervised: Supervised | None = None

    def to_json(self) -> dict[str, Any]:
        """As the module returns it."""
        return dict(to_json(self))


def counts(text: str) -> Counts:
    """From /metrics in Prometheus' text form. Of several engines the sum, and the fullest cache."""
    found: dict[str, list[float]] = {}
    for line in text.splitlines():
        sample = None if line.startswith("#") else SAMPLE.match(line.strip())
        value = number(sample["value"]) if sample else None
        if sample and value is not None:
            found.setdefault(sample["name"], []).append(value)
    cache = [value for name in CACHE for value in found.get(name, [])]
    sums = [sum(found[name]) if name in found else None for name in (GENERATED, PROMPT, RUNNING, WAITING)]
    return Counts(
        generated_tokens=sums[0],
        prompt_tokens=sums[1],
        running_requests=sums[2],
        waiting_requests=sums[3],
        kv_cache_used_percent=round(max(cache) * 100, 2) if cache else None,
    )


def engine(before: Counts | None, after: Counts | None, seconds: float) -> Engine:
    """From two looks. A counter that went back was begun anew meanwhile: then there is no rate."""
    if before is None or after is None:
        return Engine(seconds=round(seconds, 2), problem="the engine does not answer")
    if after == Counts():
        return Engine(seconds=round(seconds, 2), problem="its /metrics have none of vLLM's counters")
    began_anew = any(
        old is not None and new is not None and new < old
        for old, new in (
            (before.generated_tokens, after.generated_tokens),
            (before.prompt_tokens, after.prompt_tokens),
        )
    )
    return Engine(
        seconds=round(seconds, 2),
        generated_tokens_per_second=rate(before.generated_tokens, after.generated_tokens, seconds),
        prompt_tokens_per_second=rate(before.prompt_tokens, after.prompt_tokens, seconds),
        running_requests=after.running_requests,
        waiting_requests=after.waiting_requests,
        kv_cache_used_percent=after.kv_cache_used_percent,
        problem="its counters began anew between the two looks" if began_anew else "",
    )


def rate(before: float | None, after: float | None, seconds: float) -> float | None:
    """How much more a second; None where that is not known."""
    if before is None or after is None or after < before or seconds <= 0:
        return None
    return round((after - before) / seconds, 2)


def number(text: str) -> float | None:
    """A finite number, or nothing."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def gpus(text: str) -> tuple[Gpu, ...]:
    """From `nvidia-smi --query-gpu=... --format=csv,noheader,nounits` with QUERY; a cell like [N/A] is no figure."""
    rows = [[number(cell) for cell in line.split(",")] for line in text.splitlines() if line.count(",") == 3]
    return tuple(
        Gpu(power_watts=row[0], sm_clock_mhz=row[1], temperature_celsius=row[2], utilization_percent=row[3])
        for row in rows
    )


def told(live: Live, now: float) -> list[str]:
    """In words, a sentence a thing. now: Unix time, by the host's clock."""
    said = [pair_told(live.supervised, now)] if live.supervised else []
    said += [engine_told(live.engine)] if live.engine else []
    said.append(
        f"memory: {plain(live.memory.available / GIB)} of {plain(live.memory.total / GIB)} GiB available"
        if live.memory
        else "memory: not known, /proc/meminfo does not tell it"
    )
    said += [f"GPU: not known, {live.gpu_problem}"] if live.gpu_problem else []
    many = len(live.gpus) > 1
    return said + [f"GPU{f' {place}' if many else ''}: {gpu_told(gpu)}" for place, gpu in enumerate(live.gpus)]


def pair_told(found: Supervised, now: float) -> str:
    """State, since when, restarts."""
    if found.kind == "absent":
        return f"pair: not known, {found.sentence}"
    since = ""
    if found.since:
        at = datetime.fromtimestamp(found.since, UTC)
        since = f", since {at:%Y-%m-%d %H:%M:%S} UTC ({duration(now - found.since)})"
    restarts = f"{found.restarts} restart{'s' if found.restarts != 1 else ''} counted"
    return f"pair: {found.sentence}{since}, {restarts}"


def engine_told(found: Engine) -> str:
    """Rates, requests and cache; each that is not known is said so."""
    parts = [
        f"{amount(found.generated_tokens_per_second)} tokens/s generated",
        f"{amount(found.prompt_tokens_per_second)} tokens/s of prompts, over {plain(found.seconds, '')} s",
        f"{amount(found.running_requests)} requests running",
        f"{amount(found.waiting_requests)} waiting",
        f"KV cache {amount(found.kv_cache_used_percent, '%')} used",
    ]
    figures = [value for name, value in to_json(found).items() if name not in ("seconds", "problem")]
    if found.problem and not any(value is not None for value in figures):
        return f"engine: nothing is known, {found.problem}"
    return f"engine: {', '.join(parts)}" + (f" ({found.problem})" if found.problem else "")


def gpu_told(gpu: Gpu) -> str:
    """Power, temperature, clock and utilization."""
    return ", ".join((
        amount(gpu.power_watts, " W", "power"),
        amount(gpu.temperature_celsius, " degC", "temperature"),
        amount(gpu.sm_clock_mhz, " MHz", "clock"),
        amount(gpu.utilization_percent, "% busy", "utilization"),
    ))  # fmt: skip


def amount(value: float | None, unit: str = "", name: str = "") -> str:
    """A figure with its unit; in words where there is none."""
    if value is None:
        return f"{name} not told" if name else "unknown"
    return f"{plain(value, '')}{unit}"
