#!/usr/bin/python
"""Ansible module: a systemd unit started or stopped, in check mode too, and with its failures forgotten first."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_unit
short_description: Start or stop one of this project's units
description:
  - Does what C(ansible.builtin.systemd_service) does, and two things that it does not. In check mode it predicts for a
    unit that the run itself would have written. And it forgets the unit's failed tries before a start, since the tries
    are bounded and a fixed cause must not be refused for an hour.
options:
  name: {description: Name of the unit., type: str, required: true}
  state: {description: What it should be., type: str, choices: [started, stopped], required: true}
  enabled: {description: Whether it starts at boot., type: bool}
  timeout: {description: Seconds that a start or stop may take., type: int, default: 180}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Start this rank
  twinspark_unit:
    name: twinspark-vllm.service
    state: started
    enabled: true
"""

RETURN = r"""
before: {description: ActiveState and UnitFileState before., type: dict, returned: always}
"""

import subprocess
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.proof.jobs import properties
from ansible.module_utils.twinspark.serving.serve import unit_commands

ARGUMENTS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["started", "stopped"], "required": True},
    "enabled": {"type": "bool"},
    "timeout": {"type": "int", "default": 180},
}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    name, timeout = module.params["name"], module.params["timeout"]
    keys = "LoadState,ActiveState,UnitFileState,NeedDaemonReload"
    _, out, _ = module.run_command(["systemctl", "show", name, f"--property={keys}"])
    before = properties(out)
    commands = unit_commands(name, before, module.params["state"], module.params["enabled"])
    for argv in [] if module.check_mode else commands:
        try:
            done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout)
        except subprocess.TimeoutExpired:
            module.fail_json(msg=f"`{' '.join(argv)}` took longer than {timeout} s. See `systemctl status {name}`.")
        if done.returncode and "reset-failed" not in argv:
            module.fail_json(msg=f"`{' '.join(argv)}`: {done.stderr.strip()}", rc=done.returncode)
    shown = {key: before.get(key, "") for key in ("ActiveState", "UnitFileState")}
    module.exit_json(changed=bool(commands), before=shown, commands=[" ".join(argv) for argv in commands])


if __name__ == "__main__":
    main()
