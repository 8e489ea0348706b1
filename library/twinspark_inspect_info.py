#!/usr/bin/python
"""Ansible module: what came of an evaluation, read from Inspect's own log by Inspect's own reader."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_inspect_info
short_description: What came of an evaluation
description:
  - Reads the newest log in a folder through a small reader that runs in Inspect's environment, and judges it.
  - Where there is no log yet, as in check mode on a bare host, O(ignore:found) is false.
options:
  log_dir: {description: Folder of the logs of one evaluation., type: path, required: true}
  python: {description: Python of Inspect's environment., type: path, required: true}
  reader: {description: The program that prints a log as JSON., type: path, required: true}
  settings: {description: "The evaluation's settings: published figures, limits, confidence.", type: dict, default: {}}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Read the score
  twinspark_inspect_info:
    log_dir: /var/lib/twinspark/evaluate/logs/0123456789ab
    python: /opt/twinspark/env/inspect/bin/python
    reader: /var/lib/twinspark/evaluate/read_log.py
"""

RETURN = r"""
found: {description: Whether there is a log., type: bool, returned: always}
log: {description: "Its path, sha256 and size in bytes.", type: dict, returned: when found}
summary: {description: "Status, scores by question, errors, tokens, seconds.", type: dict, returned: when found}
judgement: {description: "measurements, verdicts and evidence, as twinspark_proof takes them.", type: dict,
            returned: when found}
"""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.evaluation import evaluation, inspect_log
from ansible.module_utils.twinspark.proof.foreign import json_of
from ansible.module_utils.twinspark.proof.json_form import to_json

ARGUMENTS: dict[str, Any] = {
    "log_dir": {"type": "path", "required": True},
    "python": {"type": "path", "required": True},
    "reader": {"type": "path", "required": True},
    "settings": {"type": "dict", "default": {}},
}


def newest(folder: Path) -> Path | None:
    """The log that was written to last."""
    logs = sorted(folder.glob("*.eval"), key=lambda path: path.stat().st_mtime) if folder.is_dir() else []
    return logs[-1] if logs else None


def sha256(path: Path) -> str:
    """Hash of a file, read in pieces: a log can hold hundreds of MB."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read(module: AnsibleModule, log: Path) -> dict[str, Any]:
    """The log as the reader prints it."""
    code, out, err = module.run_command([module.params["python"], module.params["reader"], str(log)])
    if code:
        last = (err.strip().splitlines() or ["it said nothing"])[-1]
        module.fail_json(
            msg=f"evaluate: {log} can't be read by Inspect: {last}. "
            "Fix: read the job's log; remove a broken log file, then run the stage again.",
            rc=code,
        )
    log_read: dict[str, Any] = json_of(out)
    return log_read


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    params = module.params
    log = newest(Path(params["log_dir"]))
    if log is None or not Path(params["python"]).exists():
        module.exit_json(changed=False, found=False)
    try:
        summary = inspect_log.summarise(read(module, log))
        by = evaluation.JudgedBy.from_json(params["settings"])
    except ValueError as error:
        module.fail_json(msg=f"evaluate: {log}: {error}.")
    found = evaluation.judge(summary, by)
    file = {"path": str(log), "sha256": sha256(log), "bytes": log.stat().st_size}
    found = dataclasses.replace(found, evidence={**found.evidence, "log": file})
    module.exit_json(changed=False, found=True, log=file, summary=to_json(summary), judgement=to_json(found))


if __name__ == "__main__":
    main()
