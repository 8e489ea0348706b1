#!/usr/bin/python
"""Ansible module: read what the network of a host is and who configures it. Changes nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_network_info
short_description: Read links, addresses, netplan files and their rivals, and who answers for an address on the wire
description:
  - Reads the kernel's state, every netplan file (without its secrets), what NetworkManager and networkd configure
    beside netplan, and over which interface the controller is connected.
  - With O(probe) it asks by ARP whether somebody already uses an address. Nothing is changed.
options:
  interfaces: {description: Interfaces whose ARP settings are read., type: list, elements: str, default: []}
  management: {description: Address by which the controller knows the host., type: str, default: ""}
  probe: {description: Address to the interface on which it is asked for., type: dict, default: {}}
  targets: {description: Addresses whose route is looked up., type: list, elements: str, default: []}
  sysfs_root: {description: Root of the tree that holds sys/class., type: path, default: /}
  places: {description: "Folders in which files will be written, for their free space.", type: list, elements: path,
           default: []}
  boot_state: {description: "Also ask netplan, in a scratch root, what the next boot would bring.", type: bool,
               default: false}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Read the network
  twinspark_network_info:
    interfaces: [enp1s0f1np1]
    probe: {192.168.177.11: enp1s0f1np1}
"""

RETURN = r"""
network:
  description: hostname, model, links, files, foreign, owners, management, sysctls, wire, routes, free_bytes, boot.
  type: dict
  returned: always
"""

import dataclasses
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.network import netplan, owners
from ansible.module_utils.twinspark.network.state import (
    Boot,
    Foreign,
    Link,
    Management,
    NetplanFile,
    Network,
    Owner,
    Route,
)
from ansible.module_utils.twinspark.proof.json_form import to_json
from ansible.module_utils.twinspark_host import kernel

ARGUMENTS: dict[str, Any] = {
    "interfaces": {"type": "list", "elements": "str", "default": []},
    "management": {"type": "str", "default": ""},
    "probe": {"type": "dict", "default": {}},
    "targets": {"type": "list", "elements": "str", "default": []},
    "sysfs_root": {"type": "path", "default": "/"},
    "boot_state": {"type": "bool", "default": False},
    "places": {"type": "list", "elements": "path", "default": []},
}
PLACES = ("lib", "etc", "run")
PROBE_SECONDS = 1.0


def read(path: Path) -> str:
    """A file's text without the last newline, "" when it can't be read (sysfs says EINVAL for a link that is down)."""
    try:
        return path.read_text().rstrip("\n")
    except (OSError, UnicodeDecodeError):
        return ""


def links(module: AnsibleModule, root: Path) -> list[Link]:
    """The kernel's links with what sysfs knows of their hardware."""
    code, out, err = module.run_command(["ip", "-json", "address", "show"])
    if code:
        module.fail_json(msg=f"ip can't list the links: {err.strip()}. Install iproute2.")
    return [with_hardware(link, root / "sys/class/net" / link.name) for link in kernel.links(out)]


def with_hardware(link: Link, device: Path) -> Link:
    """A link with what its folder in sysfs tells."""
    driver, hcas = device / "device/driver", device / "device/infiniband"
    return dataclasses.replace(
        link,
        phys_port_name=read(device / "phys_port_name"),
        driver=driver.readlink().name if driver.is_symlink() else "",
        pci=(device / "device").resolve().name if (device / "device").exists() else "",
        hca=next((entry.name for entry in sorted(hcas.iterdir())), "") if hcas.is_dir() else "",
    )


def netplan_files() -> list[NetplanFile]:
    """Every netplan file in netplan's own order, without secrets. A file of the same name in a later place wins."""
    found: dict[str, Path] = {}
    for place in PLACES:
        for path in sorted(Path(f"/{place}/netplan").glob("*.yaml")):
            found[path.name] = path
    return [
        NetplanFile(
            path=str(found[name]),
            text=netplan.redact(found[name].read_text(errors="replace")),
            mode=f"{found[name].stat().st_mode & 0o7777:04o}",
        )
        for name in sorted(found)
    ]


def rivals(found: Sequence[Link]) -> list[Foreign]:
    """What configures links beside netplan. Profiles hold secrets: only the name of the link leaves the host."""
    rows = []
    for path in sorted(Path("/etc/systemd/network").glob("*.network")):
        rows += [(path, "networkd", name) for name in owners.networkd_links(path.name, read(path), found)]
    for path in sorted(Path("/etc/NetworkManager/system-connections").glob("*.nmconnection")):
        rows += [(path, "NetworkManager", name) for name in owners.profile_links(read(path), found)]
    return [Foreign(str(path), kind, name) for path, kind, name in rows]


def runtime_owners(module: AnsibleModule) -> dict[str, Owner]:
    """Link to the daemon that has configured it, as it runs, and that daemon's file."""
    found = {}
    for entry in Path("/sys/class/net").iterdir():
        file = owners.networkd_runtime(read(Path("/run/systemd/netif/links") / read(entry / "ifindex")))
        if file:
            found[entry.name] = Owner("networkd", file)
    if shutil.which("nmcli"):
        argv = ["nmcli", "--terse", "--fields", "DEVICE,FILENAME", "connection", "show", "--active"]
        for name, file in owners.manager_runtime(module.run_command(argv, environ_update={"LC_ALL": "C"})[1]).items():
            found[name] = Owner("NetworkManager", file)
    return found


