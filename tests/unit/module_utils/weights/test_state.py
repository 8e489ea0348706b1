"""What a host remembers of its last hashing, as its state file keeps it."""

import pytest
from ansible.module_utils.twinspark.proof.json_form import ShapeError
from ansible.module_utils.twinspark.weights.state import Fault, Record, State, Transfer

STATE = State(
    repo="o/n",
    commit="1" * 40,
    files={"w": Record("a" * 64, stamp=(10, 1, 1, 1)), "bad": Record(bad=True)},
    copy=Transfer(bytes=10, seconds=0.5, rails={"rail1": 10}, rail_faults={"rail2": Fault(2, "reset")}),
)


def test_it_comes_back_from_its_file_as_it_was():
    assert State.from_json(STATE.to_json()) == STATE


def test_what_is_not_known_of_a_file_is_left_out():
    assert STATE.to_json()["files"]["bad"] == {"sha256": "", "stamp": [], "bad": True}


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"files": []}, "state: files must be a mapping"),
        ({"files": {"w": 1}}, "state: files: w must be a mapping"),
        ({"files": {"w": {"stamp": ["now"]}}}, "stamp, entry 1 must be a whole number, not 'now'"),
        ({"copy": {"seconds": 1}}, "state: copy: bytes is missing"),
    ],
)
def test_nonsense_is_refused_with_its_place(part, said):
    with pytest.raises(ShapeError, match=said):
        State.from_json(part)
