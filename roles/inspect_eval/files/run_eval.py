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

from progress import SINCE_START, Progress

INTERVAL = 2.0  # seconds between two counts


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


def choose(plan: dict, log_dir: Path) -> list[str]:
    """The command: the evaluation anew, or its continuation."""
    log = newest(log_dir)
    if log is None or not samples_in(log) or not unfinished(log):
        return plan["eval"]
    print(f"going on with {log.name}: {samples_in(log)} of {plan['total']} samples are there", flush=True)
    return [part.replace("{log}", str(log)) for part in plan["retry"]]


def main(spec: str) -> int:
    """Start the command, and count until it ends."""
    plan = json.loads(Path(spec).read_text())
    log_dir = Path(plan["log_dir"])
    log_dir.mkdir(parents=True, exist_ok=True)
    old = set(log_dir.glob("*.eval"))
    argv = choose(plan, log_dir)
    before = samples_in(newest(log_dir)) if argv != plan["eval"] else 0
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
