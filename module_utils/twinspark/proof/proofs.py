"""Proofs: the one JSON document that a stage leaves, and the judgement whether it still holds.

A proof is bound to the inputs it was made from by a digest; it goes stale when they change, when the proof before
it changed, or, for stages bound to a boot, when a host was rebooted. Nothing here does I/O but `load` and `dump`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .numbers import figure

SCHEMA = 1
STAGES = ("preflight", "network", "rdma", "weights", "image", "serve", "evaluate", "benchmark")

# The parts of every proof, as `build` makes them, and their types; what `build` asks of the entries of two of them.
PARTS: dict[str, Any] = {
    "host": str,
    "written": str,
    "boot_ids": dict,
    "inputs": dict,
    "inputs_digest": str,
    "predecessor": (dict, type(None)),
    "overrides": list,
    "simulated": list,
    "measurements": list,
    "verdicts": list,
    "verdict": str,
    "reasons": list,
    "evidence": dict,
}
ENTRIES = {"verdicts": {"name", "ok"}, "measurements": {"name", "value", "unit"}}

Proof = dict[str, Any]


class ProofError(ValueError):
    """A proof file that can't be read as one; the message says which and what to do."""


@dataclass(frozen=True)
class Freshness:
    """Whether a proof may be relied on; `reason` is one clause, empty when fresh."""

    fresh: bool
    reason: str = ""


def digest(inputs: Mapping[str, Any]) -> str:
    """sha256 of the inputs' canonical JSON, as `sha256:HEX`. Key order and white space don't count."""
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def previous_stage(stage: str) -> str | None:
    """The stage whose proof `stage` stands on; None for the first. Benchmark and evaluate both stand on serve."""
    if stage not in STAGES:
        raise ProofError(f"unknown stage {stage!r}: expected one of {', '.join(STAGES)}")
    if stage == "benchmark":
        return "serve"
    index = STAGES.index(stage)
    return STAGES[index - 1] if index else None


def path_of(directory: str | Path, stage: str) -> Path:
    """Where the proof of `stage` lies."""
    return Path(directory) / f"{stage}.json"


def load(directory: str | Path, stage: str) -> Proof | None:
    """The proof of `stage`, None when there is none, ProofError when the file is not a proof."""
    path = path_of(directory, stage)
    try:
        proof = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ProofError(f"{path} can't be read as a proof ({error}); remove it and run the stage again") from error
    if not isinstance(proof, dict) or proof.get("schema") != SCHEMA or proof.get("stage") != stage:
        raise ProofError(f"{path} is not a proof of stage {stage} (schema {SCHEMA}); remove it and run the stage again")
    wrong = misshapen(proof)
    if wrong:
        raise ProofError(f"{path} is no whole proof ({wrong} is missing or odd); remove it and run the stage again")
    return proof


def misshapen(proof: Mapping[str, Any]) -> str:
    """The first part of a proof that is not there or not of its type; empty for a whole one."""
    for part, kind in PARTS.items():
        if part not in proof or not isinstance(proof[part], kind):
            return part
    for part, keys in ENTRIES.items():
        if not all(isinstance(entry, Mapping) and keys <= set(entry) for entry in proof[part]):
            return part
    link = proof["predecessor"]
    return "" if link is None or {"stage", "inputs_digest"} <= set(link) else "predecessor"


def load_all(directory: str | Path) -> dict[str, Proof]:
    """Every proof in a directory, by stage, in the order of the stages."""
    found = ((stage, load(directory, stage)) for stage in STAGES)
    return {stage: proof for stage, proof in found if proof is not None}


