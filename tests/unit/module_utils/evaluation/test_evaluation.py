import json
from pathlib import Path

import pytest
from ansible.module_utils.twinspark.evaluation import evaluation, inspect_log, stats
from ansible.module_utils.twinspark.proof import proofs
from ansible.module_utils.twinspark.proof.values import Findings, ShapeError, Verdict

from tests.support import cases

HERE = Path(__file__).parent
CHANCE = evaluation.JudgedBy((evaluation.Published("chance", 0.25, "four choices"),), "chance")
STRICT = evaluation.JudgedBy()


def verdicts(summary: inspect_log.Summary, by: evaluation.JudgedBy) -> dict[str, bool]:
    return {v.name: v.ok for v in evaluation.judge(summary, by).verdicts}


def value(found: Findings, name: str) -> float | None:
    return next(m.value for m in found.measurements if m.name == name)


@pytest.mark.parametrize("case", cases(HERE / "cases/evaluation_argv.yaml"))
def test_plan(case):
    plan = evaluation.plan(evaluation.Settings.from_json(case["settings"]), "/i", "/logs")
    assert plan.eval == case["eval"].split()
    assert plan.retry == case["retry"].split()
    assert plan.total == case["total"]
    assert plan.log_dir == "/logs"


def test_the_recorded_log_passes_and_agrees_with_inspect_s_own_figures(raw):
    summary = inspect_log.summarise(raw)
    judgement = evaluation.judge(summary, CHANCE)
    assert all(verdicts(summary, CHANCE).values())
    assert value(judgement, "score") == pytest.approx(summary.inspect.accuracy)
    assert judgement.measurements[0].stderr == pytest.approx(summary.inspect.stderr, abs=1e-6)
    assert value(judgement, "questions") == 8
    assert value(judgement, "samples_scored") == 16
    (own,) = raw["header"]["stats"]["model_usage"].values()
    assert value(judgement, "input_tokens") == own["input_tokens"]
    assert value(judgement, "output_tokens") == own["output_tokens"]


def test_a_judgement_is_a_proof(raw):
    judgement = evaluation.judge(inspect_log.summarise(raw), CHANCE)
    parts = {part: getattr(judgement, part) for part in ("verdicts", "measurements", "evidence")}
    proof = proofs.build(stage="evaluate", host="spark1", written="2026-01-01T00:00:00+00:00", inputs={}, **parts)
    assert proof.passed
    json.dumps(proof.to_json(), allow_nan=False)


def test_a_sample_in_error_is_left_out_of_the_score_and_stops_the_line(raw):
    raw["samples"][0] |= {"error": "BadRequestError('too long')\nTraceback ...", "scores": None}
    summary = inspect_log.summarise(raw)
    assert summary.errors == (f"{raw['samples'][0]['id']} epoch 1: BadRequestError('too long')",)
    assert verdicts(summary, STRICT) | {"samples in error": True} == dict.fromkeys(verdicts(summary, STRICT), True)
    assert not verdicts(summary, STRICT)["samples in error"]
    assert verdicts(summary, evaluation.JudgedBy(max_error_share=0.07))["samples in error"]


def test_an_unfinished_evaluation_is_none(raw):
    raw["header"]["status"] = "started"
    raw["header"]["results"] = None
    raw["samples"] = raw["samples"][:5]
    judged = verdicts(inspect_log.summarise(raw), STRICT)
    assert not judged["evaluation finished"]
    assert not judged["samples accounted for"]


def test_no_sample_at_all(raw):
    raw["samples"] = []
    judged = verdicts(inspect_log.summarise(raw), CHANCE)
    assert not judged["tokens generated"]
    assert not judged["samples in error"]


def test_a_score_far_off_the_published_one_is_told_and_blocks_only_if_asked(raw):
    summary = inspect_log.summarise(raw)
    for blocks in (False, True):
        by = evaluation.JudgedBy((evaluation.Published("high", 0.99),), "high", comparison_blocks=blocks)
        judged = evaluation.judge(summary, by).verdicts[-1]
        assert (judged.ok, judged.stops) == (False, blocks)


@pytest.mark.parametrize(
    ("published", "consistent"), [(0.85, False), (0.8, True), (0.9, True), (0.86, True), (0.93, False), (0.92, True)]
)
def test_consistent_is_what_lies_in_the_interval_on_either_side(published, consistent):
    score = stats.Score(mean=0.88, stderr=0.02, questions=198, samples=792)
    held = stats.compare(score, published)
    verdict = evaluation.consistency(score, evaluation.Published("x", published), STRICT)
    assert verdict.ok is (held.low <= 0 <= held.high)


def test_only_a_lack_of_samples_is_a_reason_to_go_on():
    far_off, in_error = Verdict(evaluation.CONSISTENT, False), Verdict("samples in error", False)

    def proof(*given):
        return proofs.build(stage="evaluate", host="a", written="2026-01-01T00:00:00+00:00", inputs={}, verdicts=given)

    assert not evaluation.incomplete(None)
    assert not evaluation.incomplete(proof(far_off, Verdict("tokens generated", True)))
    assert evaluation.incomplete(proof(far_off, in_error))


def test_every_published_figure_stands_beside_the_score(raw):
    by = evaluation.JudgedBy.from_json({"published": [{"label": "a", "score": 0.2}, {"label": "b", "score": 0.3}]})
    judgement = evaluation.judge(inspect_log.summarise(raw), by)
    assert [row["label"] for row in judgement.evidence["comparison"]] == ["a", "b"]
    assert evaluation.CONSISTENT not in {v.name for v in judgement.verdicts}


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"task": "t"}, "inspect_eval: model is missing"),
        ({"task": "t", "model": "m", "epochs": "four"}, "inspect_eval: epochs must be a whole number, not 'four'"),
    ],
)
def test_a_setting_that_is_missing_or_of_the_wrong_kind_is_named(told, sentence):
    with pytest.raises(ShapeError, match=sentence):
        evaluation.Settings.from_json(told)
