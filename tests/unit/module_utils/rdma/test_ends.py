"""What becomes of the ends of runs, and which spare takes the place of a group that perftest lost."""

from dataclasses import replace

import pytest
from ansible.module_utils.twinspark.proof.json_form import from_json, to_json
from ansible.module_utils.twinspark.rdma.causes import CLOCK_UNSTEADY, QUEUE_PAIRS_REFUSED, named
from ansible.module_utils.twinspark.rdma.ends import End, collected, finished, fits, groups, lost
from ansible.module_utils.twinspark.rdma.perftest_run import Ended

END = End("run1", 1, "write_bw", "rail1", "c", "s", "10.0.0.1", "10.0.0.2", ("-R",), 5, state="listening")


def test_an_end_comes_back_from_json_as_it_was():
    failed = finished(replace(END, side="server", unit="u"), Ended("IB device s not found\n", 1, "exit-code"))
    assert from_json(End, to_json(failed), "end") == failed
    assert (failed.ok, failed.rows, failed.exit_code, failed.result) == (False, (), 1, "exit-code")
    assert failed.cause
    assert failed.cause.name == "device_not_found"


def test_what_is_not_known_yet_is_not_in_the_json():
    assert set(to_json(END)) - {"port", "state", "cause"} == {
        "key", "group", "test", "rail", "client_device", "server_device", "source", "address", "options", "seconds",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("active", "ok", "waited", "cause"),
    [("active", False, True, None), ("failed", False, False, "no_output")],
)
def test_a_server_that_nobody_came_to_is_not_to_blame(active, ok, waited, cause):
    states = {"u": {"ActiveState": active, "ExecMainStatus": "1", "Result": "exit-code"}}
    end = collected(replace(END, unit="u"), states, {"u": ""})
    assert (end.ok, end.waited, end.cause.name if end.cause else None) == (ok, waited, cause)


def test_a_server_that_never_listened_is_left_as_it_was():
    failed = replace(END, unit="u", state="failed", cause=named("port_busy"))
    assert collected(failed, {}, {}) == failed


def test_groups_are_in_their_order_with_the_runs_of_one_together():
    ends = [replace(END, key="c", group=2), replace(END, key="a"), replace(END, key="b")]
    assert [[end.key for end in group] for group in groups(ends)] == [["a", "b"], ["c"]]


@pytest.mark.parametrize(
    ("causes", "expect"),
    [([None, QUEUE_PAIRS_REFUSED], True), ([CLOCK_UNSTEADY], True), ([None, "no_path"], False), ([None], False)],
)
def test_a_group_is_lost_when_perftest_lost_one_of_its_ends_by_itself(causes, expect):
    assert lost([replace(END, cause=named(cause) if cause else None) for cause in causes]) is expect


@pytest.mark.parametrize(
    ("change", "expect"),
    [({}, True), ({"test": "write_lat"}, False), ({"state": "failed"}, False)],
)
def test_a_spare_fits_when_its_servers_wait_for_the_same_test(change, expect):
    assert fits([END, replace(END, **change)], [END]) is expect
