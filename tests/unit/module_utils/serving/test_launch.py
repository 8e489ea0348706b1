"""The stages of a start, one by one. Whole starts are in test_supervisor.py."""

import dataclasses

import pytest
from ansible.module_utils.twinspark.serving import launch
from ansible.module_utils.twinspark.serving.pair import Action, HostSeen, Known, Limits, Log, Seen, State
from ansible.module_utils.twinspark.serving.rank import Memory

GIB = 1 << 30
LIMITS = Limits(memory_gib=10, headroom_gib=2)
DOWN = {"ActiveState": "inactive", "LoadState": "loaded"}
A, B = (HostSeen(host=name, boot_id=name, unit=DOWN, memory=Memory(20 * GIB, 15 * GIB)) for name in "ab")
UP = {"ActiveState": "active", "LoadState": "loaded", "InvocationID": "i"}


def seen(*hosts):
    return Seen(now=0, passed=5, hosts=hosts)


def up(host):
    return dataclasses.replace(host, unit=UP, container="c")


def test_the_head_is_stopped_first_and_what_a_dead_head_left_holds_up_nobody():
    state = State(kind="restarting", stage="stop")
    assert launch.stop(state, seen(up(A), up(B)))[1] == (Action("stop", "a"),)
    assert launch.stop(state, seen(A, up(B)))[1] == (Action("stop", "b"),)
    left = dataclasses.replace(A, leftovers=2)
    assert launch.stop(state, seen(left, up(B)))[1] == (Action("stop", "a"), Action("stop", "b"))
    leaving = dataclasses.replace(A, unit={"ActiveState": "deactivating"})
    assert launch.stop(state, seen(leaving, up(B)))[1] == (Action("stop", "a"),)


def test_a_host_that_is_away_is_waited_for_once_the_others_are_down():
    away = HostSeen(host="b", reachable=False)
    stopped, actions = launch.stop(State(kind="restarting", stage="stop"), seen(A, away))
    assert (stopped.stage, stopped.phase, actions) == ("stop", "waiting for b", ())


def test_the_logs_are_waited_for_but_not_for_ever():
    state = State(kind="restarting", stage="log", why="it died", ranks={"a": Known("a"), "b": Known("b")})
    waiting, actions = launch.read_logs(state, seen(dataclasses.replace(A, log=Log()), B))
    assert (waiting.stage, actions) == ("log", (Action("log", "b"),))
    late = dataclasses.replace(state, spent=launch.LOG_SECONDS)
    assert launch.read_logs(late, seen(A, B)) == (dataclasses.replace(late, stage="stop", spent=0, phase=""), ())


@pytest.mark.parametrize(
    ("change", "phase"),
    [
        ({"reachable": False}, "waiting for b"),
        ({"unit": {"LoadState": "not-found"}}, "waiting for the unit on b; run `twinspark apply --stage serve`"),
        ({"docker": False, "container": None}, "waiting for Docker on b"),
        ({"missing": ("rail1", "rail2")}, "waiting for rail1 and rail2 on b"),
        ({"memory": Memory(20 * GIB, 9 * GIB)}, "waiting for memory on b: 9.0 of 12.0 GiB"),
    ],
)
def test_what_a_start_waits_for(change, phase):
    waiting, actions = launch.room(
        State(kind="starting", stage="room"), seen(A, dataclasses.replace(B, **change)), LIMITS
    )
    assert (waiting.phase, waiting.stage, actions) == (phase, "room", ())


def test_a_start_is_counted_when_it_is_ordered():
    begun, actions = launch.room(State(kind="restarting", stage="room", counted=True, restarts=1), seen(A, B), LIMITS)
    assert (begun.restarts, begun.counted, actions) == (2, False, (Action("start", "b"),))
    again, _ = launch.room(dataclasses.replace(begun, stage="room"), seen(A, B), LIMITS)
    assert again.restarts == 2


def test_a_rank_that_somebody_starts_meanwhile_is_stopped_first():
    stopped, actions = launch.room(State(kind="starting", stage="room"), seen(A, up(B)), LIMITS)
    assert (stopped.stage, actions) == ("stop", ())


def test_the_phase_of_a_start_is_the_head_s():
    head = dataclasses.replace(up(A), log=Log("compiling kernels"))
    ready, actions = launch.ready(State(kind="starting", stage="ready"), seen(head, up(B)))
    assert (ready.phase, actions) == ("compiling kernels", (Action("log", "a"), Action("log", "b")))
