"""Values to JSON and back, and the words of a refusal."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from ansible.module_utils.twinspark.proof.json_form import SPARSE, Json, ShapeError, from_json, to_json


@dataclass(frozen=True)
class Inner:
    name: str
    size: int | None = field(default=None, metadata=SPARSE)


@dataclass(frozen=True)
class Outer:
    rate: float
    parts: tuple[Inner, ...] = ()
    by_name: Mapping[str, Inner] = field(default_factory=dict)
    on: bool = False


def test_a_value_comes_back_as_it_was():
    value = Outer(1.5, (Inner("a"), Inner("b", 2)), {"c": Inner("c")}, on=True)
    plain = to_json(value)
    assert plain["parts"] == [{"name": "a"}, {"name": "b", "size": 2}]
    assert from_json(Outer, plain, "outer") == value


@dataclass(frozen=True, slots=True)
class Crossing(Json):
    """A value with the common base."""

    called = "crossing"

    rate: float
    inner: Inner | None = None


def test_a_value_with_the_base_comes_back_and_names_itself_in_a_refusal():
    value = Crossing(1.5, Inner("a"))
    assert Crossing.from_json(value.to_json()) == value
    assert from_json(Crossing, to_json(value), "given") == value
    with pytest.raises(ShapeError, match=r"^crossing: rate is missing$"):
        Crossing.from_json({})
    with pytest.raises(ShapeError, match=r"^plan: rate must be a number"):
        Crossing.from_json({"rate": "fast"}, "plan")


def test_a_key_of_a_newer_version_is_passed_over():
    assert from_json(Inner, {"name": "a", "new": 1}, "inner") == Inner("a")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], r"outer must be a mapping, not \[\]"),
        ({}, "outer: rate is missing"),
        ({"rate": "fast"}, "outer: rate must be a number, not 'fast'"),
        ({"rate": True}, "outer: rate must be a number, not True"),
        ({"rate": float("nan")}, "outer: rate must be a number"),
        ({"rate": 1, "on": "yes"}, "outer: on must be true or false, not 'yes'"),
        ({"rate": 1, "parts": {}}, "outer: parts must be a list"),
        ({"rate": 1, "parts": [{"name": "a"}, {"name": 1}]}, "outer: parts, entry 2: name must be text, not 1"),
        ({"rate": 1, "by_name": {"c": {}}}, "outer: by_name: c: name is missing"),
    ],
)
def test_a_refusal_names_the_part(given, said):
    with pytest.raises(ShapeError, match=said):
        from_json(Outer, given, "outer")


def test_numbers_may_be_written_as_text():
    assert from_json(Outer, {"rate": "5"}, "outer").rate == 5
