"""The canary: what counts as an answer, and what crossed the rails meanwhile."""

import pytest
from ansible.module_utils.twinspark.serving import canary


def answer(tokens=5, content="Paris.", **message):
    return {
        "usage": {"completion_tokens": tokens, "prompt_tokens": 7},
        "choices": [{"message": {"content": content, **message}, "finish_reason": "stop"}],
    }


@pytest.mark.parametrize(
    ("got", "error", "seconds", "expect", "said"),
    [
        (answer(), "", 1.0, "paris", ""),
        (answer(content=None, reasoning_content="Paris it is"), "", 1.0, "Paris", ""),
        (answer(tokens=0), "", 1.0, "", "the engine made 0 tokens"),
        ({}, "no answer within 9 s", 9.0, "", "no answer within 9 s"),
        (answer(), "", 99.0, "", "the answer took 99 s"),
        (answer(content="!!!!"), "", 1.0, "Paris", "the answer does not hold 'Paris': '!!!!'"),
        ({"choices": []}, "", 1.0, "", "the engine made 0 tokens"),
    ],
)
def test_the_canary_believes_tokens_only(got, error, seconds, expect, said):
    judged = canary.judge(got, error, seconds, canary.Wanted(1, 10, expect))
    assert (judged.ok, judged.error) == (not said, said)
    verdict = judged.verdict("", blocks=True)
    assert (verdict.ok, verdict.reason) == (not said, said)


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ({"content": " Paris.\n"}, "Paris."),
        ({"content": None, "reasoning_content": "Let me think"}, ""),
        ({"content": "Paris.", "reasoning": "France"}, "Paris."),
    ],
)
def test_an_answer_is_what_comes_after_the_thoughts(message, answer):
    assert canary.content({"choices": [{"message": message, "finish_reason": "stop"}]}) == answer
    assert canary.content({}) == ""
