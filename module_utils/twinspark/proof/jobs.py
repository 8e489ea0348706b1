"""Long jobs as transient systemd units: what a job is bound to, how it is started, what its state means."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .json_form import SPARSE, Json, from_json, to_json
from .proofs import digest

NAME = re.compile(r"[a-z][a-z0-9-]{0,60}\Z")
STATUS = re.compile(r"[0-9]{1,9}")
JOBS_DIR = "/var/lib/twinspark/jobs"


@dataclass(frozen=True)
class Job:
    """A command that outlives the controller.

    `environment` never holds a secret: it becomes visible in systemd. Secrets go in `environment_file`, a path to a
    file of mode 0600 that systemd itself reads.
    """

    name: str
    argv: Sequence[str]
    user: str = "root"
    chdir: str = "/"
    environment: Mapping[str, str | bool | int | float] = field(default_factory=dict)
    environment_file: str = ""
    digest_extra: str = ""

    def __post_init__(self) -> None:
        if not NAME.match(self.name):
            raise ValueError(f"job name {self.name!r}: lower-case letters, digits and hyphens only")
        if not self.argv:
            raise ValueError(f"job {self.name}: argv is empty")

    @property
    def unit(self) -> str:
        """The job's systemd unit."""
        return unit_of(self.name)

    def digest(self) -> str:
        """What the job is bound to; two jobs of one digest do the same."""
        return digest(to_json(self))

    def start_argv(self, folder: str) -> list[str]:
        """systemd-run's argv. The unit stays loaded after its end, so that its result can be read."""
        argv = [
            "systemd-run", "--quiet", "--no-block", f"--unit={self.unit}",
            f"--description=twinspark job {self.name}",
            "--property=Type=exec", "--property=RemainAfterExit=yes",
            "--property=KillMode=control-group", "--property=TimeoutStopSec=30",
            f"--property=StandardOutput=append:{folder}/log",
            f"--property=StandardError=append:{folder}/log",
            f"--property=WorkingDirectory={self.chdir}",
            f"--uid={self.user}",
            f"--setenv=TWINSPARK_JOB_DIR={folder}",
        ]  # fmt: skip
        if self.environment_file:
            argv.append(f"--property=EnvironmentFile={self.environment_file}")
        argv += [f"--setenv={key}={value}" for key, value in sorted(self.environment.items())]
        return [*argv, "--", *map(str, self.argv)]


def unit_of(name: str) -> str:
    """The systemd unit of the job `name`."""
    return f"twinspark-job-{name}.service"


SHOW = ("LoadState", "ActiveState", "SubState", "Result", "ExecMainStatus", "ExecMainCode")


def show_argv(name: str) -> list[str]:
    """systemctl's argv for the properties that `state_of` reads."""
    return ["systemctl", "show", unit_of(name), f"--property={','.join(SHOW)}"]


def properties(text: str) -> dict[str, str]:
    """`systemctl show` output as a dict."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


@dataclass(frozen=True, slots=True)
class State:
    """state: absent, running, done or failed. exit_code: null while there is none."""

    state: Literal["absent", "running", "done", "failed"] = "absent"
    exit_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded(Json):
    """What a host keeps on disk of a job. started, ended: the last time, as Unix time; spec: the job itself."""

    called = "record"

    digest: str = ""
    spec: Job | None = field(default=None, metadata=SPARSE)
    state: Literal["absent", "running", "done", "failed"] = "absent"
    exit_code: int | None = None
    started: float | None = None
    ended: float | None = field(default=None, metadata=SPARSE)


@dataclass(frozen=True, slots=True)
class Progress:
    """What a job tells of itself while it runs; rate: in `unit` a second."""

    done: float | None = field(default=None, metadata=SPARSE)
    total: float | None = field(default=None, metadata=SPARSE)
    unit: str | None = field(default=None, metadata=SPARSE)
    rate: float | None = field(default=None, metadata=SPARSE)
    what: str | None = field(default=None, metadata=SPARSE)


def state_of(unit: Mapping[str, str], recorded: Recorded) -> State:
    """A job's state, by systemd's properties of its unit.

    `recorded` is the result kept on disk from an earlier look: a host that was rebooted has forgotten the unit, but not
    what came of it.
    """
    active = unit.get("ActiveState", "inactive")
    if unit.get("LoadState") != "loaded":
        return State(recorded.state, recorded.exit_code)
    if active in ("activating", "reloading", "deactivating") or unit.get("SubState") == "running":
        return State("running")
    status = unit.get("ExecMainStatus", "")
    code = int(status) if STATUS.fullmatch(status) else 0
    done = active == "active" and unit.get("SubState") == "exited" and code == 0
    return State("done" if done else "failed", code)


def progress(text: str) -> Progress:
    """What a job wrote to its progress.json. Half-written or foreign text is no progress."""
    try:
        return from_json(Progress, json.loads(text), "progress")
    except (ValueError, RecursionError):
        return Progress()
