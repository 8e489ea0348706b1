#!/usr/bin/python
"""Ansible module: find out by link-layer beacons which interface is cabled to which. Configures nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_link_probe_info
short_description: Send and hear link-layer beacons, to see which cage is cabled to which
description:
  - Sends small broadcast frames of an experimental Ethernet type on every given interface that is up, and listens.
    Run it on all hosts at the same time. No address and no setting is needed or changed.
  - A link that comes up meanwhile is spoken on from then on.
options:
  host: {description: Name by which the other hosts know this one., type: str, required: true}
  interfaces: {description: Interfaces to speak and listen on., type: list, elements: str, required: true}
  seconds: {description: "How long: it has to span the hosts' different starts.", type: int, default: 8}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Read the beacons from the other end
  twinspark_link_probe_info: {host: 10.0.0.1, interfaces: [enp1s0f1np1]}
"""

RETURN = r"""
heard: {description: Interface to the host and interface of each beacon that it heard., type: dict, returned: always}
"""

import selectors
import socket
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.network import discovery

ARGUMENTS: dict[str, Any] = {
    "host": {"type": "str", "required": True},
    "interfaces": {"type": "list", "elements": "str", "required": True},
    "seconds": {"type": "int", "default": 8},
}
PAUSE = 0.25


def is_up(interface: str) -> bool:
    """Whether the interface can carry a frame."""
    try:
        return Path(f"/sys/class/net/{interface}/carrier").read_text().strip() == "1"
    except OSError:
        return False


def open_wire(interface: str) -> socket.socket:
    """A raw socket that hears beacons on one interface."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(discovery.ETHERTYPE))
    wire.bind((interface, discovery.ETHERTYPE))
    wire.setblocking(False)
    return wire


def send(wire: socket.socket, frame: bytes) -> None:
    """Send a beacon; a link that goes down meanwhile is no reason to stop on the others."""
    try:
        wire.send(frame)
    except OSError:
        return


def listen(selector: selectors.BaseSelector, heard: dict[str, set[tuple[str, str]]], host: str) -> None:
    """Take all beacons of other hosts that are there, and wait a little for more."""
    for key, _ in selector.select(PAUSE):
        wire = key.fileobj
        if not isinstance(wire, socket.socket):
            continue
        try:
            beacon = discovery.read_beacon(wire.recv(2048))
        except OSError:
            continue
        if beacon and beacon[0] != host:
            heard[key.data].add(beacon)


def open_new(names: list[str], wires: dict[str, socket.socket], selector: selectors.BaseSelector) -> None:
    """Open a wire on every interface that has come up."""
    for name in names:
        if name not in wires and is_up(name):
            wires[name] = open_wire(name)
            selector.register(wires[name], selectors.EVENT_READ, name)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    host, names = module.params["host"], module.params["interfaces"]
    wires: dict[str, socket.socket] = {}
    heard: dict[str, set[tuple[str, str]]] = {name: set() for name in names}
    end = time.monotonic() + (module.params["seconds"] if names else 0)
    spoken = 0.0
    with selectors.DefaultSelector() as selector:
        while time.monotonic() < end:
            if time.monotonic() - spoken > PAUSE:
                spoken = time.monotonic()
                open_new(names, wires, selector)
                for name, wire in wires.items():
                    send(wire, discovery.beacon(host, name, wire.getsockname()[4]))
            listen(selector, heard, host)
    for wire in wires.values():
        wire.close()
    module.exit_json(changed=False, heard={name: sorted(map(list, found)) for name, found in heard.items()})


if __name__ == "__main__":
    main()
