#!/usr/bin/python
"""Ansible module: write the rails' netplan file, or give the former files back, under a dead-man's switch."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_netplan
short_description: Change the rails' network in a way that undoes itself unless it is confirmed
description:
  - Compares the files with what they shall be, has netplan check the result in a scratch root, saves what is
    there, and arms a timer (and a unit for the next boot) that gives it back. A unit on the host writes the files
    and runs C(netplan apply) a second later, so that this answer still gets out, and a module that is killed leaves
    nothing half done.
  - The change stands only when M(twinspark_network_switch) confirms it over a new connection.
  - O(state=absent) gives back, byte for byte, what was there before the first change.
options:
  path: {description: The netplan file., type: path, default: /etc/netplan/40-cx7.yaml}
  content: {description: Its text; none is written when it is empty., type: str, default: ""}
  sysctl_path: {description: The sysctl.d file., type: path, default: /etc/sysctl.d/40-twinspark-cx7.conf}
  sysctl_content: {description: Its text., type: str, default: ""}
  takeovers: {description: "Foreign files to take the rails out of: path, ids, remove.", type: list, elements: dict,
              default: []}
  rails: {description: "Rails of this host: interface, cidr.", type: list, elements: dict, required: true}
  keep: {description: "Further interfaces whose running state an undo gives back: the management's.", type: list,
         elements: str, default: []}
  mtu: {description: MTU of the rails in bytes., type: int, default: 9000}
  arp: {description: ARP settings of the rails., type: dict, default: {}}
  former: {description: Interfaces that are no rails any more with their addresses., type: dict, default: {}}
  drift: {description: "How the kernel differs from the plan: interface, what, current, desired.", type: list,
          elements: dict, default: []}
  confirm_seconds: {description: Seconds after which an unconfirmed change is undone., type: int, default: 60}
  state_dir: {description: Where copies are kept., type: path, default: /var/lib/twinspark}
  state: {description: Whether the rails are configured., type: str, choices: [present, absent], default: present}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Write the rails' netplan file and apply it
  twinspark_netplan:
    content: "{{ plan.content }}"
    sysctl_content: "{{ plan.sysctl_content }}"
    rails: "{{ twinspark_me.rails }}"
"""

RETURN = r"""
pending: {description: Whether a change now waits to be confirmed., type: bool, returned: always}
change: {description: "Its id, for M(twinspark_network_switch); empty without one.", type: str, returned: always}
reasons: {description: Why something had to change., type: list, returned: always}
"""

import json
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.network import deadman, netplan, running
from ansible.module_utils.twinspark.network.running import Running
from ansible.module_utils.twinspark.network.state import Difference, Link
from ansible.module_utils.twinspark.proof.json_form import ShapeError, from_json
from ansible.module_utils.twinspark_host import kernel, pending
from ansible.module_utils.twinspark_host.files import write_atomically
from ansible.module_utils.twinspark_host.targets import Targets, differing, diffs

