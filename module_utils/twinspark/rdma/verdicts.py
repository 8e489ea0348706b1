"""Judging what was measured, without mercy: a figure that is missing, too low, or too good to be true stops the line.

Runs are what twinspark_perftest returns, clients and servers. What a figure must be: figures.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..inventory.fabric import Host
from ..proof.json_form import SPARSE, to_json
from ..proof.values import Findings, Measurement, Requirement, Verdict
from .causes import LOST, Cause, named
from .devices import ACTIVE, GONE_FIX, Facts, capacity, gone, judge
from .facts import Tool
from .figures import Figure, Thresholds, bandwidth, latency, measurements
from .perftest import Row
from .perftest_run import worst
from .plan import Plan, Run, Step


@dataclass(frozen=True, slots=True)
class Looks:
    """The facts of all hosts, before the measurements and after them."""

    before: Facts
    after: Facts


@dataclass(frozen=True, slots=True)
class Done:
    """One end of a run as twinspark_perftest returns it. replaced: by a spare; skipped: it was not tried."""

    key: str
    side: str = field(default="", metadata=SPARSE)
    unit: str | None = field(default=None, metadata=SPARSE)
    port: int | None = field(default=None, metadata=SPARSE)
    argv: tuple[str, ...] = field(default=(), metadata=SPARSE)
    exit_code: int | None = field(default=None, metadata=SPARSE)
    result: str | None = field(default=None, metadata=SPARSE)
    took: float | None = field(default=None, metadata=SPARSE)
    rows: tuple[Row, ...] = ()
    warnings: tuple[str, ...] = field(default=(), metadata=SPARSE)
    cause: Cause | None = field(default=None, metadata=SPARSE)
    text: str | None = field(default=None, metadata=SPARSE)
    replaced: bool = field(default=False, metadata=SPARSE)
    skipped: bool = field(default=False, metadata=SPARSE)

    def kept(self) -> dict[str, Any]:
        """What a proof keeps of it: everything that it printed, and its figures without the empty columns."""
        rows = [{name: value for name, value in to_json(row).items() if value is not None} for row in self.rows]
        return {**to_json(replace(self, skipped=False)), "rows": rows}


NOTHING = Done("")  # a run of which an end never came


@dataclass(frozen=True, slots=True)
class Runs:
    """Both ends of every run."""

    client: tuple[Done, ...]
    server: tuple[Done, ...]


def report(fabric: Sequence[Host], plan: Plan, facts: Looks, runs: Runs, limits: Thresholds) -> Findings:
    """What the proof of the rdma stage is made of."""
    if any(run.skipped and not run.cause for run in runs.client):
        return _planned(plan)
    tests = sorted({run.test for step in plan.steps for run in step.runs}) or ["write_bw"]
    tools = [f"ib_{test}" for test in tests]
    ends = Ends({run.key: run for run in runs.client}, {run.key: run for run in runs.server})
    found = judge(fabric, facts.before, tools)
    figures: list[Measurement] = []
    for step in plan.steps:
        verdicts, measured = _step(step, ends, limits, _ceilings(fabric, step, facts.before))
        found += verdicts
        figures += measured
    found += [*_skipped(plan.skipped), *_changed(fabric, facts)]
    if len(fabric) < 2:
        found.append(Verdict.told("fabric of one host", True, "one host", "nothing between hosts"))
    return Findings(
        tuple(found),
        tuple(figures),
        evidence={
            "estimate_seconds": plan.seconds,
            "facts": {host: to_json(fact.devices) for host, fact in facts.before.items()},
            "tools": {host: to_json(fact.tools) for host, fact in facts.before.items()},
            "runs": [run.kept() for run in (*runs.client, *runs.server) if run.key in ends.clients],
        },
        simulated=tuple(simulated(facts.before, tools, limits.sysfs_root)),
    )


def _planned(plan: Plan) -> Findings:
    """What check mode can say: nothing was measured, and that much would be."""
    text = f"{plan.runs} runs, about {plan.seconds} s"
    return Findings((Verdict.told("measurement", True, "nothing in check mode", text, blocks=False),))


@dataclass(frozen=True, slots=True)
class Ends:
    """The two ends of each run, by its key."""

    clients: Mapping[str, Done]
    servers: Mapping[str, Done]

    def client(self, run: Run) -> Done:
        """The client's end; an empty one where it never came."""
        return self.clients.get(run.key, NOTHING)

    def causes(self, run: Run) -> list[Cause | None]:
        """What the two ends name."""
        return [self.client(run).cause, self.servers.get(run.key, NOTHING).cause]


def simulated(facts: Facts, tools: Iterable[str], sysfs_root: str) -> list[str]:
    """Sentences about what was not the real thing: tools that no package owns, facts from a recorded tree."""
    strange: dict[tuple[str, str], list[str]] = {}
    for host, fact in facts.items():
        for name in tools:
            tool = fact.tools.get(name, Tool())
            if tool.path and tool.package != "perftest":
                strange.setdefault((name, tool.path), []).append(host)
    sentences = [
        f"{name} at {path} on {', '.join(hosts)} is not the perftest package's: its figures are not taken for measured"
        for (name, path), hosts in sorted(strange.items())
    ]
    if sysfs_root != "/":
        sentences.append(f"the RDMA devices are those of the recorded tree {sysfs_root}")
    return sentences


