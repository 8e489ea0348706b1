"""Run an evaluation, or go on with the one that was interrupted, and count its samples while it runs.

Runs as the job's command in Inspect's environment. The plan is a JSON file: `eval` and `retry` (argv; `{log}` in the
latter stands for the unfinished log), `log_dir` and `total` (samples). Every log in that folder is of the same
inputs: another plan has a folder of its own.
"""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TypedDict

from progress import SINCE_START, Progress

INTERVAL = 2.0  # seconds between two counts


class Plan(TypedDict):
    """The plan's JSON."""

    eval: list[str]
    retry: list[str]
    log_dir: str
    total: int


def newest(log_dir: Path) -> Path | None:
    """The log that was written to last."""
    logs = sorted(log_dir.glob("*.eval"), key=lambda path: path.stat().st_mtime)
    return logs[-1] if logs else None


def samples_in(log: Path) -> int:
    """Finished samples in a log, complete or not: its members say so (one taken over may be there twice)."""
    try:
        with zipfile.ZipFile(log) as archive:
            return len({name for name in archive.namelist() if name.startswith("samples/")})
    except (OSError, zipfile.BadZipFile):
        return 0


def unfinished(log: Path) -> bool:
    """Whether a log with samples in it was broken off, or has samples in error, by Inspect's own account."""
    from inspect_ai.log import read_eval_log  # takes seconds, and is needed after an interruption only

    header = read_eval_log(str(log), header_only=True)
    results = header.results
    return header.status != "success" or not results or results.completed_samples < results.total_samples


def choose(plan: Plan, log: Path | None) -> tuple[list[str], int]:
    """The command, and the samples that are there before it: the evaluation anew, or its continuation."""
    there = samples_in(log) if log else 0
    if log is None or not there or not unfinished(log):
        return plan["eval"], 0
    print(f"going on with {log.name}: {there} of {plan['total']} samples are there", flush=True)
    return [part.replace("{log}", str(log)) for part in plan["retry"]], there


def main(spec: str) -> int:
    """Start the command, and count until it ends."""
    plan: Plan = json.loads(Path(spec).read_text())
    log_dir = Path(plan["log_dir"])
    log_dir.mkdir(parents=True, exist_ok=True)
    old = set(log_dir.glob("*.eval"))
    argv, before = choose(plan, newest(log_dir))
    child = subprocess.Popen(argv)
    # The rate counts what this run has added.
    with Progress(plan["total"], "samples", done=before, window=SINCE_START) as progress:
        while True:
            try:
                code = child.wait(timeout=INTERVAL)
            except subprocess.TimeoutExpired:
                code = None
            for log in set(log_dir.glob("*.eval")) - old:
                progress.done = max(progress.done, samples_in(log))
            if code is not None:
                return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
