"""The password of sudo on the hosts: asked for, never taken from a command line."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from .errors import UsageError

AskBecome = Annotated[
    bool, typer.Option("--ask-become-pass", "-K", help="Ask for the password that sudo on the hosts wants.")
]


def become_password(asked: bool) -> str:
    """The password of sudo on the hosts, typed where nobody sees it; empty when it is not asked for."""
    if not asked:
        return ""
    if not sys.stdin.isatty():
        raise UsageError(
            "--ask-become-pass asks at a terminal, and there is none: keep ansible_become_password in a vault file"
        )
    given = getpass.getpass("sudo password on the hosts: ")
    if not given:
        raise UsageError("no password was typed: leave --ask-become-pass out where sudo asks for none")
    return given
