"""Run an evaluation, or go on with the one that was interrupted, and count its samples while it runs.

Where the engine died under it, it waits until the endpoint answers again and goes on with the samples that were lost.
Runs as the job's command in Inspect's environment. The plan is a JSON file: `eval` and `retry` (argv; `{log}` in the
latter stands for the unfinished log), `log_dir` and `total` (samples). Every log in that folder is of the same
inputs: another plan has a folder of its own.
"""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import TypedDict

from progress import SINCE_START, Progress

INTERVAL = 2.0  # seconds between two counts
# What OpenAI's client says of an endpoint that is away, and of an engine that died under a request.
LOST = re.compile(r"Connection ?[eE]rror|Error code: 50[0-4]|InternalServerError|EngineDead|RemoteProtocolError")
# Seconds. The supervisor's restarts, with the pauses between them, may take that long.
LONGEST_WAIT, BETWEEN_LOOKS = 4 * 3600.0, 5.0
# What the supervisor on this host says. It starts nothing by itself in these two.
STATE, DOWN = Path("/var/lib/twinspark/serve/state.json"), ("stopped", "given_up")


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


def lost(log: Path) -> bool:
    """Whether samples of a log are in error because the endpoint was away. False for one that can't be read."""
    from inspect_ai.log import read_eval_log_sample_summaries

    try:
        summaries = read_eval_log_sample_summaries(str(log)) if unfinished(log) else []
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return False
    return any(LOST.search(sample.error or "") for sample in summaries)


def completed(log: Path) -> int:
    """Samples of a log without an error, by Inspect's own account."""
    from inspect_ai.log import read_eval_log

    results = read_eval_log(str(log), header_only=True).results
    return results.completed_samples if results else 0


def answers(url: str, key: str) -> bool:
    """Whether the endpoint says which models it has."""
    request = urllib.request.Request(f"{url}/models", headers={"Authorization": f"Bearer {key}"})  # noqa: S310 - the role's
    try:
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - as above
            return True
    except (OSError, ValueError):
        return False


def given_up() -> bool:
    """Whether nobody is going to start the endpoint. Not known where there is no supervisor."""
    try:
        return json.loads(STATE.read_text())["state"]["kind"] in DOWN
    except (OSError, ValueError, KeyError, TypeError):
        return False


def comes_back() -> bool:
    """Wait for the endpoint; False where it stays away."""
    url, key = os.environ.get("OPENAI_BASE_URL", ""), os.environ.get("OPENAI_API_KEY", "")
    end = time.monotonic() + LONGEST_WAIT
    while url and time.monotonic() < end and not given_up():
        if answers(url, key):
            return True
        time.sleep(BETWEEN_LOOKS)
    return False


def attend(argv: list[str], log_dir: Path, progress: Progress) -> int:
    """Run one command to its end, and count the samples of its log. Its exit code."""
    old = set(log_dir.glob("*.eval"))
    child = subprocess.Popen(argv)
    while True:
        try:
            code: int | None = child.wait(timeout=INTERVAL)
        except subprocess.TimeoutExpired:
            code = None
        for log in set(log_dir.glob("*.eval")) - old:
            progress.done = max(progress.done, samples_in(log))
        if code is not None:
            return code


def main(spec: str) -> int:
    """Run the command; while samples are lost to an endpoint that went away, and each round brings some, again."""
    plan: Plan = json.loads(Path(spec).read_text())
    log_dir = Path(plan["log_dir"])
    log_dir.mkdir(parents=True, exist_ok=True)
    argv, before = choose(plan, newest(log_dir))
    # The rate counts what this run has added.
    with Progress(plan["total"], "samples", done=before, window=SINCE_START) as progress:
        had = -1
        while True:
            code = attend(argv, log_dir, progress)
            log = newest(log_dir)
            if log is None or not lost(log):
                return code
            # What is in error may be so for good, with the endpoint long back: a round that brings nothing is the last.
            has = completed(log)
            if has <= had or not comes_back():
                return code
            print(f"the endpoint went away and is back; {has} of {plan['total']} samples are complete", flush=True)
            argv, had = [part.replace("{log}", str(log)) for part in plan["retry"]], has


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
