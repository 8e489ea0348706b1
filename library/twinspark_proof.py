#!/usr/bin/python
"""Ansible module: leave the proof of a stage on the head, then fail if its verdict is no pass."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_proof
short_description: Write the proof of a stage, and fail when it did not pass
description:
  - Writes one JSON document per stage, first, and fails afterwards when a blocking verdict is not ok.
  - A fresh passing proof with the same inputs is kept as it is unless O(remeasured) is true, so that a second run
    changes nothing.
options:
  stage: {description: Name of the stage., type: str, required: true}
  host: {description: Inventory name of the host that keeps the proof (the head)., type: str, required: true}
  inputs: {description: What the proof is bound to. Never a secret., type: dict, required: true}
  verdicts: {description: "Judgements: name, ok, blocks, measured, required (operator, value, unit; or text), unit,
             reason, fix.", type: list, elements: dict, required: true}
  measurements: {description: "Figures: name, subject, value, unit.", type: list, elements: dict, default: []}
  evidence: {description: Stage specific detail. Never a secret., type: dict, default: {}}
  simulated: {description: Sentences saying what was a stand-in., type: list, elements: str, default: []}
  boot_ids: {description: Host to boot id for a proof that ends with a reboot., type: dict, default: {}}
  overrides: {description: Stages that the owner overrides by name., type: list, elements: str, default: []}
  remeasured: {description: Whether a new measurement was made that replaces a fresh proof., type: bool, default: false}
  final: {description: "Fail in check mode, too: nothing that the stage would change decides the verdicts.", type: bool,
          default: false}
  stands_on: {description: "Digest of the inputs of the proof that this one stands on, where that is not the present
              one: for a stage that was put back to a former state. Empty where that stood on none.", type: str}
  proofs_dir: {description: Folder of the proofs., type: path, default: /var/lib/twinspark/proofs}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Write the proof of the network
  twinspark_proof:
    stage: network
    host: "{{ twinspark_head }}"
    inputs: "{{ __cx7_network_inputs }}"
    verdicts: "{{ __cx7_network_verdicts }}"
  delegate_to: "{{ twinspark_head }}"
  run_once: true
"""

RETURN = r"""
proof: {description: The proof that now stands., type: dict, returned: always}
path: {description: Its file., type: str, returned: always}
kept: {description: Whether a fresh proof was kept as it was., type: bool, returned: always}
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.proof import proofs
from ansible.module_utils.twinspark.proof.values import Link, Measurement, Proof, ShapeError, Verdict, paragraph
from ansible.module_utils.twinspark_host.files import write_atomically
from ansible.module_utils.twinspark_host.proofs import load, path_of

ARGUMENTS: dict[str, Any] = {
    "stage": {"type": "str", "required": True, "choices": list(proofs.STAGES)},
    "host": {"type": "str", "required": True},
    "inputs": {"type": "dict", "required": True},
    "verdicts": {"type": "list", "elements": "dict", "required": True},
    "measurements": {"type": "list", "elements": "dict", "default": []},
    "evidence": {"type": "dict", "default": {}},
    "simulated": {"type": "list", "elements": "str", "default": []},
    "boot_ids": {"type": "dict", "default": {}},
    "overrides": {"type": "list", "elements": "str", "default": []},
    "remeasured": {"type": "bool", "default": False},
    "final": {"type": "bool", "default": False},
    "stands_on": {"type": "str"},
    "proofs_dir": {"type": "path", "default": "/var/lib/twinspark/proofs"},
}


def standing(directory: str, stage: str | None) -> Proof | None:
    """The proof on disk, None when there is none or when it can't be read (a new one then replaces it)."""
    if stage is None:
        return None
    try:
        return load(directory, stage)
    except proofs.ProofError:
        return None


def build(params: dict[str, Any], predecessor: Proof | None) -> Proof:
    """The new proof, stamped with the present time."""
    parts = {k: v for k, v in params.items() if k not in ("remeasured", "final", "stands_on", "proofs_dir")}
    parts["verdicts"] = [Verdict.from_json(given) for given in params["verdicts"]]
    parts["measurements"] = [Measurement.from_json(given) for given in params["measurements"]]
    written = datetime.now(UTC).isoformat(timespec="seconds")
    if params["stands_on"] is None:
        return proofs.build(**parts, predecessor=predecessor, written=written)
    new = proofs.build(**parts, written=written)
    before = new.predecessor
    return replace(new, predecessor=Link(before.stage, params["stands_on"] or None)) if before else new


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    params = module.params
    directory, stage = params["proofs_dir"], params["stage"]
    predecessor = standing(directory, proofs.previous_stage(stage))
    old = standing(directory, stage)
    try:
        new = build(params, predecessor)
    except (proofs.ProofError, ShapeError) as error:
        module.fail_json(msg=f"The {stage} stage's verdicts can't become a proof: {error}.")
    kept = proofs.keeps(old, new, predecessor) and not params["remeasured"]
    path = path_of(directory, stage)
    diff = {
        "before_header": str(path),
        "after_header": str(path),
        "before": proofs.dump(old) if old else "",
        "after": proofs.dump(new),
    }
    if not kept and not module.check_mode:
        write_atomically(path, proofs.dump(new), mode=0o644)
    result = {"proof": (old if kept and old else new).to_json(), "path": str(path), "kept": kept, "changed": not kept}
    if not kept and module._diff:
        result["diff"] = diff
    if not new.passed and (params["final"] or not module.check_mode):
        module.fail_json(msg=f"Stage {stage} did not pass: {paragraph(new.reasons)}", **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
