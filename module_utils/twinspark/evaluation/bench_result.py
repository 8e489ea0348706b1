"""Results of `vllm bench serve`, the engine's own log lines and nvidia-smi's samples, made into a judgement."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from ..proof.foreign import LONGEST_LINE, decimal, whole
from ..proof.json_form import Json, to_json
from ..proof.values import Findings, Measurement, Requirement, Verdict

ACCEPTANCE = re.compile(
    r"SpecDecoding metrics: Mean acceptance length: (?P<length>[\d.]+),.*?"
    r"Accepted: (?P<accepted>\d+) tokens, Drafted: (?P<drafted>\d+) tokens, "
    r"Per-position acceptance rate: (?P<positions>[\d., ]+?)(?:, Avg Draft acceptance rate: (?P<rate>[\d.]+)%)?\s*$"
)
GENERATION = re.compile(r"Avg generation throughput: (?P<rate>[\d.]+) tokens/s, Running: (?P<running>\d+) reqs")

# nvidia-smi's columns as they are asked for, with their units.
POWER = (("power", "W"), ("sm_clock", "MHz"), ("temperature", "degC"), ("utilisation", "%"))


@dataclass(frozen=True, slots=True)
class Published:
    """A figure that somebody published for the case of that label; rate: generated tokens/s."""

    label: str
    rate: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class Speculation:
    """Speculative decoding of one case. accepted, drafted: tokens; rate: 0 to 1; length: mean tokens a step.

    positions: the rate at each place in a draft.
    """

    accepted: int
    drafted: int
    rate: float
    length: float
    positions: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Samples:
    """One column of nvidia-smi's over a case, in the column's unit."""

    mean: float
    min: float
    max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Json):
    """What this project reads of the JSON that `vllm bench serve` leaves. duration: s; throughput: tokens/s."""

    called = "result"

    completed: int
    duration: float
    total_input_tokens: int
    total_output_tokens: int
    output_throughput: float
    median_ttft_ms: float | None = None
    p99_ttft_ms: float | None = None
    median_tpot_ms: float | None = None
    spec_decode_draft_tokens: int | None = None
    spec_decode_accepted_tokens: int | None = None
    spec_decode_acceptance_length: float | None = None
    spec_decode_per_position_acceptance_rates: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """One case with all that was kept of it; `result` is None where vLLM left none."""

    label: str
    concurrency: int
    prompts: int
    result: Result | None
    engine_log: Sequence[str] = ()
    power: Mapping[str, Samples] = field(default_factory=dict)


def acceptance(lines: Iterable[str]) -> Speculation | None:
    """Speculative decoding from the engine's log, weighted by drafted tokens; None where it speaks of none."""
    found = [said for said in map(_speculation, lines) if said]
    drafted = sum(said.drafted for said in found)
    if not drafted:
        return None
    accepted = sum(said.accepted for said in found)
    weights = [said.drafted / drafted for said in found]
    width = min(len(said.positions) for said in found)
    return Speculation(
        accepted=accepted,
        drafted=drafted,
        rate=round(accepted / drafted, 4),
        length=round(sum(w * said.length for w, said in zip(weights, found, strict=True)), 3),
        positions=tuple(
            round(sum(w * said.positions[n] for w, said in zip(weights, found, strict=True)), 4) for n in range(width)
        ),
    )


def _speculation(line: str) -> Speculation | None:
    """What one line says; None for a line of another kind, or with something else where numbers belong."""
    match = ACCEPTANCE.search(line[:LONGEST_LINE])
    if not match:
        return None
    accepted, drafted, length = whole(match["accepted"]), whole(match["drafted"]), decimal(match["length"])
    positions = [decimal(value.strip()) for value in match["positions"].split(",") if value.strip()]
    known = tuple(value for value in positions if value is not None)
    if accepted is None or not drafted or length is None or len(known) < len(positions):
        return None
    return Speculation(accepted, drafted, accepted / drafted, length, known)


def generation_rates(lines: Iterable[str]) -> list[tuple[int, float]]:
    """(requests running, tokens/s) as the engine itself logged them every ten seconds."""
    found = (m for line in lines if (m := GENERATION.search(line[:LONGEST_LINE])))
    read = ((whole(m["running"]), decimal(m["rate"])) for m in found)
    return [(running, rate) for running, rate in read if running is not None and rate is not None]


