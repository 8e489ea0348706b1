"""The modules that read results, on real files; Inspect's reader is a program that prints a recorded log."""

import json
import sys
from pathlib import Path

import pytest

RECORDED = Path(__file__).parents[1] / "module_utils/evaluation/recorded/inspect_lab.json"
BENCH = {
    "completed": 2,
    "duration": 4.0,
    "total_input_tokens": 50,
    "total_output_tokens": 64,
    "output_throughput": 16.0,
}


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


def test_a_benchmark_half_done_says_which_case_is_missing(run_module, tmp_path):
    cases = [{"label": f"concurrency {n}", "slug": f"c{n}", "concurrency": n, "prompts": 2} for n in (1, 2)]
    (tmp_path / "plan.json").write_text(json.dumps({"folder": str(tmp_path), "cases": cases}))
    (tmp_path / "c1.json").write_text(json.dumps(BENCH))
    answer = run_module("twinspark_bench_info", plan=str(tmp_path / "plan.json"))
    assert [v["ok"] for v in answer["judgement"]["verdicts"]] == [True, False]
    assert answer["judgement"]["verdicts"][1]["name"] == "concurrency 2: measured"
    assert [Path(f["path"]).name for f in answer["judgement"]["evidence"]["files"]] == ["c1.json"]


def test_no_plan_yet_is_no_failure(run_module, tmp_path):
    assert not run_module("twinspark_bench_info", check_mode=True, plan=str(tmp_path / "none"))["found"]


def test_a_broken_result_is_told(run_module, tmp_path):
    case = {"label": "c", "slug": "c", "concurrency": 1, "prompts": 1}
    (tmp_path / "plan.json").write_text(json.dumps({"folder": str(tmp_path), "cases": [case]}))
    (tmp_path / "c.json").write_text("{half")
    assert run_module("twinspark_bench_info", plan=str(tmp_path / "plan.json"))["failed"]
