"""Judging what was measured, without mercy: a figure that is missing, too low, or too good to be true stops the line.

Thresholds are in bit/s and microseconds. Runs are what twinspark_perftest returns, clients and servers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from .causes import QUEUE_PAIRS_REFUSED, named
from .devices import Facts, Verdict, capacity, judge, verdict
from .perftest_run import worst

GIGA = 1e9
# A GB10's NIC that got too little power at boot moves 8 to 25 Gb/s over a link that looks perfect (the 13 Gb/s fault).
FAULT_BIT_S = (8e9, 25e9)
FAULT_REASON = "this is the 13 Gb/s fault: the link, PCIe and counters look healthy, and only a bandwidth test sees it"
FAULT_CURE = "Reboot both with the cable in; else shut both down, pull AC for 60 s or more, and measure again"
SLOW_CURE = "Look at the PCIe width, the MTU of both ends, ip -s link, and whether anything else uses the rail"


@dataclass(frozen=True)
class Thresholds:
    """bit/s, microseconds and fractions of one."""

    rail_bit_s: float
    together_bit_s: float
    fraction: float
    typical_us: float
    p999_us: float
    spread: float

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Thresholds:
        return cls(**{name: float(given[name]) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Figure:
    """The repeats of one test in one direction over one rail: their median and their spread."""

    test: str
    subject: str
    values: tuple[float, ...]
    tails: tuple[float, ...] = ()

    @property
    def value(self) -> float:
        return median(self.values)

    @property
    def spread(self) -> float:
        """(highest - lowest) / median."""
        return (max(self.values) - min(self.values)) / self.value


def report(
    fabric: Sequence[Mapping[str, Any]],
    plan: Mapping[str, Any],
    facts: Mapping[str, Facts],
    runs: Mapping[str, Sequence[Mapping[str, Any]]],
    given: Mapping[str, Any],
) -> dict[str, Any]:
    """verdicts, measurements, simulated and evidence for the proof.

    facts: `before` and `after`, by host. runs: `client` and `server`. given: the thresholds and `sysfs_root`.
    """
    planned = [run for run in runs["client"] if run.get("skipped") and not run.get("cause")]
    if planned:
        return _planned(plan)
    limits = Thresholds.of(given)
    tests = sorted({run["test"] for step in plan["steps"] for run in step["runs"]}) or ["write_bw"]
    tools = [f"ib_{test}" for test in tests]
    ends = _pair(runs["client"], runs["server"])
    found = judge(fabric, facts["before"], tools)
    figures: list[dict[str, Any]] = []
    for step in plan["steps"]:
        verdicts, measurements = _step(step, ends, limits, _ceilings(fabric, step, facts["before"]))
        found += verdicts
        figures += measurements
    found += _skipped(plan["skipped"])
    found += _changed(fabric, facts)
    if len(fabric) < 2:
        found.append(verdict("fabric of one host", True, measured="one host", required="nothing between hosts"))
    return {
        "verdicts": found,
        "measurements": figures,
        "simulated": simulated(facts["before"], tools, str(given.get("sysfs_root", "/"))),
        "evidence": {
            "estimate_seconds": plan["seconds"],
            "facts": {host: fact.get("devices") for host, fact in facts["before"].items()},
            "tools": {host: fact.get("tools") for host, fact in facts["before"].items()},
            "runs": [_kept(run) for run in (*runs["client"], *runs["server"]) if "client" in ends[run["key"]]],
        },
    }


def _planned(plan: Mapping[str, Any]) -> dict[str, Any]:
    """What check mode can say: nothing was measured, and that much would be."""
    text = f"{plan['runs']} runs, about {plan['seconds']} s"
    verdicts = [verdict("measurement", True, blocks=False, measured="nothing in check mode", required=text)]
    return {"verdicts": verdicts, "measurements": [], "simulated": [], "evidence": {}}


_KEPT = ("key", "side", "unit", "port", "argv", "exit_code", "result", "took", "rows", "warnings", "cause", "text",
         "replaced")  # fmt: skip


def _kept(run: Mapping[str, Any]) -> dict[str, Any]:
    """What a proof keeps of a run: everything that it printed, and its figures without the empty columns."""
    rows = [{key: value for key, value in row.items() if value is not None} for row in run.get("rows") or []]
    return {key: run[key] for key in _KEPT if run.get(key) is not None} | {"rows": rows}


def simulated(facts: Facts, tools: Iterable[str], sysfs_root: str) -> list[str]:
    """Sentences about what was not the real thing: tools that no package owns, facts from a recorded tree."""
    strange: dict[tuple[str, str], list[str]] = {}
    for host, fact in facts.items():
        for name in tools:
            tool = fact.get("tools", {}).get(name, {})
            if tool.get("path") and tool.get("package") != "perftest":
                strange.setdefault((name, tool["path"]), []).append(host)
    sentences = [
        f"{name} at {path} on {', '.join(hosts)} is not the perftest package's: its figures are not taken for measured"
        for (name, path), hosts in sorted(strange.items())
    ]
    if sysfs_root != "/":
        sentences.append(f"the RDMA devices are those of the recorded tree {sysfs_root}")
    return sentences


def _pair(clients: Iterable[Mapping[str, Any]], servers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Client and server of each run, by key."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for side, runs in (("client", clients), ("server", servers)):
        for run in runs:
            found.setdefault(run["key"], {})[side] = run
    return found


def _ceilings(fabric: Sequence[Mapping[str, Any]], step: Mapping[str, Any], facts: Facts) -> list[float | None]:
    """What each rail of the step can carry, by the weaker of its two ends."""
    ceilings = []
    for name in step["rails"]:
        ends = [
            capacity(facts[entry["host"]].get("devices", {}).get(rail["hca"]))
            for entry in fabric
            if entry["host"] in (step["client"], step["server"])
            for rail in entry["rails"]
            if rail["name"] == name
        ]
        ceilings.append(None if None in ends or not ends else min(end for end in ends if end))
    return ceilings


def _step(
    step: Mapping[str, Any], ends: Mapping[str, Any], limits: Thresholds, ceilings: Sequence[float | None]
) -> tuple[list[Verdict], list[dict[str, Any]]]:
    verdicts: list[Verdict] = []
    measurements: list[dict[str, Any]] = []
    for test in dict.fromkeys(run["test"] for run in step["runs"]):
        tried = [run for kind in ("runs", "spares") for run in step[kind] if run["test"] == test]
        mine = [run for run in tried if _counts(run, ends)]
        cause = worst(
            ends.get(run["key"], {}).get(side, {}).get("cause") for run in mine for side in ("client", "server")
        )
        groups = [
            _group(ends, [run for run in mine if run["group"] == number]) for number in {r["group"] for r in mine}
        ]
        rows = [group for group in groups if group]
        name = f"{test} {step['subject']}"
        verdicts += _refused(name, {run["group"] for run in tried if _replaced(run, ends)})
        if cause or not rows:
            verdicts.append(_failed(name, cause, mine, ends))
            continue
        if test.endswith("_bw"):
            figure = Figure(test, step["subject"], tuple(sum(row["average_bit_s"] for row in group) for group in rows))
            verdicts += _bandwidth(name, figure, limits, ceilings)
        else:
            typical = [max(row["typical_us"] or row["average_us"] for row in group) for group in rows]
            tails = [max(row["p999_us"] or 0 for row in group) for group in rows]
            figure = Figure(test, step["subject"], tuple(typical), tuple(tails))
            verdicts += _latency(name, figure, limits)
        measurements += _measurements(figure)
    return verdicts, measurements


def _replaced(run: Mapping[str, Any], ends: Mapping[str, Any]) -> bool:
    return bool(ends.get(run["key"], {}).get("client", {}).get("replaced"))


def _counts(run: Mapping[str, Any], ends: Mapping[str, Any]) -> bool:
    """Whether a run is judged: not one whose place a spare took, nor a spare that was not needed."""
    return not _replaced(run, ends) and ("client" in ends.get(run["key"], {}) or not run.get("spare"))


def _refused(name: str, groups: Collection[int]) -> Iterator[Verdict]:
    """A remark on the attempts whose place a spare took: it is perftest's fault, not the fabric's."""
    if groups:
        cause = named(QUEUE_PAIRS_REFUSED)
        yield verdict(f"connections of {name}", False, blocks=False, measured=f"{len(groups)} refused",
                      required="none refused", cause=cause.name, reason=cause.meaning, fix=cause.fix)  # fmt: skip


def _group(ends: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The client's last row of every run of a group; nothing when one of them has none."""
    rows = [ends.get(run["key"], {}).get("client", {}).get("rows") or [] for run in runs]
    return [row[-1] for row in rows] if all(rows) else []


