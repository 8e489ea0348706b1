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

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.proof import jobs
from ansible.module_utils.twinspark_host.files import write_atomically

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


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, empty when there is none."""
    try:
        value = json.loads(text_of(path))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def remember(folder: Path, record: dict[str, Any], state: dict[str, Any]) -> None:
    """Keep the end of a job on disk: systemd forgets it at the next boot."""
    if state["state"] in ("done", "failed") and "ended" not in record and record:
        record.update(state, ended=time.time())
        write_atomically(folder / "result.json", json.dumps(record, indent=2))


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    folder = Path(jobs.JOBS_DIR) / module.params["name"]
    record = read_json(folder / "result.json")
    _, out, _ = module.run_command(jobs.show_argv(module.params["name"]))
    state = jobs.state_of(jobs.properties(out), record)
    if not module.check_mode:
        remember(folder, record, state)
    started = record.get("started")
    job = {
        "name": module.params["name"],
        **state,
        "started": started,
        "seconds": round(record.get("ended", time.time()) - started, 1) if started else None,
        "digest": record.get("digest"),
        "log": str(folder / "log"),
        "log_tail": tail(folder / "log", module.params["lines"]),
        "progress": jobs.progress(text_of(folder / "progress.json")),
    }
    module.exit_json(changed=False, job=job)


if __name__ == "__main__":
    main()
