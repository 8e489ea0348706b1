"""Ends what a run has started, also a process that left its session or lost its parent.

ansible-runner kills one process group. Ansible gives each of its workers a session of its own, so a worker that hangs
would outlive that. Every process of a run inherits a mark in its environment, by which /proc finds it wherever it went.
A process that was started without the mark (sudo drops it) is found by its parent. Only this machine is looked at:
long work on the hosts runs as systemd units, which inherit nothing.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

MARK = "TWINSPARK_RUN_ID"
PROC = Path("/proc")  # where it is missing, as on macOS, nothing is found
LOOK = 0.1  # seconds between two looks
HELD = 5.0  # seconds in which a killed process must be gone


def end(run_id: str, grace: float) -> list[int]:
    """Ask all processes of the run to end, kill those that have not done so after *grace* seconds; what is left.

    Nothing can be left but what this user may not kill, or what the kernel holds (a dead disk or NFS server).
    """
    deadline = time.monotonic() + max(0.0, grace)
    asked: set[int] = set()
    while left := of_run(run_id):
        late = time.monotonic() >= deadline
        refused = [pid for pid in left if (late or pid not in asked) and not sent(pid, late)]
        asked.update(left)
        if late and (refused == left or time.monotonic() >= deadline + HELD):
            return left
        time.sleep(LOOK)
    return []


def sent(pid: int, late: bool) -> bool:
    """Send SIGTERM, or SIGKILL when it is late; False where that is not allowed."""
    try:
        os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True


def of_run(run_id: str) -> list[int]:
    """Processes that have the mark, and what they have started. One that has ended and awaits its parent is none."""
    mark = f"{MARK}={run_id}".encode()
    parents: dict[int, int] = {}
    found: set[int] = set()
    for entry in PROC.glob("[0-9]*"):
        pid = int(entry.name)
        try:
            # "pid (name) state parent ...", and a name may hold anything.
            state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state == "Z" or pid == os.getpid():
                continue
            parents[pid] = int(parent)
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.add(pid)
        except (OSError, ValueError):  # it has ended meanwhile, or is another user's
            continue
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)
