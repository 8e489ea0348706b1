"""The Hub's answers: what is tried again, and what the owner is told. Cases: hub_answers.yaml, client_log.yaml."""

from pathlib import Path

import pytest
from ansible.module_utils.twinspark_host import hubapi

from tests.support import cases

HERE = Path(__file__).parent / "cases"


@pytest.mark.parametrize("case", cases(HERE / "hub_answers.yaml"))
def test_what_may_pass_is_tried_again_and_the_rest_is_told_with_its_fix(case):
    found = hubapi.answer(case["status"], "o/n", "1" * 40, case.get("token", False), case.get("code", ""))
    assert found.retry == case["retry"]
    assert case["words"] in found.words


@pytest.mark.parametrize("case", cases(HERE / "client_log.yaml"))
def test_the_client_s_last_words_are_understood(case):
    found = hubapi.client_answer(case["log"], "o/n", "1" * 40, token=False)
    assert found.retry == case["retry"]
    assert case["words"] in found.words


def test_pauses_double_up_to_a_limit_and_obey_the_hub():
    assert [hubapi.pause(n, None, 5) for n in range(4)] == [1, 2, 4, 5]
    assert hubapi.pause(0, "7") == 7
    assert hubapi.pause(0, "Wed, 21 Oct") == 1
