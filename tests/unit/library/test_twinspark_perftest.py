"""The runner: the table of cases/twinspark_perftest.yaml, and its decisions with systemd, journal and clock played."""

import socket
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from ansible.module_utils.twinspark.proof.json_form import from_json, to_json
from ansible.module_utils.twinspark.rdma.causes import LOST, QUEUE_PAIRS_REFUSED, named
from ansible.module_utils.twinspark.rdma.ends import End

from tests.support import cases

RUN = {
    "key": "rail1-a-b-write_bw-alone-1", "group": 1, "test": "write_bw", "rail": "rail1", "client_device": "c",
    "server_device": "s", "source": "127.0.0.1", "address": "127.0.0.1", "options": [], "seconds": 0,
}  # fmt: skip
WAITING = "* Waiting for client to connect... *\n"


class FakeModule:
    """An AnsibleModule as far as the functions look at it."""

    def __init__(self, check=False, **params):
        self.check_mode = check
        self.params = {"ports": "23300-23310", "timeout": 0, "lifetime": 60} | params


class FakeHost:
    """systemd and the journal: what each unit printed, and its state; "" says that it could be started."""

    def __init__(self, text=WAITING, error="", **state):
        self.text, self.error = text, error
        self.state = {"ActiveState": "active", "Result": "success", "ExecMainStatus": "0"} | state
        self.started, self.removed, self.left, self.held = [], [], [], set()

    def start(self, unit, argv, seconds):
        self.started.append(argv)
        return self.error

    def units(self):
        return self.left

    def states(self, units):
        return dict.fromkeys(units, self.state)

    def printed(self, units):
        return dict.fromkeys(units, self.text)

    def rdma_cm_ports(self):
        return self.held

    def remove(self, units):
        self.removed += units


def ends(*runs):
    """The runs as the module reads them."""
    return [from_json(End, run, "run") for run in runs]


@pytest.fixture
def library(load_module, monkeypatch):
    module = load_module("twinspark_perftest")
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    return module


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases/twinspark_perftest.yaml"))
def test_every_case_of_the_table(play, library, monkeypatch, case):
    monkeypatch.setattr(time, "time_ns", lambda: 0x1F)  # it is in the units' names
    play(library, case)


def test_a_server_that_waits_is_listening_on_a_free_port(library):
    host = FakeHost()
    (end,) = library.listening(FakeModule(), host, ends(RUN))
    assert (end.state, end.port) == ("listening", 23300)
    assert host.started[0][-4:] == ["-d", "s", "-p", "23300"]


def test_every_server_has_a_port_of_its_own_and_taken_ones_are_passed_over(library):
    with closing(socket.create_server(("127.0.0.1", 23300))):
        found = library.listening(FakeModule(), FakeHost(), ends(RUN, RUN | {"key": "x"}))
    assert [end.port for end in found] == [23301, 23302]


def test_a_port_that_rdma_cm_holds_is_passed_over_too(library):
    host = FakeHost()
    host.held = {23300}
    (end,) = library.listening(FakeModule(), host, ends(RUN))
    assert end.port == 23301


def test_a_full_range_is_a_named_cause(library):
    with closing(socket.create_server(("127.0.0.1", 23300))):
        (end,) = library.listening(FakeModule(ports="23300"), FakeHost(), ends(RUN))
    assert (end.state, end.cause.name) == ("failed", "port_busy")


@pytest.mark.parametrize(
    ("host", "cause"),
    [
        (FakeHost(text="IB device s not found\n", ActiveState="failed", Result="exit-code"), "device_not_found"),
        (FakeHost(text=WAITING + " rdma_bind_addr failed\n", ActiveState="failed", Result="exit-code"), "port_busy"),
        (FakeHost(text="", ActiveState="active"), "timeout"),
        (FakeHost(text="", ActiveState="failed", Result="signal"), "killed"),
        (FakeHost(error="Failed to find executable ib_write_bw: No such file"), "no_tool"),
    ],
)
def test_a_server_that_does_not_wait_has_a_cause(library, host, cause):
    (end,) = library.listening(FakeModule(), host, ends(RUN))
    assert (end.state, end.cause.name) == ("failed", cause)


