"""What the roles read of the supervisor's state, and when it needs a new wish."""

import json

import pytest
from ansible.module_utils.twinspark.proof.json_form import to_json
from ansible.module_utils.twinspark.serving.pair import HostSeen, State, Wish
from ansible.module_utils.twinspark.serving.supervised import Supervised, needs_wish, said, settled


def text(*hosts, **state):
    document = {"sentence": "so it is", "state": State(**state).to_json(), "hosts": [to_json(host) for host in hosts]}
    return json.dumps(document)


def test_the_state_is_told_in_its_own_words():
    wish = Wish(id="w", verb="start")
    away = HostSeen(host="b", reachable=False, error="no route")
    found = said(
        text(HostSeen(host="a"), away, kind="restarting", why="a rank is gone", restarts=2, since=5.0, wish=wish)
    )
    assert found == Supervised("restarting", "so it is", "a rank is gone", 5.0, 2, "w", 0.0, {"b": "no route"})


@pytest.mark.parametrize("given", ["", "{", "[]", "{}", '{"state": {"kind": "asleep"}, "sentence": "x"}'])
def test_what_cant_be_read_is_no_supervisor(given):
    assert said(given).kind == "absent"
    assert said(given).down


@pytest.mark.parametrize(
    ("found", "wish", "done"),
    [
        (Supervised("serving", wish="w"), "w", True),
        (Supervised("busy", wish="w"), "", True),
        (Supervised("serving", wish="old"), "w", False),  # it has not read the new one yet
        (Supervised("starting", wish="w"), "w", False),
        (Supervised("restarting", wish="w"), "w", False),
        (Supervised("stuck", wish="w"), "w", False),
        (Supervised("given_up", wish="w"), "w", True),
        (Supervised("stopped", wish="w"), "w", True),
        (Supervised("starting", wish="w", waited=30), "w", False),
        (Supervised("starting", wish="w", waited=100), "w", True),  # for memory that somebody else holds
        (Supervised(), "", False),
    ],
)
def test_when_nothing_more_is_to_be_waited_for(found, wish, done):
    assert settled(found, wish) is done


def test_only_a_start_that_waits_for_the_hosts_has_waited():
    assert said(text(kind="starting", stage="room", spent=50.0)).waited == 50
    assert said(text(kind="starting", stage="ready", spent=50.0)).waited == 0


@pytest.mark.parametrize(
    ("verb", "old", "kind", "needed"),
    [
        ("start", "start", "serving", False),
        ("start", "restart", "starting", False),
        ("start", "start", "given_up", True),
        ("start", "stop", "stopped", True),
        ("stop", "stop", "stopped", False),
        ("stop", "start", "serving", True),
        ("restart", "restart", "serving", True),
    ],
)
def test_a_wish_that_is_followed_is_not_made_again(verb, old, kind, needed):
    assert needs_wish(verb, Wish(id="w", verb=old), Supervised(kind, wish="w")) is needed


def test_a_start_that_was_not_taken_yet_stands():
    assert not needs_wish("start", Wish(id="new", verb="start"), Supervised("given_up", wish="old"))
