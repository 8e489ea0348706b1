"""The evaluation's runner as on a host: it and progress.py in one folder, an interpreter with nothing else of us."""

import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support import ROOT

AWAY = "APIConnectionError('Connection error.')"
WRONG = "BadRequestError('the prompt is too long')"


class Models(BaseHTTPRequestHandler):
    """An endpoint that is away for its first answers."""

    away = 0

    def do_GET(self):
        type(self).away -= 1
        self.send_response(503 if type(self).away >= 0 else 200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def endpoint():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Models)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


class Evaluation:
    """A plan whose commands lay the logs that were made for them, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.logs = folder, folder / "logs"
        self.state = folder / "state.json"
        (folder / "program").mkdir()
        for file in ("roles/inspect_eval/files/run_eval.py", "module_utils/twinspark_host/progress.py"):
            text = (ROOT / file).read_text().replace("/var/lib/twinspark/serve/state.json", str(self.state))
            (folder / "program" / os.path.basename(file)).write_text(
                text.replace("BETWEEN_LOOKS = 4 * 3600.0, 5.0", "BETWEEN_LOOKS = 4 * 3600.0, 0.1")
            )
        shutil.copytree(Path(__file__).with_name("standins_inspect"), folder / "program", dirs_exist_ok=True)

    def made(self, name: str, errors: list[str], total: int = 3) -> None:
        with zipfile.ZipFile(self.folder / name, "w") as archive:
            good = total - len(errors)
            for number in range(good):
                archive.writestr(f"samples/{number}.json", "")
            made = {"status": "success", "completed": good, "total": total, "errors": errors}
            archive.writestr("made.json", json.dumps(made))

    def run(self, url: str = "") -> tuple[int, list[str], dict]:
        """Exit code, the commands that ran, and what a poll would see."""
        lay = f'cp "{self.folder}/$1" "{self.logs}/$1.eval"; echo "$@" >> {self.folder}/ran'
        plan = {
            "eval": ["sh", "-c", lay, "sh", "first"],
            # The next log that was made, by the number of those that are there.
            "retry": ["sh", "-c", lay.replace("$1", "again$(wc -l < " + str(self.folder / "ran") + ")"), "sh", "{log}"],
            "log_dir": str(self.logs),
            "total": 3,
        }
        (self.folder / "plan.json").write_text(json.dumps(plan))
        argv = [sys.executable, "-E", "-s", str(self.folder / "program/run_eval.py"), str(self.folder / "plan.json")]
        env = {"PATH": os.environ["PATH"], "TWINSPARK_JOB_DIR": str(self.folder), "OPENAI_BASE_URL": url}
        done = subprocess.run(argv, cwd="/", env=env, check=False, timeout=60)
        ran = (self.folder / "ran").read_text().splitlines()
        return done.returncode, ran, json.loads((self.folder / "progress.json").read_text())


@pytest.fixture
def evaluation(tmp_path):
    return Evaluation(tmp_path)


def test_it_counts_the_samples_of_a_log(evaluation):
    evaluation.made("first", [])
    _, ran, told = evaluation.run()
    assert ran == ["first"]
    assert (told["done"], told["total"], told["unit"]) == (3, 3, "samples")


def test_samples_that_were_lost_with_the_endpoint_are_asked_again_once_it_is_back(evaluation, endpoint, monkeypatch):
    monkeypatch.setattr(Models, "away", 3)
    evaluation.made("first", [AWAY, AWAY])
    evaluation.made("again1", [])
    code, ran, progress = evaluation.run(endpoint)
    assert (code, ran) == (0, ["first", f"{evaluation.logs}/first.eval"])
    assert progress["done"] == 3
    assert Models.away < 0  # it was asked until it answered


def test_an_endpoint_may_go_away_more_than_once(evaluation, endpoint):
    evaluation.made("first", [AWAY, AWAY])
    evaluation.made("again1", [AWAY])
    evaluation.made("again2", [])
    assert len(evaluation.run(endpoint)[1]) == 3


@pytest.mark.parametrize("errors", [[WRONG], []], ids=["the question is at fault", "nothing is"])
def test_what_is_in_error_for_another_reason_is_not_asked_again(evaluation, endpoint, errors):
    evaluation.made("first", errors)
    assert evaluation.run(endpoint)[1] == ["first"]


def test_a_round_that_brings_nothing_is_the_last(evaluation, endpoint):
    evaluation.made("first", [AWAY])
    evaluation.made("again1", [AWAY])
    evaluation.made("again2", [])
    assert len(evaluation.run(endpoint)[1]) == 2


@pytest.mark.parametrize("kind", ["given_up", "stopped"])
def test_nobody_waits_for_a_pair_that_stays_down(evaluation, kind):
    evaluation.state.write_text(json.dumps({"state": {"kind": kind}}))
    evaluation.made("first", [AWAY])
    assert evaluation.run("http://127.0.0.1:1/v1")[1] == ["first"]
