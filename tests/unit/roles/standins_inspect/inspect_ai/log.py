"""As much of Inspect's reader of logs as run_eval.py uses, over a log that a test made: made.json in the zip file."""

import json
import zipfile
from types import SimpleNamespace


def _made(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("made.json"))


def read_eval_log(path, header_only=False):
    made = _made(path)
    results = SimpleNamespace(completed_samples=made["completed"], total_samples=made["total"])
    return SimpleNamespace(status=made["status"], results=results)


def read_eval_log_sample_summaries(path):
    return [SimpleNamespace(error=error) for error in _made(path)["errors"]]
