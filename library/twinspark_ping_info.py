#!/usr/bin/python
"""Ansible module: ping every path with frames of a given size that may not be fragmented. Changes nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_ping_info
short_description: Ping every path of a host with full frames
options:
  paths: {description: "Paths: rail, peer, interface, source, target.", type: list, elements: dict, required: true}
  size: {description: "Payload in bytes: the MTU without 28 bytes of headers.", type: int, default: 8972}
  count: {description: Echo requests per path., type: int, default: 3}
  patience: {description: Seconds in which unanswered paths are tried again., type: int, default: 0}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Ping every path
  twinspark_ping_info:
    paths: [{rail: rail1, peer: spark2, interface: enp1s0f1np1, source: 192.168.177.11, target: 192.168.177.12}]
"""

RETURN = r"""
pings:
  description: Each path with sent, received, rtt_ms, problem, and small_ok (whether small frames pass when full don't).
  type: list
  returned: always
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark_host import kernel

ARGUMENTS: dict[str, Any] = {
    "paths": {"type": "list", "elements": "dict", "required": True},
    "size": {"type": "int", "default": 8972},
    "count": {"type": "int", "default": 3},
    "patience": {"type": "int", "default": 0},
}


def answered(ping: dict[str, Any]) -> bool:
    """Whether every request was answered."""
    return bool(ping["sent"]) and ping["received"] == ping["sent"]


def ping(module: AnsibleModule, path: dict[str, Any], size: int, count: int) -> dict[str, Any]:
    """One ping over one path."""
    argv = ["ping", "-n", "-M", "do", "-s", str(size), "-c", str(count), "-i", "0.2", "-W", "1"]
    code, out, err = module.run_command(
        [*argv, "-I", path["interface"], path["target"]], environ_update={"LC_ALL": "C"}
    )
    found = kernel.ping(out + err)
    if code and not found["problem"]:
        found["problem"] = (err.strip().splitlines() or [""])[-1]
    return {**path, **found, "small_ok": False}


def measure(module: AnsibleModule, path: dict[str, Any], end: float) -> dict[str, Any]:
    """Ping until all is answered or patience has ended; then find out whether at least small frames pass."""
    size, count = module.params["size"], module.params["count"]
    found = ping(module, path, size, count)
    while not answered(found) and time.monotonic() < end:
        time.sleep(0.5)
        found = ping(module, path, size, count)
    if not answered(found):
        found["small_ok"] = answered(ping(module, path, 56, 1))
    return found


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    module.get_bin_path("ping", required=True)
    end = time.monotonic() + module.params["patience"]
    module.exit_json(changed=False, pings=[measure(module, path, end) for path in module.params["paths"]])


if __name__ == "__main__":
    main()