def failures(verdicts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The verdicts that stop the line: not ok, and blocking (which is the default)."""
    return [v for v in verdicts if not v["ok"] and v.get("blocks", True)]


def sentence(verdict: Mapping[str, Any]) -> str:
    """One verdict as a sentence: what, measured against required, why, fix."""
    return sentences([verdict])[0]


def sentences(verdicts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Verdicts as sentences; those with the same reason and fix share one: six rails say it once."""
    groups: dict[tuple[str, str], list[str]] = {}
    for verdict in verdicts:
        why = (str(verdict.get("reason") or "").rstrip("."), str(verdict.get("fix") or "").rstrip("."))
        groups.setdefault(why, []).append(_figures(verdict))
    return [
        "; ".join(figures) + (f". {reason}" if reason else "") + (f". Fix: {fix}" if fix else "") + "."
        for (reason, fix), figures in groups.items()
    ]


def _figures(verdict: Mapping[str, Any]) -> str:
    unit = str(verdict.get("unit") or "")
    given = [f"{key} {_said(verdict[key], unit)}" for key in ("measured", "required") if verdict.get(key) is not None]
    return f"{verdict['name']}: {', '.join(given)}" if given else str(verdict["name"])


def _said(value: Any, unit: str) -> str:
    """A figure in a sentence; what is a text already, like `at least 92`, gets its unit."""
    return f"{value} {unit}".strip() if isinstance(value, str) else figure(value, unit, apart="")


def build(  # noqa: PLR0913 - a proof has this many parts, each named at the only call
    *,
    stage: str,
    host: str,
    written: str,
    inputs: Mapping[str, Any],
    verdicts: Sequence[Mapping[str, Any]],
    measurements: Sequence[Mapping[str, Any]] = (),
    evidence: Mapping[str, Any] | None = None,
    simulated: Sequence[str] = (),
    boot_ids: Mapping[str, str] | None = None,
    predecessor: Proof | None = None,
    overrides: Sequence[str] = (),
) -> Proof:
    """A proof document. `written` is UTC, ISO 8601; `predecessor` the proof that this stage stood on, if any.

    `boot_ids` (host to boot id) is given only by stages whose truth ends with a reboot.
    """
    previous = previous_stage(stage)
    inherited = predecessor.get("overrides", []) if predecessor else []
    names = [str(v.get("name", "")) for v in verdicts]
    if not verdicts or not all(names):
        raise ProofError(f"a proof of stage {stage} needs at least one verdict, each with a name")
    shapeless = [m for m in measurements if not {"name", "value", "unit"} <= set(m)]
    if shapeless:
        raise ProofError(f"a measurement of stage {stage} has no name, value or unit: {shapeless[0]}")
    return {
        "schema": SCHEMA,
        "stage": stage,
        "host": host,
        "written": written,
        "boot_ids": dict(boot_ids or {}),
        "inputs": dict(inputs),
        "inputs_digest": digest(inputs),
        "predecessor": {
            "stage": previous,
            "inputs_digest": predecessor["inputs_digest"] if predecessor else None,
        }
        if previous
        else None,
        "overrides": sorted({*inherited, *overrides}),
        "simulated": list(simulated),
        "measurements": [dict(m) for m in measurements],
        "verdicts": [dict(v) for v in verdicts],
        "verdict": "fail" if failures(verdicts) else "pass",
        "reasons": sentences(failures(verdicts)),
        "evidence": dict(evidence or {}),
    }


def judge(
    proof: Proof | None,
    *,
    inputs: Mapping[str, Any] | None = None,
    boot_ids: Mapping[str, str] | None = None,
    predecessor: Proof | None = None,
) -> Freshness:
    """Whether `proof` passes and still holds.

    `inputs`, when given, are what the stage would be bound to now; `boot_ids` the hosts' present boots (compared only
    when the proof is bound to boots); `predecessor` the proof now on disk of the stage before.
    """
    if proof is None:
        return Freshness(False, "there is none")
    if proof["verdict"] != "pass":
        why = "; ".join(proof["reasons"]) or "no reason was recorded"
        return Freshness(False, f"it failed ({why})")
    if inputs is not None and digest(inputs) != proof["inputs_digest"]:
        return Freshness(False, "its inputs have changed since: " + ", ".join(changed_keys(proof["inputs"], inputs)))
    for host, boot in proof["boot_ids"].items():
        if boot_ids is not None and boot_ids.get(host) != boot:
            return Freshness(False, f"{host} was rebooted since")
    link = proof["predecessor"]
    if link and link["stage"] not in proof["overrides"]:
        if predecessor is None:
            return Freshness(False, f"the {link['stage']} proof that it stood on is gone")
        if predecessor["inputs_digest"] != link["inputs_digest"]:
            return Freshness(False, f"the {link['stage']} proof that it stood on was made anew from other inputs")
    return Freshness(True)


def changed_keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Names of the top-level inputs that differ; never their values."""
    return sorted(key for key in {*old, *new} if old.get(key) != new.get(key)) or ["(their form)"]


def judge_chain(
    proofs: Mapping[str, Proof],
    stage: str,
    *,
    inputs: Mapping[str, Any] | None = None,
    boot_ids: Mapping[str, str] | None = None,
    overrides: Sequence[str] = (),
) -> Freshness:
    """Judge the proof of `stage` and, from the documents alone, every proof that it stands on.

    `inputs` are known for `stage` only; the ones before are held by the chain of digests. A stage named in
    `overrides`, or overridden when the proof was made, is not asked.
    """
    current: str | None = stage
    known: Mapping[str, Any] | None = inputs
    while current is not None and current not in overrides:
        previous = previous_stage(current)
        proof = proofs.get(current)
        verdict = judge(proof, inputs=known, boot_ids=boot_ids, predecessor=proofs.get(previous) if previous else None)
        if not verdict.fresh:
            prefix = "" if current == stage else f"the {current} proof before it does not hold: "
            return Freshness(False, prefix + verdict.reason)
        if proof and previous in proof["overrides"]:
            break
        current, known = previous, None
    return Freshness(True)


def dump(proof: Proof) -> str:
    """The text of a proof file: sorted, indented, so that two proofs can be compared by eye."""
    return json.dumps(proof, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def keeps(old: Proof | None, new: Proof, predecessor: Proof | None) -> bool:
    """Whether the standing proof `old` says the same as `new` and so may stay as it is."""
    if old is None or new["verdict"] != "pass":
        return False
    same = all(old[key] == new[key] for key in ("inputs_digest", "boot_ids", "predecessor", "overrides", "simulated"))
    return same and judge(old, boot_ids=new["boot_ids"], predecessor=predecessor).fresh


def refusal(stage: str, reason: str, needed_by: str) -> str:
    """The sentence with which a gate refuses: what, why, and the command that makes the proof."""
    who = f"Stage {needed_by} refused" if needed_by else "Refused"
    return (
        f"{who}: it needs a passing proof of stage {stage}, and {reason}. "
        f"Fix: `twinspark apply --stage {stage}`, or override it by name with `--override {stage}`."
    )