def test_what_a_lost_controller_left_is_removed_first(library):
    host = FakeHost()
    host.left = ["twinspark-perftest-server-old.service"]
    library.listening(FakeModule(), host, ends(RUN))
    assert host.removed == ["twinspark-perftest-server-old.service"]


def test_check_mode_starts_nothing_and_says_what_it_would(library):
    host = FakeHost()
    (end,) = library.listening(FakeModule(check=True), host, ends(RUN))
    assert (host.started, host.removed, end.state) == ([], [], "planned")
    assert end.argv[-2:] == ("-p", "23300")


def test_a_client_whose_server_failed_is_not_run(library):
    cause = {"name": "port_busy", "meaning": "m", "fix": "c", "line": ""}
    (end,) = library.measured(FakeModule(), ends(RUN | {"cause": cause}))
    assert (end.skipped, end.ok, to_json(end.cause)) == (True, False, cause)


def test_a_path_that_does_not_answer_is_named_and_not_tried_again(library, monkeypatch):
    asked = []
    monkeypatch.setattr(library, "answers", lambda module, run: asked.append(run.key))
    found = library.measured(FakeModule(), ends(RUN, RUN | {"key": "again", "group": 2}))
    assert [end.cause.name for end in found] == ["no_path", "no_path"]
    assert asked == [RUN["key"]]


@pytest.fixture
def lossy(library, monkeypatch):
    """A path that answers, and clients that are refused their queue pairs the given number of times."""

    def play(times, cause=QUEUE_PAIRS_REFUSED):
        left = [times]

        def together(module, group):
            left[0] -= len(group)
            lost = left[0] >= 0
            return [replace(end, cause=named(cause) if lost else None, ok=not lost) for end in group]

        monkeypatch.setattr(library, "answers", lambda module, run: True)
        monkeypatch.setattr(library, "together", together)
        return library

    return play


SPARES = [RUN | {"key": f"spare{n}", "group": 2 + n, "spare": True, "state": "listening"} for n in (1, 2)]


@pytest.mark.parametrize(
    ("times", "keys"),
    [
        (0, [RUN["key"], "again"]),
        (1, [RUN["key"], "spare1", "again"]),
        (2, [RUN["key"], "spare1", "spare2", "again"]),
    ],
)
@pytest.mark.parametrize("cause", LOST)
def test_a_group_that_perftest_lost_is_measured_by_a_spare_in_its_place(lossy, times, keys, cause):
    runs = [RUN, RUN | {"key": "again", "group": 2}, *SPARES]
    done = lossy(times, cause).measured(FakeModule(), ends(*runs))
    assert [end.key for end in done] == keys
    assert [end.key for end in done if end.replaced] == keys[:times]
    assert [end.ok for end in done if not end.replaced] == [True, True]


def test_when_no_spare_is_left_the_cause_stays(lossy):
    other = [run | {"test": "write_lat"} for run in SPARES]
    failed = [run | {"state": "failed"} for run in SPARES]
    done = lossy(9).measured(FakeModule(), ends(RUN, *other, *failed))
    assert [(end.cause.name, end.replaced) for end in done] == [(QUEUE_PAIRS_REFUSED, None)]


def test_a_server_that_nobody_came_to_is_not_to_blame(library):
    host = FakeHost()
    host.left = ["u"]
    started = RUN | {"unit": "u", "state": "listening"}
    (end,), changed = library.absent(FakeModule(), host, ends(started))
    assert (changed, host.removed) == (True, ["u"])
    assert (end.waited, end.cause) == (True, None)


def test_a_server_that_was_killed_says_so(library):
    host = FakeHost(ActiveState="failed", Result="signal", ExecMainStatus="9")
    (end,), _ = library.absent(FakeModule(), host, ends(RUN | {"unit": "u", "state": "listening"}))
    assert end.cause.name == "killed"
