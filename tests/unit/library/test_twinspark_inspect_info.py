"""Reading an evaluation's log: the reader played (cases/twinspark_inspect_info.yaml), and as a program that prints."""

import sys
from pathlib import Path

import pytest

from tests.support import cases

RECORDED = Path(__file__).parents[1] / "module_utils/evaluation/recorded/inspect_lab.json"


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases/twinspark_inspect_info.yaml"))
def test_every_case_of_the_table(play, case):
    play("twinspark_inspect_info", case)


@pytest.fixture
def reader(tmp_path):
    """A reader that prints the recorded log, whatever it is asked for."""
    program = tmp_path / "read_log.py"
    program.write_text(f"print(open({str(RECORDED)!r}).read())")
    return str(program)


@pytest.fixture
def logs(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "2026-11-24_lab-science.eval").write_bytes(b"log")
    return str(folder)


def test_a_log_is_judged_and_named(run_module, logs, reader):
    answer = run_module("twinspark_inspect_info", log_dir=logs, python=sys.executable, reader=reader)
    assert answer["found"]
    assert not answer["changed"]
    assert answer["log"]["bytes"] == 3
    assert answer["judgement"]["evidence"]["log"] == answer["log"]
    assert answer["summary"]["questions"] == 8


@pytest.mark.parametrize("check_mode", [True, False])
def test_no_log_yet_is_no_failure(run_module, tmp_path, reader, check_mode):
    missing = str(tmp_path / "none")
    answer = run_module(
        "twinspark_inspect_info", check_mode=check_mode, log_dir=missing, python=sys.executable, reader=reader
    )
    assert (answer["changed"], answer["found"]) == (False, False)


@pytest.mark.parametrize("program", ["raise SystemExit('zip: broken')", "print('{}')", "print('no json')"])
def test_a_log_that_can_t_be_read_is_told_with_its_name(run_module, logs, tmp_path, program):
    bad = tmp_path / "bad.py"
    bad.write_text(program)
    answer = run_module("twinspark_inspect_info", log_dir=logs, python=sys.executable, reader=str(bad))
    assert answer["failed"]
    assert "lab-science.eval" in answer["msg"]
