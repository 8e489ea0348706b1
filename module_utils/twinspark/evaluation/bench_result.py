"""Results of `vllm bench serve`, the engine's own log lines and nvidia-smi's samples, made into a judgement."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

ACCEPTANCE = re.compile(
    r"SpecDecoding metrics: Mean acceptance length: (?P<length>[\d.]+),.*?"
    r"Accepted: (?P<accepted>\d+) tokens, Drafted: (?P<drafted>\d+) tokens, "
    r"Per-position acceptance rate: (?P<positions>[\d., ]+?)(?:, Avg Draft acceptance rate: (?P<rate>[\d.]+)%)?\s*$"
)
GENERATION = re.compile(r"Avg generation throughput: (?P<rate>[\d.]+) tokens/s, Running: (?P<running>\d+) reqs")

# nvidia-smi's columns as they are asked for, with their units.
POWER = (("power", "W"), ("sm_clock", "MHz"), ("temperature", "degC"), ("utilisation", "%"))


def acceptance(lines: Iterable[str]) -> dict[str, Any]:
    """Speculative decoding from the engine's log: weighted by drafted tokens, empty where it speaks of none.

    Returns accepted and drafted (tokens), rate (0 to 1), length (mean tokens a step) and positions (rate of each).
    """
    found = [match for match in map(ACCEPTANCE.search, lines) if match and int(match["drafted"])]
    drafted = sum(int(match["drafted"]) for match in found)
    if not drafted:
        return {}
    accepted = sum(int(match["accepted"]) for match in found)
    rows = [[float(value) for value in match["positions"].split(",") if value.strip()] for match in found]
    weights = [int(match["drafted"]) / drafted for match in found]
    width = min(map(len, rows))
    return {
        "accepted": accepted,
        "drafted": drafted,
        "rate": round(accepted / drafted, 4),
        "length": round(sum(w * float(match["length"]) for w, match in zip(weights, found, strict=True)), 3),
        "positions": [round(sum(w * row[n] for w, row in zip(weights, rows, strict=True)), 4) for n in range(width)],
    }


def generation_rates(lines: Iterable[str]) -> list[tuple[int, float]]:
    """(requests running, tokens/s) as the engine itself logged them every ten seconds."""
    return [(int(m["running"]), float(m["rate"])) for m in map(GENERATION.search, lines) if m]


def power(text: str) -> dict[str, dict[str, float]]:
    """nvidia-smi's csv samples to mean, lowest and highest of each column; "[N/A]" is no sample."""
    columns: dict[str, list[float]] = {name: [] for name, _ in POWER}
    for line in text.splitlines():
        for (name, _), cell in zip(POWER, line.split(","), strict=False):
            try:
                columns[name].append(float(cell))
            except ValueError:
                continue
    return {
        name: {"mean": round(fmean(values), 2), "min": min(values), "max": max(values)}
        for name, values in columns.items()
        if values
    }


def speculation(case: Mapping[str, Any]) -> dict[str, Any]:
    """Acceptance of one case: the engine's counters before and after where the result has them, else its log."""
    result = case["result"]
    if result.get("spec_decode_draft_tokens"):
        return {
            "accepted": int(result["spec_decode_accepted_tokens"]),
            "drafted": int(result["spec_decode_draft_tokens"]),
            "rate": round(result["spec_decode_accepted_tokens"] / result["spec_decode_draft_tokens"], 4),
            "length": round(float(result["spec_decode_acceptance_length"]), 3),
            "positions": list(result.get("spec_decode_per_position_acceptance_rates") or []),
        }
    return acceptance(case.get("engine_log", []))


def case_measurements(case: Mapping[str, Any], published: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Numbers of one case with units. Rates are of generated tokens, over the whole case."""
    result, label = case["result"], case["label"]
    rate = float(result["output_throughput"])
    rows: list[tuple[str, float | None, str]] = [
        ("throughput_per_request", rate / case["concurrency"], "tokens/s"),
        ("time_to_first_token_median", _seconds(result.get("median_ttft_ms")), "s"),
        ("time_to_first_token_p99", _seconds(result.get("p99_ttft_ms")), "s"),
        ("time_per_output_token_median", _seconds(result.get("median_tpot_ms")), "s"),
        ("output_tokens", result["total_output_tokens"], "tokens"),
        ("input_tokens", result["total_input_tokens"], "tokens"),
        ("duration", result["duration"], "s"),
    ]
    spec = speculation(case)
    if spec:
        rows += [("acceptance_length", spec["length"], "tokens"), ("acceptance_rate", spec["rate"], "1")]
    for name, unit in POWER:
        if name in case.get("power", {}):
            rows.append((name, case["power"][name]["mean"], unit))
    first: dict[str, Any] = {"name": "throughput", "subject": label, "value": round(rate, 3), "unit": "tokens/s"}
    if published:
        first["published"] = published["rate"]
    return [first] + [
        {"name": name, "subject": label, "value": round(float(value), 6), "unit": unit}
        for name, value, unit in rows
        if value is not None
    ]


def case_verdicts(case: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A case counts when every request was answered, with tokens."""
    result, label = case["result"], case["label"]
    if not result:
        return [
            {
                "name": f"{label}: measured",
                "ok": False,
                "reason": case.get("error") or "vllm bench serve left no result",
                "fix": "see the job's log; `twinspark status` tells whether the service answers",
            }
        ]
    return [
        {
            "name": f"{label}: requests answered",
            "ok": result["completed"] == case["prompts"] and result["total_output_tokens"] > 0,
            "measured": result["completed"],
            "required": case["prompts"],
            "unit": "requests",
            "reason": f"{result['total_output_tokens']} tokens were generated",
            "fix": "see the engine's log: journalctl -u twinspark-vllm",
        }
    ]


def judge(results: Sequence[Mapping[str, Any]], published: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Measurements, verdicts and evidence, as `twinspark_proof` takes them.

    `results`: a case each, with label, concurrency, prompts, `result` (vLLM's JSON, or empty), engine_log (lines),
    power (as `power` gives it). `published`: {label, rate (tokens/s), source}.
    """
    known = {str(entry["label"]): entry for entry in published}
    measured = [case for case in results if case["result"]]
    rates = {case["label"]: round(float(case["result"]["output_throughput"]), 3) for case in measured}
    return {
        "verdicts": [verdict for case in results for verdict in case_verdicts(case)],
        "measurements": [m for case in measured for m in case_measurements(case, known.get(case["label"]))],
        "evidence": {
            "comparison": [
                {
                    "label": label,
                    "source": known[label].get("source", ""),
                    "published": known[label]["rate"],
                    "measured": rate,
                    "difference": round(rate - known[label]["rate"], 3),
                    "unit": "tokens/s",
                }
                for label, rate in rates.items()
                if label in known
            ],
            "acceptance": {case["label"]: spec for case in measured if (spec := speculation(case))},
            "engine_rates": {case["label"]: generation_rates(case.get("engine_log", [])) for case in measured},
            "power": {case["label"]: case["power"] for case in measured if case.get("power")},
        },
    }


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
