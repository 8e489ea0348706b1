import json
from pathlib import Path

import pytest
from ansible.module_utils.twinspark.evaluation import evaluation, inspect_log
from ansible.module_utils.twinspark.proof import proofs

from tests.support import cases

HERE = Path(__file__).parent
CHANCE = {"published": [{"label": "chance", "score": 0.25, "source": "four choices"}], "compare": "chance"}


def verdicts(summary: dict, settings: dict) -> dict[str, bool]:
    return {v["name"]: v["ok"] for v in evaluation.judge(summary, settings)["verdicts"]}


def value(judgement: dict, name: str) -> float:
    return next(m["value"] for m in judgement["measurements"] if m["name"] == name)


@pytest.mark.parametrize("case", cases(HERE / "cases/evaluation_argv.yaml"))
def test_plan(case):
    plan = evaluation.plan(case["settings"], "/i", "/logs")
    assert plan["eval"] == case["eval"].split()
    assert plan["retry"] == case["retry"].split()
    assert plan["total"] == case["total"]
    assert plan["log_dir"] == "/logs"


def test_the_recorded_log_passes_and_agrees_with_inspect_s_own_figures(raw):
    summary = inspect_log.summarise(raw)
    judgement = evaluation.judge(summary, CHANCE)
    assert all(verdicts(summary, CHANCE).values())
    assert value(judgement, "score") == pytest.approx(summary["inspect"]["accuracy"])
    assert judgement["measurements"][0]["stderr"] == pytest.approx(summary["inspect"]["stderr"], abs=1e-6)
    assert value(judgement, "questions") == 8
    assert value(judgement, "samples_scored") == 16
    (own,) = raw["header"]["stats"]["model_usage"].values()
    assert value(judgement, "input_tokens") == own["input_tokens"]
    assert value(judgement, "output_tokens") == own["output_tokens"]


def test_a_judgement_is_a_proof(raw):
    judgement = evaluation.judge(inspect_log.summarise(raw), CHANCE)
    proof = proofs.build(stage="evaluate", host="spark1", written="2026-01-01T00:00:00+00:00", inputs={}, **judgement)
    assert proof["verdict"] == "pass"
    json.dumps(proof, allow_nan=False)


def test_a_sample_in_error_is_left_out_of_the_score_and_stops_the_line(raw):
    raw["samples"][0] |= {"error": "BadRequestError('too long')\nTraceback ...", "scores": None}
    summary = inspect_log.summarise(raw)
    assert summary["errors"] == [f"{raw['samples'][0]['id']} epoch 1: BadRequestError('too long')"]
    assert verdicts(summary, {}) | {"samples in error": True} == dict.fromkeys(verdicts(summary, {}), True)
    assert not verdicts(summary, {})["samples in error"]
    assert verdicts(summary, {"max_error_share": 0.07})["samples in error"]


def test_an_unfinished_evaluation_is_none(raw):
    raw["header"]["status"] = "started"
    raw["header"]["results"] = None
    raw["samples"] = raw["samples"][:5]
    judged = verdicts(inspect_log.summarise(raw), {})
    assert not judged["evaluation finished"]
    assert not judged["samples accounted for"]


def test_no_sample_at_all(raw):
    raw["samples"] = []
    judged = verdicts(inspect_log.summarise(raw), CHANCE)
    assert not judged["tokens generated"]
    assert not judged["samples in error"]


def test_a_score_far_off_the_published_one_is_told_and_blocks_only_if_asked(raw):
    summary = inspect_log.summarise(raw)
    settings = {"published": [{"label": "high", "score": 0.99}], "compare": "high"}
    for blocks in (False, True):
        judged = evaluation.judge(summary, {**settings, "comparison_blocks": blocks})["verdicts"][-1]
        assert not judged["ok"]
        assert bool(proofs.failures([judged])) == blocks


def test_only_a_lack_of_samples_is_a_reason_to_go_on():
    far_off = {"name": evaluation.CONSISTENT, "ok": False}
    in_error = {"name": "samples in error", "ok": False}
    assert not evaluation.incomplete(None)
    assert not evaluation.incomplete({"verdicts": [far_off, {"name": "tokens generated", "ok": True}]})
    assert evaluation.incomplete({"verdicts": [far_off, in_error]})


def test_every_published_figure_stands_beside_the_score(raw):
    settings = {"published": [{"label": "a", "score": 0.2}, {"label": "b", "score": 0.3}]}
    judgement = evaluation.judge(inspect_log.summarise(raw), settings)
    assert [row["label"] for row in judgement["evidence"]["comparison"]] == ["a", "b"]
    assert "score consistent with the published one" not in {v["name"] for v in judgement["verdicts"]}
