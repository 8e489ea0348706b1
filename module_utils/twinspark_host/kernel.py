"""What `ip -json`, ping and ARP say about links, as plain data. Parsers only."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Mapping
from typing import Any

from ..twinspark.network.state import Link
from ..twinspark.proof.foreign import ForeignError, decimal, items, json_of, mapping

LINK_LOCAL = "fe80:"
LONGEST = 1 << 20  # characters of ping's output


def links(text: str) -> list[Link]:
    """`ip -json address show`; link-local IPv6 left out, and without what sysfs knows. Raises ForeignError."""
    return [_link(link) for link in map(mapping, items(json_of(text or "[]"))) if _text(link.get("ifname"))]


def _link(link: Mapping[str, Any]) -> Link:
    addresses = map(mapping, items(link.get("addr_info")))
    mtu = link.get("mtu")
    return Link(
        name=link["ifname"],
        mac=_text(link.get("address")),
        mtu=mtu if isinstance(mtu, int) else None,
        up="UP" in items(link.get("flags")),
        carrier="LOWER_UP" in items(link.get("flags")),
        master=_text(link.get("master")),
        addresses=tuple(
            f"{info['local']}/{info.get('prefixlen')}"
            for info in addresses
            if _text(info.get("local")) and not info["local"].startswith(LINK_LOCAL)
        ),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def route_device(text: str) -> dict[str, str]:
    """`ip -json route get A` as {device, source}; empty strings when there is no route."""
    try:
        routes = items(json_of(text or "[]"))
    except ForeignError:
        routes = []
    route = mapping(routes[0]) if routes else {}
    return {"device": _text(route.get("dev")), "source": _text(route.get("prefsrc"))}


def routes(text: str) -> list[str]:
    """`ip route show dev X` as lines that `ip route replace` takes again, those by gateway last."""
    flags = {"linkdown", "dead", "onlink", "offload"}
    lines = [" ".join(word for word in line.split() if word not in flags) for line in text.splitlines()]
    return sorted((line for line in lines if line), key=lambda line: " via " in line)


def ping(text: str) -> dict[str, Any]:
    """Output of iputils ping as {sent, received, rtt_ms, problem}; rtt_ms is the average, None without an answer."""
    text = text[:LONGEST]
    counts = re.search(r"\b([0-9]{1,18}) packets transmitted, ([0-9]{1,18})(?: packets)? received", text)
    rtt = re.search(r"= [0-9.]{1,20}/([0-9.]{1,20})/[0-9.]{1,20}", text)
    problem = ""
    for pattern in (
        r"[Mm]essage too long(?:, mtu[=:] ?\d+)?",
        r"Frag(?:mentation)? needed.*",
        r"Destination Host Unreachable",
        r"Network is unreachable",
        r"unknown iface \S+|Cannot bind to (?:device|interface).*|SO_BINDTODEVICE.*",
        r"[Nn]o such device",
    ):
        found = re.search(pattern, text)
        if found:
            problem = found[0]
            break
    return {
        "sent": int(counts[1]) if counts else 0,
        "received": int(counts[2]) if counts else 0,
        "rtt_ms": decimal(rtt[1]) if rtt else None,
        "problem": problem,
    }


def arp_probe(mac: bytes, address: str) -> bytes:
    """An ARP probe (RFC 5227): who has `address`, asked by nobody."""
    ethernet = b"\xff" * 6 + mac + struct.pack("!H", 0x0806)
    arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + b"\0" * 4 + b"\0" * 6 + socket.inet_aton(address)
    return ethernet + arp


def arp_owner(frame: bytes, address: str, mac: bytes) -> str:
    """The MAC that says in this frame that it owns `address`, "" when it says nothing of that, or is our own."""
    if len(frame) < 42 or frame[12:14] != b"\x08\x06" or frame[28:32] != socket.inet_aton(address):
        return ""
    owner = frame[22:28]
    return "" if owner == mac else owner.hex(":")


def ssh_connection(environ: bytes) -> tuple[str, str] | None:
    """(client, server) addresses of SSH_CONNECTION in a /proc/PID/environ, None without one."""
    for entry in environ.split(b"\0"):
        if entry.startswith(b"SSH_CONNECTION="):
            words = entry.decode(errors="replace").partition("=")[2].split()
            if len(words) == 4:
                return words[0].partition("%")[0], words[2].partition("%")[0]
    return None
