"""The runner: the table of cases/twinspark_perftest.yaml, and its decisions with systemd, journal and clock played."""

import socket
import time
from contextlib import closing
from pathlib import Path

import pytest
from ansible.module_utils.twinspark.proof.json_form import to_json
from ansible.module_utils.twinspark.rdma.causes import LOST, QUEUE_PAIRS_REFUSED, named

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
        self.params = {"runs": [], "ports": "23300-23310", "timeout": 0, "lifetime": 60} | params


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
    (run,) = library.listening(FakeModule(runs=[RUN]), host)["runs"]
    assert (run["state"], run["port"]) == ("listening", 23300)
    assert host.started[0][-4:] == ["-d", "s", "-p", "23300"]


def test_every_server_has_a_port_of_its_own_and_taken_ones_are_passed_over(library):
    with closing(socket.create_server(("127.0.0.1", 23300))):
        runs = library.listening(FakeModule(runs=[RUN, RUN | {"key": "x"}]), FakeHost())["runs"]
    assert [run["port"] for run in runs] == [23301, 23302]


def test_a_port_that_rdma_cm_holds_is_passed_over_too(library):
    host = FakeHost()
    host.held = {23300}
    (run,) = library.listening(FakeModule(runs=[RUN]), host)["runs"]
    assert run["port"] == 23301


def test_a_full_range_is_a_named_cause(library):
    with closing(socket.create_server(("127.0.0.1", 23300))):
        (run,) = library.listening(FakeModule(runs=[RUN], ports="23300"), FakeHost())["runs"]
    assert (run["state"], run["cause"]["name"]) == ("failed", "port_busy")


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
    (run,) = library.listening(FakeModule(runs=[RUN]), host)["runs"]
    assert (run["state"], run["cause"]["name"]) == ("failed", cause)


def test_what_a_lost_controller_left_is_removed_first(library):
    host = FakeHost()
    host.left = ["twinspark-perftest-server-old.service"]
    library.listening(FakeModule(runs=[RUN]), host)
    assert host.removed == ["twinspark-perftest-server-old.service"]


def test_check_mode_starts_nothing_and_says_what_it_would(library):
    host = FakeHost()
    result = library.listening(FakeModule(check=True, runs=[RUN]), host)
    assert (host.started, host.removed, result["changed"]) == ([], [], True)
    assert result["runs"][0]["argv"][-2:] == ["-p", "23300"]


def test_a_client_whose_server_failed_is_not_run(library):
    cause = {"name": "port_busy", "meaning": "m", "fix": "c", "line": ""}
    (run,) = library.measured(FakeModule(runs=[RUN | {"cause": cause}]))["runs"]
    assert (run["skipped"], run["ok"], run["cause"]) == (True, False, cause)


def test_a_path_that_does_not_answer_is_named_and_not_tried_again(library, monkeypatch):
    asked = []
    monkeypatch.setattr(library, "answers", lambda module, run: asked.append(run["key"]))
    runs = library.measured(FakeModule(runs=[RUN, RUN | {"key": "again", "group": 2}]))["runs"]
    assert [run["cause"]["name"] for run in runs] == ["no_path", "no_path"]
    assert asked == [RUN["key"]]


@pytest.fixture
def lossy(library, monkeypatch):
    """A path that answers, and clients that are refused their queue pairs the given number of times."""

    def play(times, cause=QUEUE_PAIRS_REFUSED):
        left = [times]

        def together(module, group):
            for run in group:
                left[0] -= 1
                run.update(cause=to_json(named(cause)) if left[0] >= 0 else None, ok=left[0] < 0)

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
    done = lossy(times, cause).measured(FakeModule(runs=runs))["runs"]
    assert [run["key"] for run in done] == keys
    assert [run["key"] for run in done if run.get("replaced")] == keys[:times]
    assert [run["ok"] for run in done if not run.get("replaced")] == [True, True]


def test_when_no_spare_is_left_the_cause_stays(lossy):
    other = [run | {"test": "write_lat"} for run in SPARES]
    failed = [run | {"state": "failed"} for run in SPARES]
    done = lossy(9).measured(FakeModule(runs=[RUN, *other, *failed]))["runs"]
    assert [(run["cause"]["name"], run.get("replaced")) for run in done] == [(QUEUE_PAIRS_REFUSED, None)]


def test_a_server_that_nobody_came_to_is_not_to_blame(library):
    host = FakeHost()
    host.left = ["u"]
    started = RUN | {"unit": "u", "state": "listening"}
    result = library.absent(FakeModule(runs=[started]), host)
    assert (result["changed"], host.removed) == (True, ["u"])
    assert (result["runs"][0]["waited"], result["runs"][0]["cause"]) == (True, None)


def test_a_server_that_was_killed_says_so(library):
    host = FakeHost(ActiveState="failed", Result="signal", ExecMainStatus="9")
    result = library.absent(FakeModule(runs=[RUN | {"unit": "u", "state": "listening"}]), host)
    assert result["runs"][0]["cause"]["name"] == "killed"
