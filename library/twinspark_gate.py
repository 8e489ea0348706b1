#!/usr/bin/python
"""Ansible module: refuse to go on without the fresh passing proof of a stage."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_gate
short_description: Refuse to go on without the fresh passing proof of a stage
description:
  - Judges the proof of O(stage) and the proofs it stands on. Changes nothing.
  - In check mode a missing proof is a warning, since the stage before would have made it.
options:
  stage: {description: Stage whose proof is asked for., type: str, required: true}
  inputs: {description: What that stage would be bound to now., type: dict, required: true}
  boot_ids: {description: Present boot id of each host., type: dict, default: {}}
  contradictions: {description: "What was just seen that speaks against the proof, one clause each.", type: list,
                   elements: str, default: []}
  needed_by: {description: Stage that asks., type: str, default: ""}
  override: {description: Stages that the owner overrides by name., type: list, elements: str, default: []}
  probe: {description: Only tell; never refuse., type: bool, default: false}
  proofs_dir: {description: Folder of the proofs., type: path, default: /var/lib/twinspark/proofs}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Verify the proof of the network
  twinspark_gate:
    stage: network
    inputs: "{{ __cx7_network_inputs }}"
    needed_by: rdma
  delegate_to: "{{ twinspark_head }}"
  run_once: true
"""

RETURN = r"""
fresh: {description: Whether the proof holds., type: bool, returned: always}
reason: {description: Why it does not., type: str, returned: always}
overridden: {description: Whether the owner's override let the run go on., type: bool, returned: always}
would_refuse: {description: In check mode, whether a real run would refuse here., type: bool, returned: always}
proof: {description: The proof, if any., type: dict, returned: always}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.proof import proofs
from ansible.module_utils.twinspark_host.proofs import load_all

ARGUMENTS: dict[str, Any] = {
    "stage": {"type": "str", "required": True, "choices": list(proofs.STAGES)},
    "inputs": {"type": "dict", "required": True},
    "boot_ids": {"type": "dict", "default": {}},
    "contradictions": {"type": "list", "elements": "str", "default": []},
    "needed_by": {"type": "str", "default": ""},
    "override": {"type": "list", "elements": "str", "default": []},
    "probe": {"type": "bool", "default": False},
    "proofs_dir": {"type": "path", "default": "/var/lib/twinspark/proofs"},
}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    params = module.params
    stage = params["stage"]
    # A probe asks about the stage itself; an override lets a later stage pass, it does not make this proof fresh.
    overrides = [name for name in params["override"] if not (params["probe"] and name == stage)]
    try:
        found = load_all(params["proofs_dir"])
    except proofs.ProofError as error:
        module.fail_json(msg=f"Stage {params['needed_by'] or stage} refused: {error}.")
    state = proofs.judge_chain(found, stage, inputs=params["inputs"], boot_ids=params["boot_ids"], overrides=overrides)
    if state.fresh and params["contradictions"] and stage not in overrides:
        seen = "; ".join(params["contradictions"])
        state = proofs.Freshness(False, f"the present one no longer holds ({seen})")
    overridden, standing = stage in overrides, found.get(stage)
    result: dict[str, Any] = {
        "changed": False,
        "fresh": state.fresh and not overridden,
        "reason": state.reason,
        "overridden": overridden,
        "would_refuse": not state.fresh,
        "proof": standing.to_json() if standing else None,
    }
    if params["probe"] or state.fresh:
        module.exit_json(**result)
    sentence = proofs.refusal(stage, state.reason, params["needed_by"])
    if module.check_mode:
        module.warn(f"A real run would have made this proof before, or stop here: {sentence}")
        module.exit_json(msg=sentence, **result)
    module.fail_json(msg=sentence, **result)


if __name__ == "__main__":
    main()
