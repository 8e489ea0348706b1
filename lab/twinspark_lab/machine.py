"""The machine below the lab: its Docker engine, found, installed or started."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .names import cache_home
from .shell import LabError, ensure_commands, last_words, output, run, succeeds

CAP_SYS_RESOURCE = 24


@dataclass(frozen=True)
class Machine:
    """What decides how a systemd container must be started here."""

    cgroup_version: int
    privileged: bool  # whether --privileged works


def engine_dir() -> Path:
    return cache_home() / "engine"


def has_capability(status: str, bit: int) -> bool:
    """Whether the bounding set in the text of /proc/PID/status has capability number *bit*."""
    for line in status.splitlines():
        if line.startswith("CapBnd:"):
            return bool(int(line.split()[1], 16) >> bit & 1)
    return False


def docker_answers() -> bool:
    # Not `docker info`, which is content without an engine.
    return succeeds(["docker", "version", "--format", "{{.Server.Version}}"], timeout=20)


def ensure_docker() -> str:
    """A running Docker engine's version; one is installed and started where there is none."""
    if shutil.which("docker") is None or not docker_answers():
        if os.geteuid() != 0:
            raise LabError("no Docker engine answers, and starting one needs root: start docker, or run this as root")
        ensure_commands(["dockerd", "iptables"], engine_dir() / "apt.log")
        ensure_commands(["docker"], engine_dir() / "apt.log")
        _start_engine()
    return output(["docker", "version", "--format", "{{.Server.Version}}"])


def _start_engine() -> None:
    if Path("/run/systemd/system").is_dir():
        run(["systemctl", "start", "docker.service"])
    else:
        _spawn_dockerd()
    deadline = time.monotonic() + 60
    while not docker_answers():
        if time.monotonic() > deadline:
            raise LabError(f"the Docker engine was started but gives no answer: see {engine_dir() / 'dockerd.log'}")
        time.sleep(0.3)


def _spawn_dockerd() -> None:
    engine_dir().mkdir(parents=True, exist_ok=True)
    dockerd = shutil.which("dockerd")
    if dockerd is None:
        raise LabError("dockerd is not installed on this machine")
    with (engine_dir() / "dockerd.log").open("ab") as log:
        child = subprocess.Popen(
            [dockerd], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )
    # `down --engine-too` ends this very process and no other.
    (engine_dir() / "dockerd.json").write_text(json.dumps({"pid": child.pid, "argv": [dockerd]}))


def stop_engine() -> bool:
    """End the engine that the lab started, if it did and it still runs; whether it was."""
    note = engine_dir() / "dockerd.json"
    if not note.is_file():
        return False
    pid = int(json.loads(note.read_text())["pid"])
    try:
        ours = "dockerd" in Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        ours = False
    if ours:
        os.kill(pid, signal.SIGTERM)
        for _ in range(150):
            if not Path(f"/proc/{pid}").exists() or Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                break
            time.sleep(0.1)
    note.unlink()
    return ours


def probe(info: Mapping[str, object], status: str, refusal: str) -> Machine:
    """Machine from `docker info` (JSON), root's /proc/PID/status, and what Docker says to dropping CAP_SYS_RESOURCE.

    --privileged means every capability. Where root lacks one, an engine of 23.0 or newer leaves it out by itself (and
    refuses to name it, even to drop it); an older one fails with "unable to apply caps".
    """
    knows = "not available in the current environment" in refusal
    version = int(str(info.get("CgroupVersion") or "1"))
    return Machine(version, privileged=has_capability(status, CAP_SYS_RESOURCE) or knows)


def probe_machine() -> Machine:
    """Look at this machine. The engine is this machine's: rails need its containers' processes at hand."""
    done = run(["docker", "info", "--format", "{{json .}}"], check=False)
    if done.returncode != 0:
        raise LabError(f"no Docker engine answers: {last_words(done)}")
    # Options are judged before the image is looked for: no such image is needed.
    create = ["docker", "create", "--pull", "never", "--cap-drop", "SYS_RESOURCE", "twinspark/none:none"]
    refusal = run(create, check=False).stderr.decode(errors="replace")
    return probe(json.loads(done.stdout), Path("/proc/self/status").read_text(), refusal)


def require_root() -> None:
    if os.geteuid() != 0:
        raise LabError("the lab lays cables between network namespaces and so needs root: run it with sudo")


def require_space(gib: float) -> None:
    """LabError unless Docker's own folder has *gib* GiB free."""
    root = Path(output(["docker", "info", "--format", "{{.DockerRootDir}}"]))
    free = shutil.disk_usage(root if root.exists() else "/").free / 2**30
    if free < gib:
        raise LabError(f"{root} has {free:.1f} GiB free, the lab needs {gib:.0f}: make room and run it again")
