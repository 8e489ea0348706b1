"""When a restart needs the owner's consent, and what the refusal says."""

import pytest
from ansible.module_utils.twinspark.serving import consent
from ansible.module_utils.twinspark.serving.serve import Reason

FLAG = [Reason(host, "--max-num-seqs", "2", "8") for host in ("spark1", "spark2")]
FAULT = [Reason("spark1", "supervisor", "given_up", "serving")]


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
    ],
)
def test_a_repair_and_an_idle_pair_need_no_consent(reasons, requests, jobs):
    assert consent.refusal(reasons, requests, jobs) == ""


def test_a_change_without_a_value_has_a_word_for_it():
    assert consent.told([Reason("a", "digest", None, "d")]) == "digest: none -> d on a"


def test_it_names_the_command_that_consents():
    assert "`twinspark apply --stage serve --interrupt`" in consent.refusal(FLAG, 8, [])
    assert "`twinspark rollback --interrupt`" in consent.refusal(FLAG, 8, [], "twinspark rollback")
