#!/usr/bin/python
"""Ansible module: refuse to start a pair that may not be started, and to call one up that is not."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_pair_gate
short_description: Refuse to start a pair that may not be started, and to call one up that is not
description:
  - C(before) fails where the supervisor is not installed, or the last proof of a stage before C(serve) failed.
  - C(after) fails where the supervisor has not brought the pair up by O(wish), or O(canary) got no good answer.
  - Changes nothing. In check mode the refusal is a warning.
options:
  moment: {description: Which of the two., type: str, choices: [before, after], required: true}
  supervisor: {description: Whether the supervisor's unit is installed., type: bool, default: true}
  override: {description: Stages that the owner overrides by name., type: list, elements: str, default: []}
  proofs_dir: {description: Folder of the proofs., type: path, default: /var/lib/twinspark/proofs}
  wish: {description: ID of the wish that has to be followed., type: str, default: ""}
  canary: {description: What came of the question; empty for none., type: dict, default: {}}
  folder: {description: Folder of the supervisor's state., type: path, default: /var/lib/twinspark/serve}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Verify that the pair may be started
  twinspark_pair_gate:
    moment: before
"""

RETURN = r"""
reason: {description: Why it was refused; empty where it was not., type: str, returned: always}
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.proof.json_form import ShapeError
from ansible.module_utils.twinspark.proof.proofs import ProofError
from ansible.module_utils.twinspark.serving import supervised, upkeep
from ansible.module_utils.twinspark.serving.canary import Canary
from ansible.module_utils.twinspark_host.proofs import load_all

ARGUMENTS: dict[str, Any] = {
    "moment": {"type": "str", "choices": ["before", "after"], "required": True},
    "supervisor": {"type": "bool", "default": True},
    "override": {"type": "list", "elements": "str", "default": []},
    "proofs_dir": {"type": "path", "default": "/var/lib/twinspark/proofs"},
    "wish": {"type": "str", "default": ""},
    "canary": {"type": "dict", "default": {}},
    "folder": {"type": "path", "default": "/var/lib/twinspark/serve"},
}


def reason(params: dict[str, Any]) -> str:
    """Why it is refused. Raises ProofError and ShapeError."""
    if params["moment"] == "before":
        proofs = load_all(params["proofs_dir"])
        return upkeep.obstacle(proofs, params["override"], supervisor=params["supervisor"])
    state = Path(params["folder"]) / "state.json"
    found = supervised.said(state.read_text() if state.exists() else "")
    canary = Canary.from_json(params["canary"]) if params["canary"] else None
    return upkeep.shortfall(found, params["wish"], canary)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    try:
        refused = reason(module.params)
    except (ProofError, ShapeError) as error:
        module.fail_json(msg=f"Refused: {error}.", reason=str(error))
    if refused and module.check_mode:
        module.warn(f"A real run would stop here: {refused}.")
    elif refused:
        told = "Nothing was started: " if module.params["moment"] == "before" else ""
        module.fail_json(msg=f"{told}{refused}.", reason=refused)
    module.exit_json(changed=False, reason=refused)


if __name__ == "__main__":
    main()
