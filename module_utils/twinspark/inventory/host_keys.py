"""Whether a connection variable would let a host in whose ssh key nobody has compared. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
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
# Another program in ssh's place checks what it likes.
EXECUTABLES = ("ansible_ssh_executable", "ansible_scp_executable", "ansible_sftp_executable")
VARIABLES = (*ARGUMENTS, *SWITCHES, AUTO_ADD, *EXECUTABLES)
# What of these ansible.cfg and the environment can set, as the ssh plugin names it.
SETTINGS = ("host_key_checking", *(name.removeprefix("ansible_") for name in (*ARGUMENTS, *EXECUTABLES)))
# Ansible puts these arguments before all others, and ssh takes the first value it meets, that of a command line before
# any file's. So the strict checking that ansible.cfg has here holds whatever -F, ~/.ssh/config or later arguments say.
FIRST = "ansible_ssh_args"
STRICT = "StrictHostKeyChecking"

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
DASH_O = re.compile(r"-\w*o")
LONGEST_LEAD = 100  # characters
LONGEST = 100_000  # characters
PINNED = "compare the fingerprint, and keep it pinned"


def weakness(name: str, value: Any) -> str:
    """What in the variable weakens the checking, and the fix, as a clause; empty when nothing does. Null is unset."""
    if value is None:
        return ""
    if name in ARGUMENTS:
        return weak_arguments(name, value)
    if name in EXECUTABLES:
        usual = name.split("_")[1]
        swapped = str(value) not in {usual, f"/usr/bin/{usual}"}
        return f"{name}={value} runs another program than {usual}, which may check no host key: remove it" * swapped
    weak = (name in SWITCHES and not truth(value)) or (name == AUTO_ADD and truth(value))
    return answered_by_any(f"{name}={value}") if weak else ""


def weak_arguments(name: str, value: Any) -> str:
    """The same for arguments of ssh."""
    found = options(value)
    for option, given, direct in found:
        if weakens(option, given):
            clause = f"{option}={given} in {name}"
            return answered_by_any(clause) if direct else unchecked_on_the_way(clause)
    if name == FIRST and not any(option == STRICT and direct for option, _, direct in found):
        return (
            f"{name} lacks `-o {STRICT}=yes`, without which a configuration of ssh's own may let any machine answer "
            "for the host: add it, or leave the variable out and use ansible_ssh_common_args"
        )
    return ""


def answered_by_any(clause: str) -> str:
    """What follows for the host itself."""
    return f"{clause} lets any machine answer for the host: remove it, log in once by hand, {PINNED}"


def unchecked_on_the_way(clause: str) -> str:
    """What follows where another ssh inside a ProxyCommand is given it."""
    return (
        f"{clause}, inside another option, lets any machine answer for one on the way to the host: remove it, log in "
        f"there once by hand, {PINNED}"
    )


def options(arguments: Any) -> list[tuple[str, str, bool]]:
    """The options of OPTIONS in arguments for ssh (a text or a list), spelt as there, with their values, and whether
    it is this ssh that is given them, not one inside a ProxyCommand.
    """
    text = " ".join(map(str, arguments)) if isinstance(arguments, list | tuple) else str(arguments)
    try:
        # As Ansible does, but for what no command line holds: shlex takes the square of a word's length.
        words = shlex.split(text) if len(text) < LONGEST else [text]
    except ValueError:
        words = [text]
    spelling = {option.lower(): option for option in OPTIONS}
    found = []
    for before, word in zip(["", *words], words, strict=False):
        for match in OPTION.finditer(word):
            # An option's own letters are few: what is longer is another command.
            lead = word[: match.start()].strip() or before if match.start() < LONGEST_LEAD else ""
            found.append((spelling[match[1].lower()], match[2], bool(DASH_O.fullmatch(lead))))
    return found


def weakens(option: str, given: str) -> bool:
    """Whether ssh's option with this value lets an unknown key pass."""
    harmless = OPTIONS[option]
    return given.lower() not in harmless if harmless else given.lower() in NOWHERE


def truth(value: Any) -> bool:
    """Ansible's own idea of true; anything else is none."""
    return str(value).strip().lower() in {"true", "yes", "on", "y", "t", "1", "1.0"}


def problems(where: str, variables: Mapping[str, Any]) -> list[str]:
    """A sentence for each variable that weakens the checking; `where` says whose it is."""
    found = (weakness(name, variables[name]) for name in VARIABLES if name in variables)
    return [f"{where}: {clause}" for clause in found if clause]


def unpinned(
    hosts: Sequence[str], variables: Mapping[str, Mapping[str, Any]], settings: Mapping[str, Any]
) -> list[str]:
    """What would let in a host whose key nobody has compared: in each host's variables, and in what ansible.cfg and the
    environment say of the same names to a host that has none.
    """
    found = [text for host in hosts for text in problems(host, variables[host])]
    return found + problems("ansible.cfg or the environment", settings)
