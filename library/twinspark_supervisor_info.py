#!/usr/bin/python
"""Ansible module: what the pair's supervisor says, and whether it has done what it was told."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_supervisor_info
short_description: What the pair's supervisor says
description:
  - Reads the state that the supervisor keeps on the head. Changes nothing.
options:
  wish: {description: "The wish that has to be followed before the state counts as settled; empty for any.", type: str,
         default: ""}
  folder: {description: Folder of the supervisor's state., type: path, default: /var/lib/twinspark/serve}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Wait for the pair
  twinspark_supervisor_info:
    wish: "{{ told.id }}"
  register: supervised
  until: supervised.supervisor.settled
  retries: 240
  delay: 10
"""

RETURN = r"""
supervisor:
  description: >-
    kind (absent, stopped, starting, serving, busy, stuck, restarting, given_up), sentence, why, since (Unix time),
    restarts, wish (ID of the wish that it follows), waited (seconds, for memory, a rail or a host), settled (nothing
    more is to be waited for).
  type: dict
  returned: always
"""

import dataclasses
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.proof.json_form import to_json
from ansible.module_utils.twinspark.serving import supervised

ARGUMENTS: dict[str, Any] = {
    "wish": {"type": "str", "default": ""},
    "folder": {"type": "path", "default": "/var/lib/twinspark/serve"},
}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    path = Path(module.params["folder"]) / "state.json"
    found = supervised.said(path.read_text() if path.exists() else "")
    settled = supervised.settled(found, module.params["wish"])
    module.exit_json(changed=False, supervisor=to_json(dataclasses.replace(found, settled=settled)))


if __name__ == "__main__":
    main()
