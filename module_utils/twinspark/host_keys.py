"""Whether a connection variable would let a host in whose ssh key nobody has compared. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Ansible's variables that hold arguments for ssh, and those that switch the checking itself (true is the safe value).
ARGUMENTS = (
    "ansible_ssh_args",
    "ansible_ssh_common_args",
    "ansible_ssh_extra_args",
    "ansible_scp_extra_args",
    "ansible_sftp_extra_args",
)
SWITCHES = (
    "ansible_host_key_checking",
    "ansible_ssh_host_key_checking",
    "ansible_paramiko_host_key_checking",
)
AUTO_ADD = "ansible_paramiko_host_key_auto_add"
VARIABLES = (*ARGUMENTS, *SWITCHES, AUTO_ADD)

# ssh's options that decide it, as ssh_config(5) writes them, each with the only values that weaken nothing; an empty
# tuple stands for any value but those of NOWHERE. An empty GlobalKnownHostsFile only takes known keys away.
OPTIONS: dict[str, tuple[str, ...]] = {
    "StrictHostKeyChecking": ("yes", "true"),
    "UserKnownHostsFile": (),
    "VerifyHostKeyDNS": ("no", "false", "ask"),
    "KnownHostsCommand": ("none",),
    "NoHostAuthenticationForLocalhost": ("no", "false"),
}
NOWHERE = ("/dev/null", "none")
OPTION = re.compile(rf"({'|'.join(OPTIONS)})[\s=\"']*([^\s\"']*)", re.IGNORECASE)
CURE = "remove it, log in once by hand, compare the fingerprint, and leave it pinned"


def weakness(name: str, value: Any) -> str:
    """What in the variable weakens the checking, as one would write it; empty when nothing does."""
    if name in SWITCHES:
        return "" if truth(value) else f"{name}={value}"
    if name == AUTO_ADD:
        return f"{name}={value}" if truth(value) else ""
    if name in ARGUMENTS:
        return next((f"{option}={given} in {name}" for option, given in options(value) if weakens(option, given)), "")
    return ""


def options(arguments: Any) -> list[tuple[str, str]]:
    """The options of OPTIONS in arguments for ssh (a text or a list), spelt as there."""
    text = " ".join(map(str, arguments)) if isinstance(arguments, list | tuple) else str(arguments)
    spelling = {option.lower(): option for option in OPTIONS}
    return [(spelling[option.lower()], given) for option, given in OPTION.findall(text)]


def weakens(option: str, given: str) -> bool:
    """Whether ssh's option with this value lets an unknown key pass."""
    harmless = OPTIONS[option]
    return given.lower() not in harmless if harmless else given.lower() in NOWHERE


def truth(value: Any) -> bool:
    """Ansible's own idea of true; anything else is none."""
    return str(value).strip().lower() in {"true", "yes", "on", "y", "t", "1", "1.0"}


def problems(where: str, variables: Mapping[str, Any]) -> list[str]:
    """A sentence for each variable that weakens the checking; `where` says whose it is."""
    found = (weakness(name, value) for name, value in variables.items())
    return [f"{where}: {clause} lets any machine answer for the host: {CURE}" for clause in found if clause]
