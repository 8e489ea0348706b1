from pathlib import Path

import pytest
from ansible.module_utils.twinspark.evaluation import stats
from hypothesis import given
from hypothesis import strategies as st

from tests.support import cases

# The article's result: 198 questions, 4 epochs.
ARTICLE = stats.Score(0.886, 0.020, 198, 792)


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases/stats.yaml"))
def test_score(case):
    score = stats.clustered(case["scores"])
    assert score.mean == pytest.approx(case["mean"], abs=1e-6)
    assert score.stderr == (None if case["stderr"] is None else pytest.approx(case["stderr"], abs=1e-6))
    naive = stats.naive_stderr(case["scores"])
    assert naive == (None if case["naive"] is None else pytest.approx(case["naive"], abs=1e-6))


def test_the_article_s_score_is_consistent_with_the_published_one():
    held = stats.compare(ARTICLE, 0.874)
    assert held.z == pytest.approx(0.6)
    assert held.p == pytest.approx(0.5485, abs=1e-4)
    assert held.low == pytest.approx(0.012 - 1.959964 * 0.020)
    assert held.low < 0 < held.high


def test_the_article_s_score_is_not_that_without_thinking():
    held = stats.compare(ARTICLE, 0.712)
    assert held.low > 0
    assert held.p < 1e-6


def test_all_wrong_is_no_certainty():
    """Wilson's interval: 0 of 8 right leaves up to 32 %."""
    score = stats.clustered({str(n): [0.0] for n in range(8)})
    assert stats.interval(score) == (0.0, pytest.approx(0.324408, abs=1e-6))
    assert stats.compare(score, 0.25).z is None


def test_no_score_bounds_nothing():
    assert stats.interval(stats.clustered({})) == (0.0, 1.0)


@given(st.dictionaries(st.text(min_size=1), st.lists(st.sampled_from([0.0, 0.5, 1.0]), max_size=4), max_size=20))
def test_the_interval_holds_the_score_and_stays_between_0_and_1(scores):
    score = stats.clustered(scores)
    low, high = stats.interval(score)
    assert 0 <= low <= score.mean + 1e-9
    assert score.mean - 1e-9 <= high <= 1


@given(st.dictionaries(st.integers(), st.sampled_from([0.0, 1.0]), min_size=2, max_size=30), st.integers(1, 5))
def test_epochs_that_agree_change_nothing(values, epochs):
    once = stats.clustered({str(k): [v] for k, v in values.items()})
    often = stats.clustered({str(k): [v] * epochs for k, v in values.items()})
    assert often.stderr == pytest.approx(once.stderr)
