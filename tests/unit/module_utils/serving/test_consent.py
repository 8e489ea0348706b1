"""When a restart needs the owner's consent, and what the refusal says."""

import pytest
from ansible.module_utils.twinspark.serving import consent
from ansible.module_utils.twinspark.serving.serve import Reason

FLAG = [Reason(host, "--max-num-seqs", "2", "8") for host in ("spark1", "spark2")]
FAULT = [Reason("spark2", "unit", "failed", "active")]


@pytest.mark.parametrize(
    ("reasons", "requests", "jobs", "lost"),
    [
        (FLAG, 8, [], "8 requests."),
        (FLAG, 1, ["evaluate"], "1 request and the evaluation."),
        (FLAG, 0, ["benchmark"], "the benchmark."),
        (FLAG, None, ["evaluate"], "the evaluation."),  # an engine that says nothing takes nothing from the job
    ],
)
def test_what_is_under_way_is_not_interrupted_for_a_change(reasons, requests, jobs, lost):
    refused = consent.refusal(reasons, requests, jobs)
    assert f"would interrupt {lost}" in refused
    assert "(--max-num-seqs: 2 -> 8 on spark1 and spark2)" in refused


@pytest.mark.parametrize(
    ("reasons", "requests", "jobs"),
    [
        ([], 8, ["evaluate"]),  # nothing is restarted
        (FLAG, 0, []),
        (FLAG, None, []),
        (FAULT, None, ["evaluate"]),  # the evaluation waits for the repair
        ([*FLAG, *FAULT], 8, []),
        ([Reason("spark1", "canary", "no answer within 120 s", "tokens in time")], 8, []),
    ],
)
def test_a_repair_and_an_idle_pair_need_no_consent(reasons, requests, jobs):
    assert consent.refusal(reasons, requests, jobs) == ""


def test_a_change_without_a_value_has_a_word_for_it():
    assert consent.told([Reason("a", "digest", None, "d")]) == "digest: none -> d on a"


@pytest.mark.parametrize(
    ("metrics", "requests"),
    [
        ('vllm:num_requests_running{engine="0"} 2.0\nvllm:num_requests_waiting{engine="0"} 6.0\n', 8),
        ('vllm:num_requests_running{engine="0"} 1.0\nvllm:num_requests_running{engine="1"} 1.0\n', 2),
        ("vllm:num_requests_running 0\n", 0),
        ('vllm:num_requests_waiting_by_reason{reason="capacity"} 6.0\n', None),  # part of those that wait
        ("# HELP vllm:num_requests_running Number of requests\n", None),
        ("", None),
    ],
)
def test_the_requests_that_an_engine_holds(metrics, requests):
    assert consent.held(metrics) == requests