def _ceilings(fabric: Sequence[Host], step: Step, facts: Facts) -> list[float | None]:
    """What each rail of the step can carry, by the weaker of its two ends."""
    ceilings = []
    for name in step.rails:
        ends = [
            capacity(facts[entry.host].device(rail.hca))
            for entry in fabric
            if entry.host in (step.client, step.server)
            for rail in entry.rails
            if rail.name == name
        ]
        known = [end for end in ends if end]
        ceilings.append(min(known) if known and len(known) == len(ends) else None)
    return ceilings


def _step(
    step: Step, ends: Ends, limits: Thresholds, ceilings: Sequence[float | None]
) -> tuple[list[Verdict], list[Measurement]]:
    verdicts: list[Verdict] = []
    found: list[Measurement] = []
    for test in dict.fromkeys(run.test for run in step.runs):
        tried = [run for run in (*step.runs, *step.spares) if run.test == test]
        mine = [run for run in tried if _counts(run, ends)]
        cause = worst(cause for run in mine for cause in ends.causes(run))
        numbers = sorted({run.group for run in mine})
        groups = [[ends.client(run).rows for run in mine if run.group == number] for number in numbers]
        figure = None if cause else _figure(test, step.subject, groups)
        name = f"{test} {step.subject}"
        verdicts += _replaced(name, [run for run in tried if ends.client(run).replaced], ends)
        if not figure:
            verdicts.append(_failed(name, cause, mine, ends))
            continue
        verdicts += bandwidth(name, figure, limits, ceilings) if test.endswith("_bw") else latency(name, figure, limits)
        found += measurements(figure)
    return verdicts, found


def _counts(run: Run, ends: Ends) -> bool:
    """Whether a run is judged: not one whose place a spare took, nor a spare that was not needed."""
    return not ends.client(run).replaced and (run.key in ends.clients or not run.spare)


def _replaced(name: str, runs: Sequence[Run], ends: Ends) -> Iterator[Verdict]:
    """A remark on the attempts whose place a spare took: it is perftest's fault, not the fabric's."""
    for known in LOST:
        causes = [(run.group, ends.client(run).cause) for run in runs]
        if groups := {group for group, cause in causes if cause and cause.name == known}:
            cause = named(known)
            yield Verdict.told(f"attempts of {name}", False, f"{len(groups)} lost", "none lost", blocks=False,
                               cause=cause.name, reason=cause.meaning, fix=cause.fix)  # fmt: skip


def _figure(test: str, subject: str, groups: Sequence[Sequence[Sequence[Row]]]) -> Figure | None:
    """A value for each group, of the rows that each of its runs printed; None where one has no such figure.

    The worst row of a run counts. Bandwidths of the runs of a group are added: they went at the same time.
    """
    worst_of = [[_worst(test, rows) for rows in group] for group in groups]
    known = [[value for value in group if value] for group in worst_of]
    if not known or known != worst_of:
        return None
    tails = [[row.p999_us for rows in group for row in rows if row.p999_us] for group in groups]
    return Figure(
        test,
        subject,
        tuple(sum(group) if test.endswith("_bw") else max(group) for group in known),
        tuple(max(group) for group in tails if group),
    )


def _worst(test: str, rows: Sequence[Row]) -> float | None:
    """The worst row's bit/s or microseconds; None where a row has none, or where there is no row."""
    rate = test.endswith("_bw")
    values = [row.average_bit_s if rate else row.typical_us or row.average_us for row in rows]
    known = [value for value in values if value]
    return (min if rate else max)(known) if known and len(known) == len(values) else None


def _failed(name: str, cause: Cause | None, runs: Sequence[Run], ends: Ends) -> Verdict:
    if not cause:
        why = "; ".join(dict.fromkeys(warning for run in runs for warning in ends.client(run).warnings))
        return Verdict.told(name, False, "nothing", "a measurement", cause="invalid",
                            reason=f"no valid figure was measured{f' ({why})' if why else ''}",
                            fix="Run the command by hand; it is in the proof's evidence")  # fmt: skip
    line = f" ({cause.line})" if cause.line else ""
    return Verdict.told(name, False, "nothing", "a measurement", cause=cause.name,
                        reason=f"{cause.name}: {cause.meaning}{line}", fix=cause.fix)  # fmt: skip


def _skipped(skipped: Mapping[str, str]) -> Iterator[Verdict]:
    for subject, why in skipped.items():
        # It does not block: the verdict on the rail itself does, with the fix.
        yield Verdict.told(f"measurement of {subject}", False, "nothing", "a measurement", blocks=False,
                           reason=f"it was not tried: {why}", fix="See the verdict on that rail")  # fmt: skip


def _changed(fabric: Sequence[Host], facts: Looks) -> Iterator[Verdict]:
    """A link or a function that was there before and is gone after the measurements."""
    for entry in fabric:
        if missing := gone(facts.before[entry.host], facts.after[entry.host]):
            yield Verdict.of(f"PCI functions on {entry.host} after the measurements", f"no {', '.join(missing)}",
                             Requirement("==", "all there"), cause="function_gone",
                             reason="they vanished while the fabric was measured", fix=GONE_FIX)  # fmt: skip
        for rail in entry.rails:
            before, after = (look[entry.host].device(rail.hca).state for look in (facts.before, facts.after))
            if before == "ACTIVE" and after != before:
                yield Verdict.of(f"{rail.name} on {entry.host} after the measurements", after, ACTIVE,
                                 cause="port_down", reason="the link went down while it was measured",
                                 fix="Reseat the cable on both hosts; look at dmesg")  # fmt: skip