def management(found: Sequence[Link], address: str) -> Management:
    """The interface under the controller's connection: as sshd told our ancestors, else the one with the address."""
    connection = None
    process = os.getppid()
    while process > 1 and connection is None:
        try:
            connection = kernel.ssh_connection(Path(f"/proc/{process}/environ").read_bytes())
            process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            break
    server = connection[1] if connection else address
    for link in found:
        if any(entry.partition("/")[0] == server for entry in link.addresses):
            return Management(server, link.name, tuple(other.name for other in found if other.master == link.name))
    return Management(server)


def on_the_wire(found: Sequence[Link], probe: Mapping[str, str]) -> dict[str, str]:
    """Address to the MAC that already answers for it. Links that are down can't be asked."""
    macs = {link.name: bytes.fromhex(link.mac.replace(":", "")) for link in found if link.carrier}
    answers: dict[str, str] = {}
    for address, interface in probe.items():
        if len(macs.get(interface, b"")) != 6:
            continue
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)) as wire:
            wire.bind((interface, 0x0806))
            wire.settimeout(0.1)
            end = time.monotonic() + PROBE_SECONDS
            wire.send(kernel.arp_probe(macs[interface], address))
            while address not in answers and time.monotonic() < end:
                try:
                    owner = kernel.arp_owner(wire.recv(2048), address, macs[interface])
                except TimeoutError:
                    continue
                if owner:
                    answers[address] = owner
    return answers


def boot(module: AnsibleModule, interfaces: list[str]) -> Boot:
    """Whether netplan, given the files on disk, would generate at boot what it has generated now.

    `others` are generated files of other interfaces that would differ: changes that wait in somebody else's file.
    """
    scratch = Path(tempfile.mkdtemp(prefix="twinspark-netplan-"))
    try:
        for place in PLACES:
            if Path(f"/{place}/netplan").is_dir():
                shutil.copytree(f"/{place}/netplan", scratch / place / "netplan")
        code, _, err = module.run_command(["netplan", "generate", "--root-dir", str(scratch)])
        if code:
            return Boot(reason=f"netplan generate fails: {err.strip()}")
        differ = []
        for folder in ("run/systemd/network", "run/NetworkManager/system-connections"):
            now = {path.name: read(path) for path in Path("/", folder).glob("*netplan-*")}
            then = {path.name: read(path) for path in (scratch / folder).glob("*netplan-*")}
            differ += sorted(name for name in {*now, *then} if now.get(name) != then.get(name))
        ours = re.compile(rf"netplan-(?:{'|'.join(map(re.escape, interfaces))})\.(?:network|link|nmconnection)$")
        mine = [name for name in differ if ours.search(name)]
        reason = f"the next boot would bring another {', '.join(mine)}" if mine else ""
        return Boot(not mine, reason, tuple(name for name in differ if name not in mine))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def identity(root: Path) -> tuple[str, str]:
    """The host's name, and its maker's with the model."""
    words = [read(root / "sys/class/dmi/id" / name) for name in ("sys_vendor", "product_name")]
    return socket.gethostname(), " ".join(filter(None, words))


def free_bytes(places: list[str]) -> dict[str, int]:
    """Free bytes where files and their copies are written; 0 where no inode is free or nothing can be written."""
    free = {}
    for place in dict.fromkeys([*places, "/etc/systemd/system", "/run", tempfile.gettempdir()]):
        folder = Path(place)
        while not folder.is_dir():
            folder = folder.parent
        stat = os.statvfs(folder)
        closed = stat.f_flag & os.ST_RDONLY or (stat.f_files and not stat.f_favail)
        free[str(folder)] = 0 if closed else stat.f_bavail * stat.f_frsize
    return free


def arp_settings(interfaces: list[str]) -> dict[str, dict[str, int | None]]:
    """arp_ignore and arp_announce by interface, None where the interface is not there."""
    found = {}
    for name in interfaces:
        values = {key: read(Path(f"/proc/sys/net/ipv4/conf/{name}/{key}")) for key in ("arp_announce", "arp_ignore")}
        found[name] = {key: int(value) if value.isdigit() else None for key, value in values.items()}
    return found


def given(network: Network, *, boot_state: bool) -> dict[str, object]:
    """The network as the module gives it: without what only `twinspark init` hears, or what was not asked for."""
    missing = {"heard", "endpoint"} | (set() if boot_state else {"boot"})
    return {key: value for key, value in to_json(network).items() if key not in missing}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    # netplan is a Python program: to look with it must not leave bytecode in its package.
    module.run_command_environ_update = {"PYTHONDONTWRITEBYTECODE": "1"}
    params = module.params
    found = links(module, Path(params["sysfs_root"]))
    installed = shutil.which("netplan") is not None
    routes = {
        target: Route(**kernel.route_device(module.run_command(["ip", "-json", "route", "get", target])[1]))
        for target in params["targets"]
    }
    hostname, model = identity(Path(params["sysfs_root"]))
    network = Network(
        hostname=hostname,
        model=model,
        links=tuple(found),
        files=tuple(netplan_files()),
        foreign=tuple(rivals(found)),
        owners=runtime_owners(module),
        management=management(found, params["management"]),
        sysctls=arp_settings(params["interfaces"]),
        wire=on_the_wire(found, params["probe"]),
        routes=routes,
        free_bytes=free_bytes(params["places"]),
        netplan_installed=installed,
        boot=boot(module, params["interfaces"]) if installed and params["boot_state"] else Boot(reason="no netplan"),
    )
    module.exit_json(changed=False, network=given(network, boot_state=params["boot_state"]))


if __name__ == "__main__":
    main()