def _failed(name: str, cause: Mapping[str, Any] | None, runs: Sequence[Any], ends: Mapping[str, Any]) -> Verdict:
    if not cause:
        texts = [ends.get(run["key"], {}).get("client", {}).get("warnings") or [] for run in runs]
        why = "; ".join(dict.fromkeys(warning for text in texts for warning in text))
        return verdict(name, False, measured="nothing", required="a measurement", cause="invalid",
                       reason=f"no valid figure was measured{f' ({why})' if why else ''}",
                       fix="Run the command by hand; it is in the proof's evidence")  # fmt: skip
    line = f" ({cause['line']})" if cause.get("line") else ""
    return verdict(
        name, False, measured="nothing", required="a measurement", cause=cause["name"],
        reason=f"{cause['name']}: {cause['meaning']}{line}", fix=cause["fix"],
    )  # fmt: skip


def _bandwidth(name: str, figure: Figure, limits: Thresholds, ceilings: Sequence[float | None]) -> Iterator[Verdict]:
    known = [ceiling for ceiling in ceilings if ceiling]
    ceiling = sum(known) if len(known) == len(ceilings) else None
    rails = len(ceilings)
    floor = limits.together_bit_s if rails > 1 else limits.rail_bit_s
    if ceiling and rails == 1:
        floor = max(floor, limits.fraction * ceiling)
    value = figure.value
    more: dict[str, Any] = {
        "measured": round(value / GIGA, 2),
        "required": f"at least {round(floor / GIGA, 2)}",
        "unit": "Gb/s",
    }
    if ceiling and max(figure.values) > ceiling:
        more["required"] = f"at most {ceiling / GIGA:.1f}"
        yield verdict(name, False, **more, cause="implausible",
                      reason="this is more than the link or its PCIe lanes can carry, so it is not believed",
                      fix="Check that the rail's address is not the host's own, and measure again")  # fmt: skip
        return
    slow = value < floor
    fault = slow and FAULT_BIT_S[0] <= value / rails <= FAULT_BIT_S[1]
    yield verdict(
        name, not slow, **more, **({"cause": "13gbit" if fault else "slow"} if slow else {}),
        reason=FAULT_REASON if fault else "the rail is slower than it has to be",
        fix=FAULT_CURE if fault else SLOW_CURE,
    )  # fmt: skip
    if len(figure.values) > 1:
        yield verdict(
            f"spread of {name}", figure.spread <= limits.spread, blocks=False,
            measured=round(100 * figure.spread, 1), required=f"at most {100 * limits.spread:.0f}", unit="%",
            reason="the repeats differ much", fix="See whether anything else uses the rail, then measure again",
        )  # fmt: skip


