"""What is wrong with a pair: one rank at a time. The rows of it are in test_supervisor.py."""

import dataclasses

import pytest
from ansible.module_utils.twinspark.serving import faults
from ansible.module_utils.twinspark.serving.causes import Cause
from ansible.module_utils.twinspark.serving.pair import HostSeen, Known, Limits, Log, Process, Seen, State
from ansible.module_utils.twinspark.serving.rank import Memory

GIB = 1 << 30
CORE, WORKER = Process(7, "VLLM::EngineCore"), Process(8, "VLLM::Worker_TP0")
KNOWN = Known("boot", "before", "now", "c1", (CORE, WORKER))
WELL = HostSeen(
    host="spark1",
    boot_id="boot",
    unit={"ActiveState": "active", "SubState": "running", "InvocationID": "now"},
    container="c1",
    processes=(CORE, WORKER),
    memory=Memory(120 * GIB, 10 * GIB),
)


def seen(*hosts, **more):
    return Seen(now=0, passed=5, hosts=hosts, **more)


def unit(state, **more):
    return {"ActiveState": state, "InvocationID": "now", **more}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, ""),
        ({"reachable": False, "boot_id": ""}, ""),
        ({"boot_id": "another"}, "spark1 was rebooted"),
        ({"unit": unit("inactive", ExecMainStatus="0", Result="success")}, "the rank on spark1 ended with exit code 0"),
        (
            {"unit": unit("failed", ExecMainStatus="9", Result="signal")},
            "the rank on spark1 ended with exit code 9 (sig",
        ),
        ({"unit": unit("activating", SubState="auto-restart")}, "the rank on spark1 ended with an unknown exit code"),
        ({"unit": {}}, "the rank on spark1 ended with an unknown exit code"),
        ({"unit": unit("active", InvocationID="else")}, "the rank on spark1 was started again by somebody else"),
        ({"unit": unit("deactivating"), "container": ""}, ""),
        ({"container": ""}, "the container of the rank on spark1 is gone"),
        ({"container": "c2"}, "the container of the rank on spark1 is gone"),
        ({"container": None, "docker": False, "processes": ()}, ""),
        ({"processes": (CORE,)}, "the process VLLM::Worker_TP0 on spark1 is gone"),
        ({"processes": (CORE, Process(8, "VLLM::Worker_TP0_EP0", "T"))}, ""),
        ({"processes": (CORE, WORKER, Process(9, "VLLM::new"))}, ""),
    ],
)
def test_gone(change, why):
    found = faults.gone(State(ranks={"spark1": KNOWN}), seen(dataclasses.replace(WELL, **change)))
    assert found.startswith(why)
    assert bool(found) is bool(why)


def test_a_rank_that_was_ordered_and_has_not_begun_is_not_dead_and_one_that_ended_between_two_looks_is():
    state = State(ranks={"spark1": Known("boot", "before")})
    waiting = dataclasses.replace(WELL, unit=unit("inactive", InvocationID="before"), container="", processes=())
    assert faults.gone(state, seen(waiting)) == ""
    ended = dataclasses.replace(waiting, unit=unit("failed", ExecMainStatus="125"))
    assert faults.gone(state, seen(ended)).startswith("the rank on spark1 ended with exit code 125")


def test_what_is_seen_first_belongs_to_the_start_and_what_another_start_shows_does_not():
    state = State(ranks={"spark1": Known("boot", "before")})
    old = dataclasses.replace(WELL, unit=unit("active", InvocationID="before"))
    assert faults.known_now(state, seen(old))["spark1"] == Known("boot", "before")
    assert faults.known_now(state, seen(WELL))["spark1"] == KNOWN
    more = dataclasses.replace(WELL, processes=(WORKER, Process(9, "VLLM::new")))
    known = faults.known_now(State(ranks={"spark1": KNOWN}), seen(more))["spark1"]
    assert [process.pid for process in known.processes] == [7, 8, 9]


def test_memory_under_the_floor():
    low = dataclasses.replace(WELL, memory=Memory(120 * GIB, GIB))
    assert "only 1.0 GiB of memory are left on spark1" in faults.short_of_memory(seen(low), Limits())
    assert faults.short_of_memory(seen(low), Limits(floor_gib=None)) == ""
    assert faults.short_of_memory(seen(WELL), Limits()) == ""
    assert faults.short_of_memory(seen(dataclasses.replace(low, reachable=False)), Limits()) == ""


@pytest.mark.parametrize(
    ("limits", "gib"),
    [
        (Limits(utilization=0.8, headroom_gib=4), 100),
        (Limits(memory_gib=2, headroom_gib=1), 3),
        (Limits(headroom_gib=4), 0),
    ],
)
def test_need(limits, gib):
    assert faults.need(WELL, limits) == pytest.approx(gib * GIB)


def test_a_wedge_is_called_by_its_name_only_where_every_power_is_known_to_be_low():
    state = State(frozen=600, asked=1)
    idle = dataclasses.replace(WELL, power=4.0)
    assert "the GPUs idle" in faults.frozen(state, seen(idle), Limits())
    assert "the GPUs idle" not in faults.frozen(state, seen(idle, dataclasses.replace(WELL, power=60.0)), Limits())
    assert "the GPUs idle" not in faults.frozen(state, seen(WELL), Limits())


def test_the_root_is_looked_for_in_every_log():
    def with_cause(name, cause):
        return dataclasses.replace(WELL, host=name, log=Log("failed", Cause(cause, "a line", "do it")))

    hosts = with_cause("a", "engine died"), with_cause("b", "lost peer"), with_cause("c", "port taken"), WELL
    assert faults.root_cause(seen(*hosts)) == "port taken on c (a line). Fix: do it"
    assert faults.root_cause(seen(WELL)) == ""
