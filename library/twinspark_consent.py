#!/usr/bin/python
"""Ansible module: refuse to restart a pair that somebody uses, until the owner consents."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_consent
short_description: Refuse to restart a pair that somebody uses
description:
  - Asks the engine on this host how many requests it holds, and systemd which long jobs that use it run. Changes
    nothing.
  - Fails where a restart for O(reasons) would interrupt them and the owner does not consent. A pair that does not
    serve has nothing to lose, so a restart that repairs it needs no consent.
  - In check mode the refusal is a warning.
options:
  url: {description: Base URL of the endpoint., type: str, required: true}
  reasons: {description: "Why the pair would be restarted: host, name, current, desired.", type: list, elements: dict,
            required: true}
  jobs: {description: Names of the long jobs that use the endpoint., type: list, elements: str,
         default: [evaluate, benchmark]}
  interrupt: {description: Whether the owner consents., type: bool, default: false}
  command: {description: "What the owner ran, for the sentence.", type: str, default: twinspark apply --stage serve}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Verify that nothing is interrupted
  twinspark_consent:
    url: http://127.0.0.1:8000
    reasons: [{host: spark1, name: --max-num-seqs, current: "2", desired: "8"}]
"""

RETURN = r"""
requests: {description: Requests that run or wait; null where the engine does not say., type: float, returned: always}
jobs: {description: Names of the long jobs that run., type: list, elements: str, returned: always}
"""

import urllib.request
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.proof import jobs
from ansible.module_utils.twinspark.proof.json_form import ShapeError, read
from ansible.module_utils.twinspark.serving import consent, vitals
from ansible.module_utils.twinspark.serving.serve import Reason

ARGUMENTS: dict[str, Any] = {
    "url": {"type": "str", "required": True},
    "reasons": {"type": "list", "elements": "dict", "required": True},
    "jobs": {"type": "list", "elements": "str", "default": list(consent.JOBS)},
    "interrupt": {"type": "bool", "default": False},
    "command": {"type": "str", "default": consent.APPLY},
}


def requests(url: str) -> float | None:
    """How many requests the engine holds; None where it does not say."""
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:  # noqa: S310 - http, from the role
            found = vitals.counters(answer.read().decode(errors="replace"))
    except (OSError, ValueError):
        return None
    return found.held if found else None


def running(module: AnsibleModule, names: list[str]) -> list[str]:
    """Which of the jobs run. One that has ended is there until an apply reads what came of it, and loses nothing."""
    found = []
    for name in names:
        _, out, _ = module.run_command(jobs.show_argv(name))
        if jobs.state_of(jobs.properties(out), jobs.Recorded()).state == "running":
            found.append(name)
    return found


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    params = module.params
    try:
        reasons = read(tuple[Reason, ...], params["reasons"], "reasons")
    except ShapeError as error:
        module.fail_json(msg=f"twinspark_consent: {error}.")
    result: dict[str, Any] = {
        "changed": False,
        "requests": requests(params["url"]),
        "jobs": running(module, params["jobs"]),
    }
    refused = consent.refusal(reasons, result["requests"], result["jobs"], params["command"])
    if not refused or params["interrupt"]:
        module.exit_json(**result)
    if module.check_mode:
        module.warn(f"A real run would stop here: {refused}")
        module.exit_json(msg=refused, **result)
    who = "Stage serve" if params["command"] == ARGUMENTS["command"]["default"] else f"`{params['command']}`"
    module.fail_json(msg=f"{who} refused: {refused}", **result)


if __name__ == "__main__":
    main()
