"""The supervisor's values: their JSON, and the state in words."""

import pytest
from ansible.module_utils.twinspark.proof.json_form import ShapeError
from ansible.module_utils.twinspark.serving import pair
from ansible.module_utils.twinspark.serving.rank import Memory

LIMITS = pair.Limits()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (pair.State(kind="starting", phase="starting", why="asked for by apply"), "starting: asked for by apply"),
        (pair.State(), "stopped"),
        (pair.State(kind="starting", phase="loading weights"), "starting, loading weights"),
        (
            pair.State(kind="restarting", stage="room", phase="waiting for spark2", restarts=1, why="it died"),
            "restarting (2 of 3), waiting for spark2: it died",
        ),
        (pair.State(kind="restarting", stage="ready", restarts=2, why="it died"), "restarting (2 of 3): it died"),
        (pair.State(kind="given_up", why="3 restarts"), "given up: 3 restarts"),
    ],
)
def test_a_state_in_words(state, words):
    assert pair.sentence(state, LIMITS) == words


def test_a_state_is_the_same_after_a_boot():
    known = pair.Known("b", "i0", "i1", "c", (pair.Process(7, "VLLM::EngineCore"),))
    state = pair.State(
        kind="busy", since=1.5, restarts=2, wish=pair.Wish("1", "start"), ranks={"spark1": known}, work=9
    )
    assert pair.State.from_json(state.to_json()) == state


def test_a_look_is_the_same_at_the_other_end_of_ssh():
    seen = pair.HostSeen(host="a", unit={"ActiveState": "active"}, container=None, memory=Memory(2, 1), power=4.5)
    assert pair.HostSeen.from_json(seen.to_json()) == seen


@pytest.mark.parametrize("wrong", [{"kind": "happy"}, {"ranks": {"a": {}}}, {"restarts": "many"}, []])
def test_a_state_of_another_form_is_refused(wrong):
    with pytest.raises(ShapeError):
        pair.State.from_json(wrong)


@pytest.mark.parametrize("wrong", [{"patience": 0}, {"restarts": -1}, {"ready_timeout": -5}])
def test_limits_that_bound_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        pair.Limits(**wrong)


@pytest.mark.parametrize(
    ("unit", "more", "over", "cleared"),
    [
        ({}, {}, True, True),
        ({"ActiveState": "failed"}, {}, True, True),
        ({"ActiveState": "failed"}, {"leftovers": 1}, True, False),
        ({"ActiveState": "inactive"}, {"container": "c"}, True, False),
        ({"ActiveState": "activating", "SubState": "auto-restart"}, {}, True, False),
        ({"ActiveState": "activating", "SubState": "start-pre"}, {}, False, False),
        ({"ActiveState": "deactivating"}, {}, False, False),
    ],
)
def test_a_rank_that_is_over_and_one_of_which_nothing_is_left(unit, more, over, cleared):
    seen = pair.HostSeen(host="a", unit=unit, **more)
    assert (seen.over, seen.cleared) == (over, cleared)
