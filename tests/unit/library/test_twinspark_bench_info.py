"""Reading the results of a benchmark, on real files."""

import json
from pathlib import Path

BENCH = {
    "completed": 2,
    "duration": 4.0,
    "total_input_tokens": 50,
    "total_output_tokens": 64,
    "output_throughput": 16.0,
}


def test_a_benchmark_half_done_says_which_case_is_missing(run_module, tmp_path):
    cases = [{"label": f"concurrency {n}", "slug": f"c{n}", "concurrency": n, "prompts": 2} for n in (1, 2)]
    (tmp_path / "plan.json").write_text(json.dumps({"folder": str(tmp_path), "cases": cases}))
    (tmp_path / "c1.json").write_text(json.dumps(BENCH))
    answer = run_module("twinspark_bench_info", plan=str(tmp_path / "plan.json"))
    assert [v["ok"] for v in answer["judgement"]["verdicts"]] == [True, True, False]
    assert answer["judgement"]["verdicts"][2]["name"] == "concurrency 2: measured"
    assert [Path(f["path"]).name for f in answer["judgement"]["evidence"]["files"]] == ["c1.json"]


def test_no_plan_yet_is_no_failure(run_module, tmp_path):
    assert not run_module("twinspark_bench_info", check_mode=True, plan=str(tmp_path / "none"))["found"]


def test_a_broken_result_is_told(run_module, tmp_path):
    case = {"label": "c", "slug": "c", "concurrency": 1, "prompts": 1}
    (tmp_path / "plan.json").write_text(json.dumps({"folder": str(tmp_path), "cases": [case]}))
    (tmp_path / "c.json").write_text("{half")
    assert run_module("twinspark_bench_info", plan=str(tmp_path / "plan.json"))["failed"]
