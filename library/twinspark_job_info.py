#!/usr/bin/python
"""Ansible module: how a long job is doing, with its numbers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_job_info
short_description: How a long job is doing
description:
  - Reads the state of the job C(twinspark-job-NAME.service), the end of its log and its progress numbers.
  - What came of a finished job is remembered beside its log, so that a reboot does not lose it.
options:
  name: {description: Name of the job., type: str, required: true}
  lines: {description: How many lines of its log to return., type: int, default: 20}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Wait for the download
  twinspark_job_info:
    name: weights-download
  register: download
  until: download.job.state != 'running'
  retries: 2880
  delay: 15
"""

RETURN = r"""
job:
  description: state (absent, running, done, failed), exit_code, started (Unix time), seconds, log_tail,
    progress (done, total, unit, rate), log (path).
  type: dict
  returned: always
"""

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.proof import jobs
from ansible.module_utils.twinspark.proof.json_form import to_json
from ansible.module_utils.twinspark_host.records import read_record, write_record

TAIL_BYTES = 65536

ARGUMENTS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "lines": {"type": "int", "default": 20},
}


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a log, however long it is. A progress line rewritten by carriage returns counts as its last."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - TAIL_BYTES))
            text = stream.read().decode(errors="replace")
    except OSError:
        return []
    found = [line.rsplit("\r", 1)[-1].rstrip() for line in text.split("\n")]
    return [line for line in found if line][-lines:]


def text_of(path: Path) -> str:
    """A file's text, empty when it is not there: another run may start the job anew at this very moment."""
    try:
        return path.read_text()
    except OSError:
        return ""


def remember(folder: Path, record: jobs.Recorded, state: jobs.State) -> jobs.Recorded:
    """Keep the end of a job on disk: systemd forgets it at the next boot."""
    if state.state not in ("done", "failed") or record.ended is not None or record.started is None:
        return record
    ended = dataclasses.replace(record, state=state.state, exit_code=state.exit_code, ended=time.time())
    write_record(folder, ended)
    return ended


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    folder = Path(jobs.JOBS_DIR) / module.params["name"]
    record = read_record(folder)
    _, out, _ = module.run_command(jobs.show_argv(module.params["name"]))
    state = jobs.state_of(jobs.properties(out), record)
    if not module.check_mode:
        record = remember(folder, record, state)
    now = time.time() if record.ended is None else record.ended
    job = {
        "name": module.params["name"],
        "state": state.state,
        "exit_code": state.exit_code,
        "started": record.started,
        "seconds": None if record.started is None else round(now - record.started, 1),
        "digest": record.digest or None,
        "log": str(folder / "log"),
        "log_tail": tail(folder / "log", module.params["lines"]),
        "progress": to_json(jobs.progress(text_of(folder / "progress.json"))),
    }
    module.exit_json(changed=False, job=job)


if __name__ == "__main__":
    main()
