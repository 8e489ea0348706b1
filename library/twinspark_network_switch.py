#!/usr/bin/python
"""Ansible module: the dead-man's switch of a network change: wait for it, confirm it, or undo it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_network_switch
short_description: Wait for, confirm or undo a pending network change
options:
  state:
    description:
      - V(undone) gives the former network back when a change is still unconfirmed, as after a lost controller, and ends
        what was killed midway.
      - V(applied) waits until the change has been applied and the rails have their addresses, and undoes it at once
        when netplan fails.
      - V(confirmed) makes the change stand. It refuses when the switch has already given the former network back.
    type: str
    choices: [undone, applied, confirmed]
    required: true
  change: {description: "Id of the change that is meant, as M(twinspark_netplan) gave it; any when empty.", type: str,
           default: ""}
  rails: {description: "Rails of this host: interface, cidr.", type: list, elements: dict, default: []}
  timeout: {description: Seconds to wait for V(applied)., type: int, default: 30}
  state_dir: {description: Where copies are kept., type: path, default: /var/lib/twinspark}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Confirm the change
  twinspark_network_switch: {state: confirmed}
"""

RETURN = r"""
seconds: {description: How long it took., type: float, returned: always}
"""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.network import deadman
from ansible.module_utils.twinspark_host import kernel, pending
from ansible.module_utils.twinspark_host.files import write_atomically

ARGUMENTS: dict[str, Any] = {
    "state": {"type": "str", "choices": ["undone", "applied", "confirmed"], "required": True},
    "change": {"type": "str", "default": ""},
    "rails": {"type": "list", "elements": "dict", "default": []},
    "timeout": {"type": "int", "default": 30},
    "state_dir": {"type": "path", "default": "/var/lib/twinspark"},
}
UNDONE = (
    "The network change was undone before it was confirmed: by its dead-man's switch, since the controller did not "
    "come back in time, or by another apply. The former network is back. Raise cx7_network_confirm_seconds if this "
    "host is only slow."
)
BUSY = "Another apply is changing this host's network now: wait for it to end, then run again."


def clear(module: AnsibleModule, folder: Path) -> None:
    """Take the switch and its units away."""
    module.run_command(["systemctl", "stop", f"{deadman.UNIT}.timer"])
    module.run_command(["systemctl", "reset-failed", f"{deadman.UNIT}.service"])
    Path(deadman.BOOT_LINK_PATH).unlink(missing_ok=True)
    Path(deadman.BOOT_UNIT_PATH).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def undo(module: AnsibleModule) -> bool:
    """Undo an unconfirmed change now, or end an undo or a confirmation that died midway. Whether there was one."""
    folder = pending.folder(module.params["state_dir"])
    state = pending.live(folder)
    if module.check_mode or not folder.exists():
        return state in ("armed", "undoing")
    if state in ("armed", "undoing"):
        module.run_command(["/bin/sh", str(folder / "undo.sh")])  # takes the lock, and waits for one that is at work
    with pending.locked(module.params["state_dir"]):
        if (folder / "confirmed").exists():
            remember(module, folder)
        elif pending.live(folder):
            module.fail_json(msg=BUSY)
        clear(module, folder)
    return state in ("armed", "undoing")


def gone(module: AnsibleModule, folder: Path) -> bool:
    """Whether the change that is meant is not pending any more: it was undone, or another apply has made its own."""
    wanted, found = module.params["change"], pending.read_manifest(folder).id
    return not (folder / "armed").exists() or bool(wanted and found != wanted)


def missing(module: AnsibleModule, rails: Mapping[str, str]) -> list[str]:
    """Rails (interface to cidr) whose address the kernel does not have yet."""
    _, out, _ = module.run_command(["ip", "-json", "address", "show"])
    addresses = {link.name: link.addresses for link in kernel.links(out)}
    return [interface for interface, cidr in rails.items() if cidr not in addresses.get(interface, ())]


def wait(module: AnsibleModule, folder: Path) -> None:
    """Wait until netplan has applied the change and the rails have their addresses."""
    end = time.monotonic() + module.params["timeout"]
    rails = {rail["interface"]: rail["cidr"] for rail in module.params["rails"]}
    while time.monotonic() < end:
        if gone(module, folder):
            module.fail_json(msg=UNDONE)
        if (folder / "apply.rc").exists():
            code = (folder / "apply.rc").read_text().strip()
            if code != "0":
                log = (folder / "apply.log").read_text().strip()
                undo(module)
                module.fail_json(msg=f"The change failed, and the former network was restored: {log}")
            if not missing(module, rails):
                return
        time.sleep(0.3)
    if gone(module, folder):
        module.fail_json(msg=UNDONE)
    late = ", ".join(missing(module, rails)) or "netplan"
    undo(module)
    module.fail_json(
        msg=f"{late} did not come up within {module.params['timeout']} s, and the former network was restored. "
        "Read `journalctl -u systemd-networkd -u NetworkManager`, check the cable, then run again."
    )


def remember(module: AnsibleModule, folder: Path) -> None:
    """Keep what a confirmed change replaced, for uninstall. May be done again after a kill midway."""
    backup = pending.backup(module.params["state_dir"])
    manifest = pending.read_manifest(folder)
    if manifest.state == "absent":
        shutil.rmtree(backup, ignore_errors=True)
        return
    kept, fresh = deadman.remember(pending.read_manifest(backup), manifest)
    order = list(manifest.files)
    for path in fresh:
        copy = backup / "files" / path.lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if manifest.files[path]:
            shutil.copy2(folder / "files" / str(order.index(path)), copy)
    write_atomically(backup / "manifest.json", json.dumps(kept.to_json(), indent=2), 0o600)
    backup.chmod(0o700)


def confirm(module: AnsibleModule, folder: Path) -> bool:
    """Confirm the change and remember what it replaced. Whether there was one."""
    if not folder.exists() and not module.params["change"]:
        return False
    with pending.locked(module.params["state_dir"]):
        if gone(module, folder):
            module.fail_json(msg=UNDONE)
        try:
            (folder / "armed").rename(folder / "confirmed")
        except FileNotFoundError:
            module.fail_json(msg=UNDONE)
        remember(module, folder)
        clear(module, folder)
    return True


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    state = module.params["state"]
    folder = pending.folder(module.params["state_dir"])
    start = time.monotonic()
    changed = False
    try:
        if state == "undone":
            changed = undo(module)
        elif state == "applied" and not module.check_mode:
            wait(module, folder)
        elif not module.check_mode:
            changed = confirm(module, folder)
    except OSError as error:
        module.fail_json(msg=f"The pending network change could not be completed: {error}. Run again.")
    module.exit_json(changed=changed, seconds=round(time.monotonic() - start, 2))


if __name__ == "__main__":
    main()
