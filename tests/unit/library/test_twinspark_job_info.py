"""How a long job is doing, with systemctl played: cases/twinspark_job_info.yaml."""

import json
from pathlib import Path

import pytest
from ansible.module_utils.twinspark.proof import jobs

from tests.support import cases

TABLE = cases(Path(__file__).parent / "cases/twinspark_job_info.yaml")


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setattr(jobs, "JOBS_DIR", str(tmp_path))
    return tmp_path / "weights-download"


@pytest.mark.parametrize("case", TABLE)
def test_every_case_of_the_table(play, case):
    play("twinspark_job_info", case)


def test_the_end_of_a_job_is_written_down_once(play, folder):
    case = next(param.values[0] for param in TABLE if param.id == "a job that ended badly is remembered")
    play("twinspark_job_info", case)
    kept = json.loads((folder / "result.json").read_text())
    assert (kept["state"], kept["exit_code"], kept["ended"] > kept["started"]) == ("failed", 3, True)
    play("twinspark_job_info", {**case, "files": {}})
    assert json.loads((folder / "result.json").read_text()) == kept
