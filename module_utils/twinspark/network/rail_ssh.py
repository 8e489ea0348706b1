"""ssh from one host to another over a rail: one argv, with pinned host keys, for everything that needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


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


def peers(entries: Sequence[Mapping[str, Any]], settings: Mapping[str, str]) -> list[dict[str, Any]]:
    """[{name, ssh}] for entries of the fabric, over each one's first rail. `settings`: key, known_hosts, user."""
    return [
        {
            "name": entry["host"],
            "ssh": ssh_argv(
                entry["rails"][0]["address"],
                settings.get("user") or entry["user"],
                settings["key"],
                settings["known_hosts"],
            ),
        }
        for entry in entries
    ]
