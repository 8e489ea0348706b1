import dataclasses

import pytest
from ansible.module_utils.twinspark.evaluation import bench, bench_result
from ansible.module_utils.twinspark.proof.json_form import ShapeError

SETTINGS = {
    "concurrency": [1, 2],
    "diversity": ["identical", "similar", "different"],
    "diversity_concurrency": 4,
    "prompts_per_stream": 2,
    "output_tokens": 32,
    "container": "twinspark-vllm",
    "unit": "twinspark-vllm.service",
    "model": "m",
    "base_url": "http://127.0.0.1:8000/v1",
    "extra_args": ["--tokenizer-mode", "x"],
}
RESULT = {
    "completed": 4,
    "duration": 8.0,
    "total_input_tokens": 100,
    "total_output_tokens": 128,
    "output_throughput": 16.0,
    "median_ttft_ms": 500.0,
    "p99_ttft_ms": 900.0,
    "median_tpot_ms": 110.0,
}


def settings(**changes) -> bench.Settings:
    return bench.Settings.from_json(SETTINGS | changes)


def case(**changes) -> bench_result.Measured:
    return bench_result.Measured("concurrency 2", 2, 4, bench_result.Result.from_json(RESULT | changes))


def test_cases_are_the_sweep_and_then_the_kinds():
    found = [(c.label, c.slug, c.concurrency, c.prompts) for c in bench.cases(settings())]
    assert found == [
        ("concurrency 1", "concurrency-1", 1, 2),
        ("concurrency 2", "concurrency-2", 2, 4),
        ("identical x4", "identical-x4", 4, 8),
        ("similar x4", "similar-x4", 4, 8),
        ("different x4", "different-x4", 4, 8),
    ]


@pytest.mark.parametrize(("kind", "distinct"), [("identical", 1), ("similar", 20), ("different", 20)])
def test_prompts_are_as_diverse_as_they_say(kind, distinct):
    assert len(set(bench.prompts(kind, 20))) == distinct


@pytest.mark.parametrize(
    "change", [{"diversity": ["strange"]}, {"concurrency": [0]}, {"concurrency": [], "diversity": []}]
)
def test_nonsense_is_refused(change):
    with pytest.raises(bench.BenchError, match="vllm_bench"):
        bench.cases(settings(**change))


def test_the_command():
    argv = bench.bench_argv(bench.cases(settings())[1], settings())
    assert argv[:3] == ["vllm", "bench", "serve"]
    assert argv[argv.index("--base-url") + 1] == "http://127.0.0.1:8000"
    assert argv[argv.index("--max-concurrency") + 1] == "2"
    assert argv[argv.index("--num-prompts") + 1] == "4"
    assert argv[-2:] == ["--tokenizer-mode", "x"]


def test_a_plan_holds_no_key():
    plan = bench.plan(settings(), "/r")
    assert not any("api" in part.lower() for entry in plan.cases for part in entry.argv)


def test_the_result_s_own_counters_come_before_the_log():
    counters = {
        "spec_decode_acceptance_length": 1.5,
        "spec_decode_draft_tokens": 10,
        "spec_decode_accepted_tokens": 4,
        "spec_decode_per_position_acceptance_rates": [0.5, 0.3],
    }
    found = bench_result.speculation(case(**counters))
    assert found == bench_result.Speculation(4, 10, 0.4, 1.5, (0.5, 0.3))


def test_judgement():
    published = bench_result.Published("concurrency 2", 60, "the article")
    found = bench_result.judge([case()], [published])
    assert [v.ok for v in found.verdicts] == [True, True]
    first = found.measurements[0]
    assert (first.value, first.unit, first.published) == (16.0, "tokens/s", 60)
    assert next(m for m in found.measurements if m.name == "throughput_per_request").value == 8.0
    assert found.evidence["comparison"][0]["difference"] == -44.0


@pytest.mark.parametrize(
    "broken",
    [dataclasses.replace(case(), result=None), case(completed=3), case(total_output_tokens=0)],
    ids=["no result", "a request unanswered", "no token"],
)
def test_what_was_not_measured_is_no_figure(broken):
    assert not all(verdict.ok for verdict in bench_result.judge([broken], []).verdicts)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"concurrency": ["two"]}, "vllm_bench: concurrency, entry 1 must be a whole number, not 'two'"),
        ({"output_tokens": None}, "vllm_bench: output_tokens must be a whole number, not null"),
    ],
)
def test_a_setting_of_the_wrong_kind_is_named(change, sentence):
    with pytest.raises(ShapeError, match=sentence):
        settings(**change)