def _latency(name: str, figure: Figure, limits: Thresholds) -> Iterator[Verdict]:
    parts = [("typical", figure.value, limits.typical_us)]
    if any(figure.tails):
        parts.append(("99.9 %", median(figure.tails), limits.p999_us))
    for part, value, limit in parts:
        slow = value > limit
        yield verdict(
            f"{name}, {part}", not slow, measured=round(value, 2), required=f"at most {limit:g}", unit="us",
            **({"cause": "slow"} if slow else {}),
            reason="messages take longer than they have to",
            fix="Look at the CPU governor, at other load on both hosts, and at the link's error counters",
        )  # fmt: skip


def _measurements(figure: Figure) -> Iterator[dict[str, Any]]:
    unit = "bit/s" if figure.test.endswith("_bw") else "us"
    name = figure.test if unit == "bit/s" else f"{figure.test} typical"
    yield {
        "name": name, "subject": figure.subject, "value": figure.value, "unit": unit,
        "repeats": len(figure.values), "lowest": min(figure.values), "highest": max(figure.values),
    }  # fmt: skip
    if any(figure.tails):
        yield {"name": f"{figure.test} 99.9 %", "subject": figure.subject, "value": median(figure.tails), "unit": unit,
               "repeats": len(figure.tails), "lowest": min(figure.tails), "highest": max(figure.tails)}  # fmt: skip


def _skipped(skipped: Mapping[str, str]) -> Iterator[Verdict]:
    for subject, why in skipped.items():
        # It does not block: the verdict on the rail itself does, with the fix.
        yield verdict(f"measurement of {subject}", False, blocks=False, measured="nothing", required="a measurement",
                      reason=f"it was not tried: {why}", fix="See the verdict on that rail")  # fmt: skip


def _changed(fabric: Sequence[Mapping[str, Any]], facts: Mapping[str, Facts]) -> Iterator[Verdict]:
    """A link that was there before and is gone after the measurements."""
    for entry in fabric:
        for rail in entry["rails"]:
            before, after = (
                facts[when][entry["host"]].get("devices", {}).get(rail["hca"], {}).get("state")
                for when in ("before", "after")
            )
            if before == "ACTIVE" and after != before:
                yield verdict(f"{rail['name']} on {entry['host']} after the measurements", False, measured=after,
                              required=before, cause="port_down", reason="the link went down while it was measured",
                              fix="Reseat the cable on both hosts; look at dmesg")  # fmt: skip
