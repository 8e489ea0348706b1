"""SSH between the hosts over the rails: texts of known_hosts, authorized_keys and a client configuration. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..inventory.fabric import Host, me_of, peers_of

HEADER = "# Managed by twinspark: peers over the rails, and nobody else.\n"


@dataclass(frozen=True, slots=True)
class SshSettings:
    """user: whose logins these are. key_path and known_hosts_path: files of that user."""

    user: str
    port: int
    key_path: str
    known_hosts_path: str


def alias(host: str, rail: str = "") -> str:
    """The name by which ssh knows a peer: `twinspark-spark2`, over a certain rail `twinspark-spark2-rail1`."""
    return f"twinspark-{host}-{rail}" if rail else f"twinspark-{host}"


def known_hosts(entries: Sequence[Host], host: str, host_keys: Mapping[str, Sequence[str]], port: int = 22) -> str:
    """known_hosts for one host: every host key of every peer, for the peer's rail addresses and aliases only.

    host_keys: host to public host keys ("ssh-ed25519 AAAA..."), read over the management connection.
    """
    lines = []
    for peer in peers_of(entries, host):
        addresses = [rail.address for rail in peer.rails]
        names = ",".join(address if port == 22 else f"[{address}]:{port}" for address in addresses)
        lines += [f"{names} {' '.join(key.split()[:2])}" for key in sorted(host_keys[peer.host])]
    return HEADER + "".join(f"{line}\n" for line in lines)


def ssh_config(entries: Sequence[Host], host: str, settings: SshSettings) -> str:
    """An ssh_config drop-in for exactly the peers' aliases and rail addresses.

    A peer's plain alias goes over the first rail.
    """
    text = HEADER
    mine = {rail.name: rail.address for rail in me_of(entries, host).rails}
    for peer in peers_of(entries, host):
        for index, rail in enumerate(peer.rails):
            names = [alias(peer.host, rail.name), rail.address]
            names = [alias(peer.host), *names] if index == 0 else names
            options = {
                "HostName": rail.address,
                "Port": settings.port,
                "BindAddress": mine[rail.name],
                "User": settings.user,
                "IdentityFile": settings.key_path,
                "IdentitiesOnly": "yes",
                "UserKnownHostsFile": settings.known_hosts_path,
                "GlobalKnownHostsFile": "/dev/null",
                "StrictHostKeyChecking": "yes",
                "PreferredAuthentications": "publickey",
                "ConnectTimeout": 10,
            }
            text += f"\nHost {' '.join(names)}\n" + "".join(f"    {key} {value}\n" for key, value in options.items())
    return text


def authorized_keys(entries: Sequence[Host], host: str, public_keys: Mapping[str, str]) -> str:
    """The block of authorized_keys for one host: each peer's key, good from that peer's rail addresses only.

    A key that is not made yet (check mode on a new host) is announced by a comment.
    """
    lines = []
    for peer in peers_of(entries, host):
        key = public_keys.get(peer.host, "")
        sources = ",".join(rail.address for rail in peer.rails)
        lines.append(
            f'from="{sources}",restrict {" ".join(key.split()[:2])} twinspark@{peer.host}'
            if key
            else f"# the key that {peer.host} is going to make"
        )
    return "\n".join(lines)


def refused(text: str) -> str:
    """Why ssh did not log in: its last telling line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("@@@", "Warning:", "Offending", "It is also possible"))]
    for line in telling:
        if "REMOTE HOST IDENTIFICATION HAS CHANGED" in line or "Host key verification failed" in line:
            return "the peer's host key is not the pinned one"
    return telling[-1][:300] if telling else "no answer"