ARGUMENTS: dict[str, Any] = {
    "path": {"type": "path", "default": "/etc/netplan/40-cx7.yaml"},
    "content": {"type": "str", "default": ""},
    "sysctl_path": {"type": "path", "default": "/etc/sysctl.d/40-twinspark-cx7.conf"},
    "sysctl_content": {"type": "str", "default": ""},
    "takeovers": {"type": "list", "elements": "dict", "default": []},
    "rails": {"type": "list", "elements": "dict", "required": True},
    "keep": {"type": "list", "elements": "str", "default": []},
    "mtu": {"type": "int", "default": 9000},
    "arp": {"type": "dict", "default": {}},
    "former": {"type": "dict", "default": {}},
    "drift": {"type": "list", "elements": "dict", "default": []},
    "confirm_seconds": {"type": "int", "default": 60},
    "state_dir": {"type": "path", "default": "/var/lib/twinspark"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def targets_of(wanted: deadman.Wanted) -> Targets:
    """What the files shall be: ours, and the foreign ones without the rails."""
    targets: Targets = {}
    for foreign in wanted.takeovers:
        path = Path(foreign.path)
        rest = netplan.without_stanzas(path.read_text(), foreign.ids)
        kept = rest.encode() if rest is not None and not foreign.remove else None
        targets[str(path)] = None if kept is None else (kept, stat.S_IMODE(path.stat().st_mode))
    targets[wanted.path] = (wanted.content.encode(), 0o600) if wanted.content else None
    sysctl = wanted.sysctl_content.encode()
    targets[wanted.sysctl_path] = (sysctl, 0o644) if sysctl else None
    return targets


def originals(backup: Path) -> tuple[Targets, Mapping[str, Running]]:
    """What the files were before the first change, and the links' running state then."""
    manifest = pending.read_manifest(backup)
    targets: Targets = {}
    for path, saved in manifest.files.items():
        copy = backup / "files" / path.lstrip("/")
        targets[path] = (copy.read_bytes(), stat.S_IMODE(copy.stat().st_mode)) if saved else None
    return targets, manifest.links


def check_in_scratch(module: AnsibleModule, targets: Targets) -> None:
    """Let netplan itself judge the files in a scratch root, before any of them is touched."""
    scratch = Path(tempfile.mkdtemp(prefix="twinspark-netplan-"))
    try:
        for place in ("lib", "etc", "run"):
            if Path(f"/{place}/netplan").is_dir():
                shutil.copytree(f"/{place}/netplan", scratch / place / "netplan")
        for path, target in targets.items():
            copy = scratch / path.lstrip("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.unlink(missing_ok=True)
            if target is not None:
                copy.write_bytes(target[0])
                copy.chmod(0o600)
        code, out, err = module.run_command(["netplan", "generate", "--root-dir", str(scratch)])
        if code:
            reason = (err or out).replace(str(scratch), "").strip()
            module.fail_json(msg=f"netplan refuses the new configuration, nothing was changed: {reason}")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def save(wanted: deadman.Wanted, targets: Targets, script: deadman.Script, folder: Path) -> tuple[deadman.Change, str]:
    """Keep a copy of all that will be touched, what shall come in its place, and the scripts; the change's id.

    The scripts are those that apply and undo.
    """
    shutil.rmtree(folder, ignore_errors=True)  # what never got as far as being armed
    for name in ("files", "new"):
        (folder / name).mkdir(parents=True, mode=0o700)
    files = [(path, Path(path).exists(), target is not None) for path, target in targets.items()]
    for index, (path, there, kept) in enumerate(files):
        owner = Path(path).stat() if there else None
        if there:
            shutil.copy2(path, folder / "files" / str(index))
        if kept:
            content, mode = targets[path] or (b"", 0)
            (folder / "new" / str(index)).write_bytes(content)
            (folder / "new" / str(index)).chmod(mode)
        for copy in (folder / "files" / str(index), folder / "new" / str(index)):
            if owner and copy.exists():
                os.chown(copy, owner.st_uid, owner.st_gid)
    change = deadman.Change(folder=str(folder), files=files, links=script.before)
    manifest = deadman.Manifest(
        id=uuid.uuid4().hex,
        files={path: there for path, there, _ in files},
        links=script.before,
        state=wanted.state,
        own_paths=(wanted.path, wanted.sysctl_path),
    )
    write_atomically(folder / "undo.sh", change.undo_script(), 0o700)
    write_atomically(folder / "apply.sh", change.apply_script(script.first, script.after), 0o700)
    write_atomically(folder / "manifest.json", json.dumps(manifest.to_json(), indent=2), 0o600)
    return change, manifest.id


def arm(module: AnsibleModule, change: deadman.Change, confirm_seconds: int, folder: Path) -> None:
    """From here on the change undoes itself."""
    for unit in (f"{deadman.UNIT}.service", f"{deadman.UNIT}.timer", f"{deadman.APPLY_UNIT}.timer"):
        module.run_command(["systemctl", "stop", unit])
        module.run_command(["systemctl", "reset-failed", unit])
    write_atomically(Path(deadman.BOOT_UNIT_PATH), change.boot_unit())
    link = Path(deadman.BOOT_LINK_PATH)
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(deadman.BOOT_UNIT_PATH)
    (folder / "armed").touch()
    # A power cut must find the copies and the unit on the disk, not in the page cache.
    module.run_command(["sync", "--file-system", str(folder), deadman.BOOT_UNIT_PATH])
    for argv in (change.arm_argv(confirm_seconds), change.apply_argv()):
        code, _, err = module.run_command(argv)
        if code:
            (folder / "armed").unlink(missing_ok=True)
            raise OSError(f"{' '.join(argv[:4])} failed: {err.strip()}")


def begin(module: AnsibleModule, wanted: deadman.Wanted, targets: Targets, script: deadman.Script, folder: Path) -> str:
    """Prepare and arm the change, and have it applied by the host itself; its id."""
    if pending.live(folder):
        module.fail_json(
            msg="Another apply is changing this host's network at this moment, nothing was changed: wait until it has "
            "ended, then run again."
        )
    try:
        change, its_id = save(wanted, targets, script, folder)
        arm(module, change, wanted.confirm_seconds, folder)
    except OSError as error:
        for path in (deadman.BOOT_LINK_PATH, deadman.BOOT_UNIT_PATH):
            Path(path).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        module.run_command(["systemctl", "stop", f"{deadman.UNIT}.timer"])
        module.fail_json(msg=f"The change could not be prepared, nothing was changed: {error}")
    return its_id


def as_it_runs(module: AnsibleModule, wanted: deadman.Wanted) -> tuple[dict[str, Link], dict[str, Running]]:
    """The links as they run now, and the state of all that may be touched, as an undo gives it back."""
    _, out, _ = module.run_command(["ip", "-json", "address", "show"])
    links = {link.name: link for link in kernel.links(out)}
    added: dict[str, list[str]] = {name: [] for name in [*wanted.keep, *wanted.former]} | {
        name: [cidr] for name, cidr in wanted.addresses.items()
    }
    sysctls: dict[str, dict[str, int | None]] = {}
    routes: dict[str, list[str]] = {}
    for name in added:
        sysctls[name] = {}
        routes[name] = kernel.routes(module.run_command(["ip", "-4", "route", "show", "dev", name])[1])
        for key in wanted.arp:
            place = Path(f"/proc/sys/net/ipv4/conf/{name}/{key}")
            sysctls[name][key] = int(place.read_text()) if place.exists() else None
    return links, running.before(links, sysctls, routes, added)


def wishes(
    wanted: deadman.Wanted,
    links: Mapping[str, Link],
    before: Mapping[str, Running],
    former: Mapping[str, Running],
) -> tuple[deadman.Script, list[Difference]]:
    """What the kernel shall be besides what the files make it, and how it differs now."""
    if wanted.state == "absent":
        wished = running.released(former, links, wanted.addresses)
        return deadman.Script(before, first=running.runtime_commands(wished)), running.differences(links, wished)
    left = running.left(links, wanted.former)
    wished = running.desired(links, wanted.addresses, wanted.mtu, wanted.arp) | left
    return deadman.Script(before, after=running.runtime_commands(wished)), [
        *wanted.drift,
        *running.differences(links, left),
    ]


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    # netplan is a Python program: to look with it must not leave bytecode in its package.
    module.run_command_environ_update = {"PYTHONDONTWRITEBYTECODE": "1"}
    try:
        wanted = from_json(deadman.Wanted, module.params, "twinspark_netplan")
    except ShapeError as error:
        module.fail_json(msg=f"{error}.")
    if wanted.confirm_seconds < deadman.LEAST_SECONDS:
        least = f"at least {deadman.LEAST_SECONDS}, since netplan alone takes some seconds"
        module.fail_json(msg=f"confirm_seconds is {wanted.confirm_seconds}, and must be {least}.")
    links, before = as_it_runs(module, wanted)
    kept = pending.backup(wanted.state_dir)
    targets, former = (targets_of(wanted), {}) if wanted.state == "present" else originals(kept)
    paths = differing(targets)
    script, drift = wishes(wanted, links, before, former)
    result: dict[str, Any] = {
        "changed": bool(paths or (drift and targets)),
        "pending": False,
        "change": "",
        "reasons": [*paths, *(f"{entry.interface} {entry.what}" for entry in drift)],
        "diff": diffs(targets, paths, drift),
    }
    if not result["changed"]:
        module.exit_json(**result)
    if shutil.which("netplan"):
        check_in_scratch(module, targets)
    if module.check_mode:
        module.exit_json(**result)
    try:
        with pending.locked(wanted.state_dir) as folder:
            result["change"] = begin(module, wanted, targets, script, folder)
    except OSError as error:
        module.fail_json(msg=f"The change could not be prepared, nothing was changed: {error}")
    module.exit_json(**{**result, "pending": True})


if __name__ == "__main__":
    main()
