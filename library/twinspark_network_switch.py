#!/usr/bin/python
"""Ansible module: the dead-man's switch of a network change: wait for it, confirm it, or undo it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_network_switch
short_description: Wait for, confirm or undo a pending network change
options:
  state:
    description:
      - V(undone) gives the former network back when a change is still unconfirmed, as after a lost controller.
      - V(applied) waits until the change has been applied and the rails have their addresses, and undoes it at once
        when netplan fails.
      - V(confirmed) makes the change stand. It refuses when the switch has already given the former network back.
    type: str
    choices: [undone, applied, confirmed]
    required: true
  rails: {description: "Rails of this host: interface, cidr.", type: list, elements: dict, default: []}
  timeout: {description: Seconds to wait for V(applied)., type: int, default: 30}
  state_dir: {description: Where copies are kept., type: path, default: /var/lib/twinspark}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Make the change stand
  twinspark_network_switch: {state: confirmed}
"""

RETURN = r"""
seconds: {description: How long it took., type: float, returned: always}
"""

import json
import shutil
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark import deadman, kernel
from ansible.module_utils.twinspark.files import write_atomically

ARGUMENTS: dict[str, Any] = {
    "state": {"type": "str", "choices": ["undone", "applied", "confirmed"], "required": True},
    "rails": {"type": "list", "elements": "dict", "default": []},
    "timeout": {"type": "int", "default": 30},
    "state_dir": {"type": "path", "default": "/var/lib/twinspark"},
}


def read_json(path: Path) -> dict[str, Any]:
    """A manifest, {} when there is none."""
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}


def clear(module: AnsibleModule, pending: Path) -> None:
    """Take the switch and its units away."""
    module.run_command(["systemctl", "stop", f"{deadman.UNIT}.timer"])
    module.run_command(["systemctl", "reset-failed", f"{deadman.UNIT}.service"])
    Path(deadman.BOOT_LINK_PATH).unlink(missing_ok=True)
    Path(deadman.BOOT_UNIT_PATH).unlink(missing_ok=True)
    shutil.rmtree(pending, ignore_errors=True)


def undo(module: AnsibleModule, pending: Path) -> bool:
    """Undo an unconfirmed change now. Whether there was one."""
    armed = (pending / "armed").exists()
    if armed and not module.check_mode:
        module.run_command(["systemctl", "stop", f"{deadman.APPLY_UNIT}.timer", f"{deadman.APPLY_UNIT}.service"])
        module.run_command(["/bin/sh", str(pending / "undo.sh")])
    if pending.exists() and not module.check_mode:
        clear(module, pending)
    return armed


def missing(module: AnsibleModule, rails: list[dict[str, Any]]) -> list[str]:
    """Rails whose address the kernel does not have yet."""
    _, out, _ = module.run_command(["ip", "-json", "address", "show"])
    links = {link["name"]: link["addresses"] for link in kernel.links(out)}
    return [rail["interface"] for rail in rails if rail["cidr"] not in links.get(rail["interface"], [])]


def wait(module: AnsibleModule, pending: Path) -> None:
    """Wait until netplan has applied the change and the rails have their addresses."""
    end = time.monotonic() + module.params["timeout"]
    code = ""
    while time.monotonic() < end:
        if (pending / "apply.rc").exists():
            code = (pending / "apply.rc").read_text().strip()
            if code != "0":
                log = (pending / "apply.log").read_text().strip()
                undo(module, pending)
                module.fail_json(msg=f"netplan apply failed, and the former network was given back: {log}")
            if not missing(module, module.params["rails"]):
                return
        time.sleep(0.3)
    late = ", ".join(missing(module, module.params["rails"])) or "netplan"
    undo(module, pending)
    module.fail_json(
        msg=f"{late} did not come up within {module.params['timeout']} s, and the former network was given back. "
        "Look at `journalctl -u systemd-networkd`, check the cable, then run again."
    )


def confirm(module: AnsibleModule, pending: Path) -> bool:
    """Make the change stand and remember what it replaced. Whether there was one."""
    if not pending.exists():
        return False
    try:
        (pending / "armed").rename(pending / "confirmed")
    except FileNotFoundError:
        module.fail_json(
            msg="The network change was undone by its dead-man's switch, since the controller did not confirm in time. "
            "The former network is back. Raise cx7_network_confirm_seconds if this host is only slow."
        )
    backup = Path(module.params["state_dir"]) / "backup" / "network"
    manifest = read_json(pending / "manifest.json")
    if manifest["state"] == "absent":
        shutil.rmtree(backup, ignore_errors=True)
    else:
        kept, fresh = deadman.remember(read_json(backup / "manifest.json"), manifest, manifest["own_paths"])
        order = list(manifest["files"])
        for path in fresh:
            copy = backup / "files" / path.lstrip("/")
            copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if manifest["files"][path]:
                shutil.copy2(pending / "files" / str(order.index(path)), copy)
        write_atomically(backup / "manifest.json", json.dumps(kept, indent=2), 0o600)
        backup.chmod(0o700)
    clear(module, pending)
    return True


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    state = module.params["state"]
    pending = Path(module.params["state_dir"]) / "network" / "pending"
    start = time.monotonic()
    changed = False
    if state == "undone":
        changed = undo(module, pending)
    elif module.check_mode:
        changed = False
    elif state == "applied":
        wait(module, pending)
    else:
        changed = confirm(module, pending)
    module.exit_json(changed=changed, seconds=round(time.monotonic() - start, 2))


if __name__ == "__main__":
    main()
