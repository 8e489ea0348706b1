"""ssh from one host to another over a rail: one argv, with pinned host keys, for everything that needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..inventory.fabric import Host


def ssh_argv(address: str, user: str, key: str, known_hosts: str) -> list[str]:
    """ssh up to the remote command. It never asks, never guesses a key, and never trusts a new host key.

    The cipher is the fastest one with hardware support on these hosts (LAB measured it at 1.6 times the default).
    """
    options = {
        "BatchMode": "yes",
        "IdentitiesOnly": "yes",
        "IdentityFile": key,
        "UserKnownHostsFile": known_hosts,
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "Ciphers": "aes128-gcm@openssh.com",
        "Compression": "no",
        "ConnectTimeout": "10",
        "ServerAliveInterval": "15",
        "LogLevel": "ERROR",
    }
    argv = ["ssh", "-F", "none"]
    for name, value in options.items():
        argv += ["-o", f"{name}={value}"]
    return [*argv, "-l", user, address]


@dataclass(frozen=True, slots=True)
class Identity:
    """key and known_hosts: files of the user who logs in; user "": the inventory's."""

    key: str
    known_hosts: str
    user: str = ""


@dataclass(frozen=True, slots=True)
class Peer:
    """A host and the argv that reaches it, up to the remote command."""

    name: str
    ssh: list[str]


def peers(entries: Sequence[Host], identity: Identity) -> list[Peer]:
    """How to reach each of the entries over its first rail."""
    return [
        Peer(
            entry.host,
            ssh_argv(entry.rails[0].address, identity.user or entry.user, identity.key, identity.known_hosts),
        )
        for entry in entries
    ]
