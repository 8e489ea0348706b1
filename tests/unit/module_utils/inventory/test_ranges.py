"""Ranges as argument specs tell them: the forms, what they hold, and how they are said."""

import math

import pytest
from ansible.module_utils.twinspark.inventory.ranges import Range


@pytest.mark.parametrize(
    ("told", "said", "held", "not_held"),
    [
        ("Range: 1 to 9.", "from 1 to 9", [1, 9], [0, 10, math.nan]),
        ("Range: 0 or more.", "at least 0", [0, 1e12], [-0.001, math.nan]),
        ("Range: above 0.", "above 0", [0.001], [0, -1, math.nan]),
        ("Range: above 0, up to 0.95.", "above 0 and at most 0.95", [0.95], [0, 0.96]),
        ("Range: -1000 to 1000.", "from -1000 to 1000", [-1000], [-1001]),
        ("Range: 1 to 68719476736.", "from 1 to 68719476736", [2**36], [2**36 + 1]),
    ],
)
def test_forms(told: str, said: str, held: list[float], not_held: list[float]) -> None:
    found = Range.of({"description": ["What it is, 2 to 3.", told]})
    assert found is not None
    assert str(found) == said
    assert [value for value in (*held, *not_held) if found.holds(value)] == held


@pytest.mark.parametrize("description", [None, "A count, 1 to 9.", ["A count.", "In the Range: 1 to 9."]])
def test_a_description_without_one(description: object) -> None:
    assert Range.of({"description": description}) is None


@pytest.mark.parametrize("told", ["Range: 1-9.", "Range: at least 1.", "Range: 1 to 9", "Range: one to nine."])
def test_another_form_is_refused(told: str) -> None:
    with pytest.raises(ValueError, match="none of the forms"):
        Range.of({"description": ["A count.", told]})
