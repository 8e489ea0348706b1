"""A requirement compared with what was measured. Its form in a proof: test_values.py."""

import pytest
from ansible.module_utils.twinspark.proof.requirement import Requirement, number, text_of


@pytest.mark.parametrize(
    ("requirement", "holds", "fails"),
    [
        (Requirement(">=", 90), 90, 89.9),
        (Requirement("<=", 90), 90, 90.1),
        (Requirement("in", ["a", "b"]), "b", "c"),
        (Requirement("contains", "a"), ["a", "b"], ["b"]),
        (Requirement("==", 1), 1.0, True),
        (Requirement("!=", 1), 2, 1),
    ],
)
def test_it_holds_for_one_value_and_not_for_the_other(requirement, holds, fails):
    assert requirement.holds(holds) is True
    assert requirement.holds(fails) is False
    assert requirement.holds(None) is False


def test_words_are_for_people():
    assert Requirement("words", "the same on every host").holds("anything") is None


@pytest.mark.parametrize(
    ("value", "is_one"), [(1, True), (0.5, True), (True, False), (float("nan"), False), ("1", False)]
)
def test_numbers(value, is_one):
    assert number(value) is is_one


def test_text_is_short():
    assert [text_of(value) for value in (90.0, 0.1, [1, "a"], [], "x")] == ["90", "0.1", "1, a", "none", "x"]
