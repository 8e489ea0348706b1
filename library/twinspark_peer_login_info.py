#!/usr/bin/python
"""Ansible module: log in to every peer over every rail, as the named user. Changes nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_peer_login_info
short_description: Log in to every peer over every rail
description:
  - Runs ssh with the configuration that peer_ssh has left, by the alias of each path, and compares who answers.
options:
  user: {description: User that logs in., type: str, required: true}
  paths: {description: "Paths: rail, peer, source, target.", type: list, elements: dict, required: true}
  boot_ids: {description: Peer to the boot id that it must answer with., type: dict, default: {}}
  boot_id_path: {description: File that holds it., type: str, default: /proc/sys/kernel/random/boot_id}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Log in over every rail
  twinspark_peer_login_info: {user: spark, paths: "{{ twinspark_fabric | twinspark_paths(inventory_hostname) }}"}
"""

RETURN = r"""
logins: {description: "Each path with ok, problem and seconds.", type: list, returned: always}
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.network import known_hosts

ARGUMENTS: dict[str, Any] = {
    "user": {"type": "str", "required": True},
    "paths": {"type": "list", "elements": "dict", "required": True},
    "boot_ids": {"type": "dict", "default": {}},
    "boot_id_path": {"type": "str", "default": "/proc/sys/kernel/random/boot_id"},
}


def login(module: AnsibleModule, path: dict[str, Any]) -> dict[str, Any]:
    """One login over one path. The peer's boot id shows that it is the peer, and not somebody at its address."""
    target = known_hosts.alias(path["peer"], path["rail"])
    remote = ["cat", module.params["boot_id_path"]]
    argv = ["runuser", "-u", module.params["user"], "--", "ssh", "-n", "-o", "BatchMode=yes", target, *remote]
    start = time.monotonic()
    code, out, err = module.run_command(argv, environ_update={"LC_ALL": "C"})
    seconds = round(time.monotonic() - start, 3)
    problem = known_hosts.refused(err) if code else ""
    expected = module.params["boot_ids"].get(path["peer"])
    if not code and expected and out.strip() != expected:
        problem = f"another host than {path['peer']} answers at {path['target']}"
    return {**path, "ok": not problem, "problem": problem, "seconds": seconds}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    module.exit_json(changed=False, logins=[login(module, path) for path in module.params["paths"]])


if __name__ == "__main__":
    main()
