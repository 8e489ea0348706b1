"""The owner's program for a pair that was given up: how it is run, and which program root may start at all."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping, Sequence

UNIT = "twinspark-given-up"
SECONDS = 60
LONGEST = 2000  # characters of the reason
# As a user that is there for this run only, which can write nothing and gain nothing.
CONFINED = ("DynamicUser=yes", "ProtectHome=yes", "PrivateDevices=yes", f"RuntimeMaxSec={SECONDS}")


def argv(program: Sequence[str], told: Mapping[str, str]) -> list[str]:
    """systemd-run's argv. told: by name of a variable; one line each."""
    options = [f"--property={name}" for name in CONFINED]
    options += [f"--setenv={name}={one_line(value)}" for name, value in told.items()]
    run = ["systemd-run", f"--unit={UNIT}", "--quiet", "--collect", "--wait", "--service-type=exec"]
    return [*run, *options, "--", *program]


def one_line(text: str) -> str:
    """What can be read, on one line."""
    return "".join(c if c.isprintable() else " " for c in text)[:LONGEST]


def refused(path: str, found: Iterable[tuple[str, int, int]]) -> str:
    """Why the program is not started; empty where it may be.

    found: path, mode and owner's ID of the program and of every folder above it, as the links of the path lead.
    Whoever can write to one of them could put another program there.
    """
    for name, mode, owner in found:
        if owner != 0:
            return f"{name} is not root's"
        if mode & (stat.S_IWGRP | stat.S_IWOTH) and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
            return f"others than root can write to {name}"
        if name == path and not (stat.S_ISREG(mode) and mode & stat.S_IXOTH):
            return f"{name} is no program that everybody may run"
    return ""
