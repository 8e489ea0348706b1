"""The rank of this host, by itself: look at it, read its log, start it, stop it. Nothing else can be asked for.

On a peer this is the forced command of the supervisor's key.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from commands import Done, run
from core.twinspark.proof.jobs import properties
from core.twinspark.proof.json_form import to_json
from core.twinspark.serving import rank, vitals
from core.twinspark.serving.argv import LABEL
from core.twinspark.serving.causes import cause
from core.twinspark.serving.pair import HostSeen, Log
from settings import NAME

UNIT = f"{NAME}.service"
# As twinspark_serve_info reads them: ranks and devices are named at a log's start, the cause of a death at its end.
HEAD_LINES, TAIL_LINES, LAST_LINES = 4000, 600, 12
KERNEL_SECONDS = 600
SHM, PROC = Path("/dev/shm"), Path("/proc")  # noqa: S108 - looked through, not written to


def look(boot_id_path: str) -> HostSeen:
    """Everything that can be seen of this host in a moment."""
    unit = show(UNIT, rank.SHOW)
    docker = docker_runs()
    done = run(["docker", "container", "inspect", NAME]) if docker else Done(None)
    found = rank.container(done.out, LABEL) if done.code == 0 else None
    absent = done.code is not None and done.code != 0 and "no such" in done.err.lower()
    pid = found.pid if found else None
    seen = HostSeen(host="", unit=unit)
    left = 1 if found and not pid else 0
    return HostSeen(
        host="",
        boot_id=Path(boot_id_path).read_text().strip(),
        unit=unit,
        container=(found.id if pid else "") if found and done.code == 0 else "" if absent else None,
        docker=docker and (absent or done.code == 0),
        processes=vitals.processes(table(), pid) if pid else (),
        memory=rank.meminfo((PROC / "meminfo").read_text()),
        addresses=vitals.addresses(run(["ip", "-json", "-4", "address", "show"]).out),
        leftovers=left + len(segments()) if seen.over else 0,
        power=power(),
    )


def log() -> Log:
    """How far the rank has come, or what killed it."""
    unit = show(UNIT, rank.SHOW)
    lines = journal(unit.get("InvocationID") or last_invocation())
    text = [line for _, line in lines]
    return Log(rank.phase(text, unit), cause(text, kernel(lines) if rank.over(unit) else ()), tuple(text[-LAST_LINES:]))


def start() -> Done:
    """Start the rank, without waiting for it. One that runs is left as it is."""
    if not HostSeen(host="", unit=show(UNIT, rank.SHOW)).over:
        return Done(0)
    run(["systemctl", "reset-failed", UNIT])  # or the count of tries of systemd's own would refuse it one day
    return run(["systemctl", "start", "--no-block", UNIT])


def stop() -> Done:
    """Stop the rank, without waiting; where it has ended, remove what it left. To be repeated until all is gone."""
    unit = show(UNIT, rank.SHOW)
    seen = HostSeen(host="", unit=unit)
    if not seen.over or seen.active == "activating":
        return run(["systemctl", "stop", "--no-block", UNIT]) if seen.active != "deactivating" else Done(0)
    if docker_runs():
        run(["docker", "rm", "--force", NAME], 30)
    for path in segments():
        path.unlink(missing_ok=True)
    return Done(0)


def show(unit: str, names: tuple[str, ...]) -> dict[str, str]:
    """systemd's properties of a unit. Raises OSError where it gives none: of the rank nothing is known, then.

    A systemd that is too busy to answer must not look like a rank that has ended.
    """
    done = run(["systemctl", "show", unit, f"--property={','.join(names)}"])
    found = properties(done.out)
    if done.code != 0 or not found.get("ActiveState"):
        raise OSError(f"systemd does not tell of {unit}: {done.words}")
    return found


def docker_runs() -> bool:
    """Whether Docker is up. It is not asked while it is down: its socket would start one that somebody has stopped."""
    return show("docker.service", ("ActiveState",))["ActiveState"] == "active"


def table() -> Iterator[vitals.Entry]:
    """Every process of this host."""
    for path in PROC.iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):
                text = (path / "cmdline").read_bytes().decode(errors="replace")
                if found := vitals.entry((path / "stat").read_bytes().decode(errors="replace"), text):
                    yield found


def segments() -> list[Path]:
    """Shared memory that an engine of root's has left: of a name that is its libraries' own, and used by nobody."""
    found: dict[tuple[str, int], Path] = {}
    with contextlib.suppress(OSError):
        for path in SHM.iterdir():
            status = path.lstat()
            if vitals.is_segment(path.name) and stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() == 0:
                found[_file(status)] = path
    return [path for key, path in found.items() if key not in in_use()] if found else []


def in_use() -> set[tuple[str, int]]:
    """Device and inode of every file that any process has mapped or open."""
    used: set[tuple[str, int]] = set()
    for process in PROC.iterdir():
        if not process.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            used |= vitals.mapped((process / "maps").read_bytes().decode(errors="replace"))
            for handle in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    used.add(_file(handle.stat()))
    return used


def _file(status: os.stat_result) -> tuple[str, int]:
    return f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}", status.st_ino


def power() -> float | None:
    """Watts of all GPUs of this host; None where they don't tell."""
    if not shutil.which("nvidia-smi"):
        return None
    done = run(["nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits"], 5)
    return vitals.power(done.out) if done.code == 0 else None


def last_invocation() -> str:
    """The unit's last one, of which systemd has forgotten even that: a unit that ended well is unloaded."""
    done = run(["journalctl", "--quiet", "--no-pager", "--output=json", "--lines=1", f"--unit={UNIT}"])
    with contextlib.suppress(ValueError):
        found = json.loads(done.out)
        return str(found.get("_SYSTEMD_INVOCATION_ID") or found.get("INVOCATION_ID") or "")
    return ""


JOURNAL = ("journalctl", "--quiet", "--no-pager", "--output=short-unix", "--no-hostname")


def journal(invocation: str) -> list[tuple[float, str]]:
    """Start and end of the rank's log since its last start."""
    if not invocation:
        return []
    argv = [*JOURNAL, f"--unit={UNIT}", f"_SYSTEMD_INVOCATION_ID={invocation}"]
    lines = rank.journal(run([*argv, f"--lines=+{HEAD_LINES}"]).out)
    if len(lines) >= HEAD_LINES:
        lines += rank.journal(run([*argv, f"--lines={TAIL_LINES}"]).out)
    return lines


def kernel(lines: list[tuple[float, str]]) -> list[str]:
    """The kernel's log of the time in which the rank died."""
    if not lines:
        return []
    since = max(lines[0][0], lines[-1][0] - KERNEL_SECONDS)
    return [line for _, line in rank.journal(run([*JOURNAL, "--dmesg", f"--since=@{int(since)}"]).out)]


def answer(verb: str, boot_id_path: str) -> tuple[Any, int]:
    """What a verb gives, as JSON, and the exit code. Raises KeyError for a verb that there is none."""
    if verb in ("look", "log"):
        return to_json({"look": lambda: look(boot_id_path), "log": log}[verb]()), 0
    done = {"start": start, "stop": stop}[verb]()
    return {"ok": done.code == 0, "error": "" if done.code == 0 else done.words}, 0 if done.code == 0 else 1
