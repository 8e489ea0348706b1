#!/usr/bin/python
"""Ansible module: read what a host is, for preflight's judgement. Changes nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_preflight_info
short_description: Read versions, memory, space, ports, clock and users of a host
options:
  user: {description: Login user., type: str, required: true}
  commands: {description: Commands to look for., type: list, elements: str, default: []}
  disks: {description: "What needs room: what, path, gib, and content (a path whose files count as there already).",
          type: list, elements: dict, default: []}
  image: {description: Image that needs no room if Docker has it., type: str, default: ""}
  ports: {description: TCP ports that shall be free., type: list, elements: int, default: []}
  units: {description: Patterns of the project's own units., type: list, elements: str, default: []}
  controller_time: {description: Seconds since the epoch by the controller's clock., type: float, default: 0}
  sysfs_root: {description: Root of the tree that holds sys/class., type: path, default: /}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Read the state of the host
  twinspark_preflight_info: {user: spark, ports: [8000]}
"""

RETURN = r"""
facts: {description: What was found., type: dict, returned: always}
"""

import os
import platform
import pwd
import shutil
import socket
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.inventory import host_facts
from ansible.module_utils.twinspark.proof.json_form import to_json

ARGUMENTS: dict[str, Any] = {
    "user": {"type": "str", "required": True},
    "commands": {"type": "list", "elements": "str", "default": []},
    "disks": {"type": "list", "elements": "dict", "default": []},
    "image": {"type": "str", "default": ""},
    "ports": {"type": "list", "elements": "int", "default": []},
    "units": {"type": "list", "elements": "str", "default": []},
    "controller_time": {"type": "float", "default": 0},
    "sysfs_root": {"type": "path", "default": "/"},
}


def read(path: Path) -> str:
    """A file's text, "" when it can't be read."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def run(module: AnsibleModule, argv: list[str]) -> tuple[int, str, str]:
    """Run a command that may not be there."""
    if not shutil.which(argv[0]):
        return 127, "", f"{argv[0]} is not installed"
    code, out, err = module.run_command(argv, environ_update={"LC_ALL": "C"})
    return code, out.strip(), err.strip()


def gpu(module: AnsibleModule) -> dict[str, Any]:
    """Driver and names of the GPUs, or why there are none."""
    code, out, err = run(module, ["nvidia-smi", "--query-gpu=driver_version,name", "--format=csv,noheader"])
    if code or not out:
        return {"driver": "", "names": [], "problem": (err or out).splitlines()[0] if err or out else ""}
    rows = [line.split(", ", 1) for line in out.splitlines()]
    return {"driver": rows[0][0], "names": [row[-1] for row in rows], "problem": ""}


def content_bytes(path: Path) -> int:
    """Bytes that the regular files below path take on the disk; links are not followed."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            stat = (Path(folder) / name).lstat()
            total += stat.st_blocks * 512
    return total


def disk(entry: dict[str, Any], image_there: bool) -> dict[str, Any]:
    """Room for one need, at its nearest folder that exists."""
    place = Path(entry["path"])
    while not place.exists():
        place = place.parent
    stat = os.statvfs(place)
    mount = place.resolve()
    while not mount.is_mount():
        mount = mount.parent
    need = int(float(entry["gib"]) * host_facts.GIB)
    present = content_bytes(Path(entry["content"])) if entry.get("content") else 0
    return {
        "what": entry["what"],
        "path": entry["path"],
        "mount": str(mount),
        "device": place.stat().st_dev,
        "free": stat.f_bavail * stat.f_frsize,
        "need": need,
        "present": need if entry["what"] == "image" and image_there else present,
    }


def own_units(module: AnsibleModule) -> list[str]:
    """The project's units that are active now."""
    patterns = module.params["units"]
    argv = ["systemctl", "list-units", "--plain", "--no-legend", "--state=active,activating", *patterns]
    return [line.split()[0] for line in run(module, argv)[1].splitlines() if line.split()] if patterns else []


def clock(module: AnsibleModule) -> dict[str, Any]:
    """Offset against the controller in seconds (the connection's delay is in it), and whether systemd sees a source."""
    offset = time.time() - module.params["controller_time"] if module.params["controller_time"] else 0.0
    synchronized = run(module, ["timedatectl", "show", "--property=NTPSynchronized", "--value"])[1]
    return {"offset": round(offset, 2), "synchronized": synchronized == "yes"}


def user(name: str) -> str:
    """The user with its numbers."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return f"{name} (not there)"
    return f"{name} {entry.pw_uid}:{entry.pw_gid}"


def nics(root: Path) -> list[dict[str, str]]:
    """RoCE devices, their firmware, and the PCIe lanes that they have now."""
    folder = root / "sys/class/infiniband"
    devices = sorted(folder.iterdir()) if folder.is_dir() else []
    return [
        {
            "hca": device.name,
            "firmware": read(device / "fw_ver"),
            "width": read(device / "device/current_link_width"),
        }
        for device in devices
    ]


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    params = module.params
    release = host_facts.os_release(read(Path("/etc/os-release")))
    dgx = host_facts.os_release(read(Path("/etc/dgx-release")))
    image = params["image"]
    image_there = bool(image) and run(module, ["docker", "image", "inspect", image])[0] == 0
    listening = host_facts.listeners(run(module, ["ss", "-H", "-l", "-t", "-n", "-p"])[1])
    facts = {
        "os": {
            "name": release.get("PRETTY_NAME", ""),
            "dgx": dgx.get("DGX_OTA_VERSION") or dgx.get("DGX_SWBUILD_VERSION", ""),
        },
        "kernel": platform.release(),
        "arch": platform.machine(),
        "hostname": socket.gethostname(),
        "user": user(params["user"]),
        "root": os.geteuid() == 0,
        "gpu": gpu(module),
        "nics": nics(Path(params["sysfs_root"])),
        "docker": run(module, ["docker", "version", "--format", "{{.Server.Version}}"])[1],
        "clock": clock(module),
        "memory": to_json(host_facts.meminfo(read(Path("/proc/meminfo")))),
        "disks": [disk(entry, image_there) for entry in params["disks"]],
        "ports": [{"port": port, "holder": listening.get(port, "")} for port in params["ports"]],
        "commands": {command: shutil.which(command) is not None for command in params["commands"]},
        "own_units": own_units(module),
    }
    module.exit_json(changed=False, facts=facts)


if __name__ == "__main__":
    main()