def power(text: str) -> dict[str, Samples]:
    """nvidia-smi's csv samples by column; "[N/A]" is no sample."""
    columns: dict[str, list[float]] = {name: [] for name, _ in POWER}
    for line in text.splitlines():
        for (name, _), cell in zip(POWER, line.split(","), strict=False):
            value = decimal(cell.strip())
            if value is not None:
                columns[name].append(value)
    return {
        name: Samples(round(fmean(values), 2), min(values), max(values)) for name, values in columns.items() if values
    }


def speculation(case: Measured) -> Speculation | None:
    """Acceptance of one case: the engine's counters before and after where the result has them, else its log."""
    result = case.result
    if result and result.spec_decode_draft_tokens:
        drafted, accepted = result.spec_decode_draft_tokens, result.spec_decode_accepted_tokens
        length, positions = result.spec_decode_acceptance_length, result.spec_decode_per_position_acceptance_rates
        if accepted is not None and length is not None:
            return Speculation(accepted, drafted, round(accepted / drafted, 4), round(length, 3), positions or ())
    return acceptance(case.engine_log)


def case_measurements(case: Measured, result: Result, published: Published | None) -> list[Measurement]:
    """Numbers of one case with units. Rates are of generated tokens, over the whole case."""
    rate = result.output_throughput
    rows: list[tuple[str, float | None, str]] = [
        ("throughput_per_request", rate / case.concurrency, "tokens/s"),
        ("time_to_first_token_median", _seconds(result.median_ttft_ms), "s"),
        ("time_to_first_token_p99", _seconds(result.p99_ttft_ms), "s"),
        ("time_per_output_token_median", _seconds(result.median_tpot_ms), "s"),
        ("output_tokens", result.total_output_tokens, "tokens"),
        ("input_tokens", result.total_input_tokens, "tokens"),
        ("duration", result.duration, "s"),
    ]
    if spec := speculation(case):
        rows += [("acceptance_length", spec.length, "tokens"), ("acceptance_rate", spec.rate, "1")]
    rows += [(name, case.power[name].mean, unit) for name, unit in POWER if name in case.power]
    first = Measurement(
        "throughput", round(rate, 3), "tokens/s", case.label, published=published.rate if published else None
    )
    return [first] + [
        Measurement(name, round(float(value), 6), unit, case.label) for name, value, unit in rows if value is not None
    ]


def case_verdicts(case: Measured) -> list[Verdict]:
    """A case counts when every request was answered, with tokens."""
    if not case.result:
        return [
            Verdict.of(
                f"{case.label}: measured",
                None,
                Requirement(">=", case.prompts, "requests"),
                reason="vllm bench serve left no result",
                fix="see the job's log; `twinspark status` tells whether the service answers",
            )
        ]
    fix = "see the engine's log: journalctl -u twinspark-vllm"
    return [
        Verdict.of(
            f"{case.label}: requests answered",
            case.result.completed,
            Requirement("==", case.prompts, "requests"),
            reason=f"{case.result.total_output_tokens} tokens were generated",
            fix=fix,
        ),
        Verdict.of(
            f"{case.label}: tokens generated",
            case.result.total_output_tokens,
            Requirement(">", 0, "tokens"),
            reason="the requests were answered without a token",
            fix=fix,
        ),
    ]


@dataclass(frozen=True, slots=True)
class Row:
    """A case beside the published figure; all in `unit`, difference: measured minus published."""

    label: str
    source: str
    published: float
    measured: float
    difference: float
    unit: str = "tokens/s"


def compared(label: str, rate: float, published: Published) -> Row:
    """One row of the comparison."""
    rate = round(rate, 3)
    return Row(label, published.source, published.rate, rate, round(rate - published.rate, 3))


def judge(cases: Sequence[Measured], published: Sequence[Published]) -> Findings:
    """What a proof of the stage is made of."""
    known = {entry.label: entry for entry in published}
    measured = [(case, case.result) for case in cases if case.result]
    evidence: dict[str, Any] = {
        "comparison": [
            compared(case.label, result.output_throughput, known[case.label])
            for case, result in measured
            if case.label in known
        ],
        "acceptance": {case.label: spec for case, _ in measured if (spec := speculation(case))},
        "engine_rates": {case.label: generation_rates(case.engine_log) for case, _ in measured},
        "power": {case.label: case.power for case, _ in measured if case.power},
    }
    return Findings(
        verdicts=tuple(verdict for case in cases for verdict in case_verdicts(case)),
        measurements=tuple(
            m for case, result in measured for m in case_measurements(case, result, known.get(case.label))
        ),
        evidence=to_json(evidence),
    )


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
