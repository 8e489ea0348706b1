#!/usr/bin/python
"""Ansible module: start, keep or remove a long job that runs as a transient systemd unit."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_job
short_description: Start a long job that outlives the controller
description:
  - Starts a command as the transient systemd unit C(twinspark-job-NAME.service), with its output in
    C(/var/lib/twinspark/jobs/NAME/log).
  - A running job of the same digest, and one that has ended well, are left alone. A failed job, or one of another
    digest that has ended, is started anew. A running job of another digest is an error, since it may be hours in.
  - C(stopped) ends a job that runs and keeps all that it has written; one that has ended keeps its result, too.
    C(absent) removes its log and its record as well.
options:
  name: {description: Name of the job., type: str, required: true}
  argv: {description: The command. Never a secret., type: list, elements: str, default: []}
  environment: {description: Environment. Never a secret., type: dict, default: {}}
  environment_file: {description: "0600 file with further environment, read by systemd.", type: str, default: ""}
  user: {description: User that it runs as., type: str, default: root}
  chdir: {description: Working folder., type: str, default: /}
  digest_extra: {description: What else makes it another job., type: str, default: ""}
  state: {description: "Whether it should have been started, run no more, or be gone.", type: str,
          choices: [started, stopped, absent], default: started}
  force: {description: Start again even if it has ended well., type: bool, default: false}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Start the download
  twinspark_job:
    name: weights-download
    argv: [/opt/twinspark/env/hf/bin/hf, download, org/model]
    user: spark
"""

RETURN = r"""
job: {description: "Its state: absent, running, done, failed.", type: dict, returned: always}
"""

import contextlib
import fcntl
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.proof import jobs
from ansible.module_utils.twinspark_host.records import read_record, write_record

ARGUMENTS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "argv": {"type": "list", "elements": "str", "default": []},
    "environment": {"type": "dict", "default": {}},
    "environment_file": {"type": "str", "default": ""},
    "user": {"type": "str", "default": "root"},
    "chdir": {"type": "str", "default": "/"},
    "digest_extra": {"type": "str", "default": ""},
    "state": {"type": "str", "choices": ["started", "stopped", "absent"], "default": "started"},
    "force": {"type": "bool", "default": False},
}


LOCKS = Path("/run/lock")


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """Of two runs at once, the second decides when the first has, and finds what that one has started."""
    with (LOCKS / f"twinspark-job-{name}").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def clear(module: AnsibleModule, name: str) -> None:
    """Stop the unit and let systemd forget it."""
    module.run_command(["systemctl", "stop", jobs.unit_of(name)])
    module.run_command(["systemctl", "reset-failed", jobs.unit_of(name)])


def start(module: AnsibleModule, job: jobs.Job, folder: Path) -> None:
    """Start the job anew; its folder belongs to its user, so that it can write its progress."""
    clear(module, job.name)
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in ("log", "progress.json"):
        (folder / leftover).unlink(missing_ok=True)
    shutil.chown(folder, user=job.user)
    # Should the host lose power now, the record says failed, and the next run starts the job again.
    write_record(folder, jobs.Recorded(digest=job.digest(), spec=job, started=time.time(), state="failed"))
    code, out, err = module.run_command(job.start_argv(str(folder)))
    if code:
        module.fail_json(msg=f"systemd did not start the job {job.name}: {(err or out).strip()}", rc=code)


def remove(module: AnsibleModule, name: str, folder: Path) -> None:
    """Stop the job and forget it."""
    _, out, _ = module.run_command(jobs.show_argv(name))
    there = jobs.properties(out).get("LoadState") == "loaded" or folder.exists()
    if there and not module.check_mode:
        clear(module, name)
        shutil.rmtree(folder, ignore_errors=True)
    module.exit_json(changed=there, job={"name": name, "state": "absent"})


def halt(module: AnsibleModule, name: str, folder: Path) -> None:
    """Stop the job if it runs. Its record says failed since its start, so the next run starts it again.

    One that has ended is left alone: systemd alone knows what came of it, until somebody asks.
    """
    _, out, _ = module.run_command(jobs.show_argv(name))
    now = jobs.state_of(jobs.properties(out), read_record(folder)).state
    runs = now == "running"
    if runs and not module.check_mode:
        code, out, err = module.run_command(["systemctl", "stop", jobs.unit_of(name)])
        if code:
            module.fail_json(msg=f"systemd did not stop the job {name}: {(err or out).strip()}", rc=code)
        module.run_command(["systemctl", "reset-failed", jobs.unit_of(name)])
    module.exit_json(changed=runs, job={"name": name, "state": "failed" if runs else now})


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    with contextlib.nullcontext() if module.check_mode else alone(module.params["name"]):
        decide(module)


def decide(module: AnsibleModule) -> None:
    """Look at the job, bring it to what it should be, and say so."""
    params = module.params
    folder = Path(jobs.JOBS_DIR) / params["name"]
    if params["state"] == "absent":
        remove(module, params["name"], folder)
    if params["state"] == "stopped":
        halt(module, params["name"], folder)
    keys = ("name", "argv", "user", "chdir", "environment", "environment_file", "digest_extra")
    try:
        job = jobs.Job(**{key: params[key] for key in keys})
    except ValueError as error:
        module.fail_json(msg=f"{error}.")
    record = read_record(folder)
    _, out, _ = module.run_command(jobs.show_argv(job.name))
    now = jobs.state_of(jobs.properties(out), record).state
    same = record.digest == job.digest()
    if now == "running" and not same:
        module.fail_json(
            msg=f"Job {job.name} is still running with other settings. Wait for it, or stop it with "
            f"`systemctl stop {job.unit}`, and run again."
        )
    needed = not (same and (now == "running" or (now == "done" and not params["force"])))
    if needed and not module.check_mode:
        start(module, job, folder)
        now = "running"
    module.exit_json(changed=needed, job={"name": job.name, "unit": job.unit, "state": now, "digest": job.digest()})


if __name__ == "__main__":
    main()
