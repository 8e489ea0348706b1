"""Proofs: the one JSON document that a stage leaves, and the judgement whether it still holds.

A proof is bound to the inputs it was made from by a digest; it goes stale when they change, when the proof before
it changed, or, for stages bound to a boot, when a host was rebooted. Files are read in twinspark_host.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .values import Link, Measurement, Proof, ShapeError, Verdict, paragraph, sentences

STAGES = ("preflight", "network", "rdma", "weights", "image", "serve", "evaluate", "benchmark")


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


def parse(text: str, stage: str, path: str) -> Proof:
    """The proof of `stage` from the text of its file. ProofError, which names `path`, when it is not one."""
    again = "remove it and run the stage again"
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProofError(f"{path} can't be read as a proof ({error}); {again}") from error
    try:
        proof = Proof.from_json(document)
    except (ShapeError, RecursionError) as error:
        raise ProofError(f"{path} is not a proof that can be read ({error}); {again}") from error
    if proof.stage != stage:
        raise ProofError(f"{path} is a proof of stage {proof.stage}, not of {stage}; {again}")
    return proof


def build(  # noqa: PLR0913 - a proof has this many parts, each named at the only call
    *,
    stage: str,
    host: str,
    written: str,
    inputs: Mapping[str, Any],
    verdicts: Sequence[Verdict],
    measurements: Sequence[Measurement] = (),
    evidence: Mapping[str, Any] | None = None,
    simulated: Sequence[str] = (),
    boot_ids: Mapping[str, str] | None = None,
    predecessor: Proof | None = None,
    overrides: Sequence[str] = (),
) -> Proof:
    """A proof. `written` is UTC, ISO 8601; `predecessor` the proof that this stage stood on, if any.

    `boot_ids` (host to boot id) is given only by stages whose truth ends with a reboot. Raises ProofError.
    """
    previous = previous_stage(stage)
    stopped = [verdict for verdict in verdicts if verdict.stops]
    try:
        return Proof(
            stage=stage,
            host=host,
            written=written,
            boot_ids=dict(boot_ids or {}),
            inputs=dict(inputs),
            inputs_digest=digest(inputs),
            predecessor=Link(previous, predecessor.inputs_digest if predecessor else None) if previous else None,
            overrides=tuple(sorted({*(predecessor.overrides if predecessor else ()), *overrides})),
            simulated=tuple(simulated),
            measurements=tuple(measurements),
            verdicts=tuple(verdicts),
            verdict="fail" if stopped else "pass",
            reasons=tuple(sentences(stopped)),
            evidence=dict(evidence or {}),
        )
    except ValueError as error:
        raise ProofError(str(error)) from error


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
    if not proof.passed:
        why = paragraph(proof.reasons).rstrip(".") or "no reason was recorded"
        return Freshness(False, f"it failed ({why})")
    if inputs is not None and digest(inputs) != proof.inputs_digest:
        return Freshness(False, "its inputs have changed since: " + ", ".join(changed_keys(proof.inputs, inputs)))
    for host, boot in proof.boot_ids.items():
        if boot_ids is not None and boot_ids.get(host) != boot:
            return Freshness(False, f"{host} was rebooted since")
    link = proof.predecessor
    if link and link.stage not in proof.overrides:
        if predecessor is None:
            return Freshness(False, f"the {link.stage} proof that it stood on is gone")
        if predecessor.inputs_digest != link.inputs_digest:
            return Freshness(False, f"the {link.stage} proof that it was based on was made again from other inputs")
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
        if proof and previous in proof.overrides:
            break
        current, known = previous, None
    return Freshness(True)


def dump(proof: Proof) -> str:
    """The text of a proof file: sorted, indented, so that two proofs can be compared by eye."""
    return json.dumps(proof.to_json(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def keeps(old: Proof | None, new: Proof, predecessor: Proof | None) -> bool:
    """Whether the standing proof `old` says the same as `new` and so may stay as it is."""
    if old is None or not new.passed:
        return False
    bound = ("inputs_digest", "boot_ids", "predecessor", "overrides", "simulated")
    same = all(getattr(old, part) == getattr(new, part) for part in bound)
    return same and judge(old, boot_ids=new.boot_ids, predecessor=predecessor).fresh


def refusal(stage: str, reason: str, needed_by: str) -> str:
    """The sentence with which a gate refuses: what, why, and the command that makes the proof."""
    who = f"Stage {needed_by} refused" if needed_by else "Refused"
    return (
        f"{who}: it needs a passing proof of stage {stage}, and {reason}. "
        f"Fix: `twinspark apply --stage {stage}`, or override it by name with `--override {stage}`."
    )
