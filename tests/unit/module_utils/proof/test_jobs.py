"""Jobs: their argv, what makes two of them the same, and what systemd's words mean."""

from pathlib import Path

import pytest
from ansible.module_utils.twinspark.proof import jobs
from ansible.module_utils.twinspark.proof.json_form import to_json

from tests.support import cases


def test_start_argv_puts_output_in_the_log_and_secrets_nowhere():
    job = jobs.Job(
        "weights-download",
        ["hf", "download"],
        user="spark",
        environment={"A": "1"},
        environment_file="/x/env",
    )
    argv = job.start_argv("/jobs/weights-download")
    assert argv[0] == "systemd-run"
    assert argv[argv.index("--") :] == ["--", "hf", "download"]
    assert "--property=StandardOutput=append:/jobs/weights-download/log" in argv
    assert "--uid=spark" in argv
    assert "--setenv=A=1" in argv
    assert "--property=EnvironmentFile=/x/env" in argv


def test_anything_that_changes_the_work_changes_the_digest():
    base = {"name": "a", "argv": ["x"]}
    others = [
        {"argv": ["y"]},
        {"environment": {"A": "1"}},
        {"user": "spark"},
        {"digest_extra": "2"},
        {"chdir": "/tmp"},
    ]
    digests = {jobs.Job(**{**base, **other}).digest() for other in [{}, *others]}
    assert len(digests) == 6


def test_a_record_keeps_the_whole_job_under_a_digest_that_stays():
    """A job that was started before an update is known again after it."""
    job = jobs.Job("fetch", ["hf", "download"], environment={"A": 1})
    assert jobs.Recorded(spec=job).to_json()["spec"] == {
        "name": "fetch",
        "argv": ["hf", "download"],
        "user": "root",
        "chdir": "/",
        "environment": {"A": 1},
        "environment_file": "",
        "digest_extra": "",
    }
    assert job.digest() == "sha256:96c3ec547a5f6d0d9c23453dfb1b4e38e1e3d613ed6c722e45fa34b7a7fdd8c1"


@pytest.mark.parametrize("name", ["", "Weights", "../x", "a b", "a\n", "-x"])
def test_a_name_that_is_no_unit_name_is_refused(name):
    with pytest.raises(ValueError, match="lower-case"):
        jobs.Job(name, ["x"])


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases" / "job_states.yaml"))
def test_state(case):
    found = jobs.state_of(jobs.properties(case["show"]), jobs.Recorded.from_json(case.get("recorded", {})))
    assert to_json(found) == case["expect"]


@pytest.mark.parametrize("text", ["", "{", "[1]", "null"])
def test_a_half_written_progress_file_is_no_progress(text):
    assert jobs.progress(text) == jobs.Progress()


def test_progress_keeps_the_numbers_only():
    assert to_json(jobs.progress('{"done": 1, "total": 2, "unit": "B", "token": "x"}')) == {
        "done": 1,
        "total": 2,
        "unit": "B",
    }
