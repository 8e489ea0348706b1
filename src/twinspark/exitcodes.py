"""What the exit code of `twinspark` says; the same table is in --help and docs/operations.md (held by a test)."""

from __future__ import annotations

from enum import IntEnum

from ansible.module_utils.twinspark.inventory import explain


class Exit(IntEnum):
    """A script may rely on these."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    REFUSED = 3
    UNREACHABLE = 4
    FAILED = 5
    CHANGED = 6
    INTERRUPTED = 130


MEANING = {
    Exit.OK: "done, or nothing to do",
    Exit.INTERNAL: "twinspark or its playbooks are at fault; for `rdma parse` and `lab`: no, or it can't be done",
    Exit.USAGE: "wrong command line, settings or inventory; nothing was changed",
    Exit.REFUSED: "a gate refused, or a verdict did not pass: the run stopped at that stage",
    Exit.UNREACHABLE: "a host could not be reached or used: ssh, sudo or Python on it",
    Exit.FAILED: "a task failed on a host",
    Exit.CHANGED: "with --expect-unchanged: something changed or, with --check, would change",
    Exit.INTERRUPTED: "interrupted; running it again continues",
}

OF_KIND = {
    explain.INVENTORY: Exit.USAGE,
    explain.GATE: Exit.REFUSED,
    explain.UNREACHABLE: Exit.UNREACHABLE,
    explain.TASK: Exit.FAILED,
}


def table() -> str:
    """The codes as lines of `code  meaning`."""
    return "\n".join(f"{int(code):>3}  {meaning}" for code, meaning in MEANING.items())
