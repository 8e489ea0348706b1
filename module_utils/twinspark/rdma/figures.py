"""What a figure is judged by: the owner's thresholds, what a rail can carry, and the one fault that looks healthy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from ..proof.values import Measurement, Requirement, Verdict

GIGA = 1e9
# A GB10's NIC that got too little power at boot moves 8 to 25 Gb/s over a link that looks perfect (the 13 Gb/s fault).
FAULT_BIT_S = (8e9, 25e9)
FAULT_REASON = "this is the 13 Gb/s fault: the link, PCIe and counters look healthy, and only a bandwidth test sees it"
FAULT_FIX = "Reboot both with the cable in; else shut both down, pull AC for 60 s or more, and measure again"
LANES_REASON = "its link or its PCIe lanes carry {:.1f} Gb/s at most"
LANES_FIX = (
    "See the PCIe lanes' verdicts: x2 points at old NIC firmware. Update it, one host at a time, then cut the power"
)
SLOW_REASON = "the rail is slower than it has to be"
SLOW_FIX = "Check the PCIe width, the MTU of both ends, ip -s link, and whether anything else uses the rail"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """bit/s, microseconds and fractions of one. sysfs_root: / where the facts are the running kernel's."""

    rail_bit_s: float
    together_bit_s: float
    fraction: float
    typical_us: float
    p999_us: float
    spread: float
    sysfs_root: str = "/"


@dataclass(frozen=True, slots=True)
class Figure:
    """The repeats of one test in one direction over one rail. The worst is judged: a fault may come and go."""

    test: str
    subject: str
    values: tuple[float, ...]
    tails: tuple[float, ...] = ()

    @property
    def spread(self) -> float:
        """(highest - lowest) / median."""
        return (max(self.values) - min(self.values)) / median(self.values)


def bandwidth(name: str, figure: Figure, limits: Thresholds, ceilings: Sequence[float | None]) -> Iterator[Verdict]:
    """A rate against its threshold, and against what each of its rails can carry in bit/s (None: not known)."""
    known = [ceiling for ceiling in ceilings if ceiling]
    ceiling = sum(known) if len(known) == len(ceilings) else None
    rails = len(ceilings)
    floor = limits.together_bit_s if rails > 1 else limits.rail_bit_s
    if ceiling and rails == 1:
        floor = max(floor, limits.fraction * ceiling)
    value = min(figure.values)
    if ceiling and max(figure.values) > ceiling:
        yield Verdict.of(
            name, max(figure.values) / GIGA, Requirement("<=", math.floor(ceiling / GIGA * 10) / 10, "Gb/s"), digits=2,
            cause="implausible", reason="this is more than the link or its PCIe lanes can carry, so it is not believed",
            fix="Check that the rail's address is not the host's own, and measure again",
        )  # fmt: skip
        return
    narrow = ceiling is not None and ceiling < floor
    fault = FAULT_BIT_S[0] <= value / rails <= FAULT_BIT_S[1]
    yield Verdict.of(
        name, value / GIGA, Requirement(">=", round(floor / GIGA, 2), "Gb/s"), digits=2,
        cause="13gbit" if fault else "lanes" if narrow else "slow",
        reason=(FAULT_REASON if fault else LANES_REASON.format((ceiling or 0) / GIGA) if narrow else SLOW_REASON)
        + _among([value / GIGA for value in figure.values], "lowest", "Gb/s"),
        fix=FAULT_FIX if fault else LANES_FIX if narrow else SLOW_FIX,
    )  # fmt: skip
    if len(figure.values) > 1:
        yield Verdict.of(
            f"spread of {name}", 100 * figure.spread, Requirement("<=", round(100 * limits.spread, 1), "%"), digits=1,
            blocks=False, reason="the repeats differ much",
            fix="See whether anything else uses the rail, then measure again",
        )  # fmt: skip


def latency(name: str, figure: Figure, limits: Thresholds) -> Iterator[Verdict]:
    """The typical time of a message, and where it was measured the slowest thousandth's."""
    for part, values, limit in (
        ("typical", figure.values, limits.typical_us),
        ("99.9 %", figure.tails, limits.p999_us),
    ):
        if not values:
            continue
        yield Verdict.of(
            f"{name}, {part}", max(values), Requirement("<=", limit, "us"), digits=2, cause="slow",
            reason="messages take longer than they have to" + _among(values, "highest", "us"),
            fix="Look at the CPU governor, at other load on both hosts, and at the link's error counters",
        )  # fmt: skip


def _among(values: Sequence[float], which: str, unit: str) -> str:
    """Which of several repeats a verdict is about, and what they came to otherwise."""
    if len(values) < 2:
        return ""
    return f" (the {which} of {len(values)} repeats, whose median is {median(values):.2f} {unit})"


def measurements(figure: Figure) -> Iterator[Measurement]:
    """The figure as the proof keeps it."""
    unit = "bit/s" if figure.test.endswith("_bw") else "us"
    name = figure.test if unit == "bit/s" else f"{figure.test} typical"
    yield _measurement(name, figure.subject, unit, figure.values)
    if figure.tails:
        yield _measurement(f"{figure.test} 99.9 %", figure.subject, unit, figure.tails)


def _measurement(name: str, subject: str, unit: str, values: Sequence[float]) -> Measurement:
    return Measurement(name, median(values), unit, subject, None, min(values), max(values), len(values))
