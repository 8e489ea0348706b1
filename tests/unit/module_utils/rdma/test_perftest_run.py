"""How a perftest process is started, and what its end means."""

import signal

import pytest
from ansible.module_utils.twinspark.rdma import perftest_run
from ansible.module_utils.twinspark.rdma.perftest_run import Ended, cause_of, ended, outcome
from ansible.module_utils.twinspark.rdma.plan import Run

GOOD = (
    "                    RDMA_Write BW Test\n"
    " #bytes     #iterations    BW peak[Gb/sec]    BW average[Gb/sec]   MsgRate[Mpps]\n"
    " 65536      20000            111.57             107.34             0.204742\n"
)
RUN = Run(
    "rail1-a-b-write_bw-alone-1", 1, "write_bw", "rail1", "rocep1s0f0", "rocep1s0f1", "192.168.177.11",
    "192.168.177.12", ("-q", "4"), 0,
)  # fmt: skip


def test_both_ends_name_their_own_device_and_the_same_port():
    assert perftest_run.server_argv("/usr/bin/ib_write_bw", RUN, 18515) == [
        "stdbuf", "-oL", "/usr/bin/ib_write_bw", "-d", "rocep1s0f1", "-p", "18515", "-q", "4",
    ]  # fmt: skip
    assert perftest_run.client_argv("/usr/bin/ib_write_bw", RUN, 18515) == [
        "stdbuf", "-oL", "/usr/bin/ib_write_bw", "192.168.177.12", "-d", "rocep1s0f0", "-p", "18515", "-q", "4",
    ]  # fmt: skip


def test_systemd_ends_what_nobody_else_ends():
    argv = perftest_run.unit_argv("u.service", ["x"], seconds=30, wait=True)
    assert argv == [
        "systemd-run", "--unit=u.service", "--wait", "--pipe", "--collect", "--property=RuntimeMaxSec=30", "--", "x",
    ]  # fmt: skip


@pytest.mark.parametrize("key", ["rail1-a-b-write_bw-1", "räil one/..\n", "x" * 400])
def test_a_unit_s_name_is_one_that_systemd_takes(key):
    name = perftest_run.unit_name(key, "server", "1f")
    assert name.startswith("twinspark-perftest-server-")
    assert len(name) < 256
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


@pytest.mark.parametrize(("text", "first", "last"), [("18515-18546", 18515, 18546), ("2000", 2000, 2000)])
def test_a_range_of_ports_holds_both_ends(text, first, last):
    assert (perftest_run.ports(text)[0], perftest_run.ports(text)[-1]) == (first, last)


@pytest.mark.parametrize("text", ["", "80", "5-2", "3000-2000", "1024-99999", "a-b"])
def test_a_range_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="no range of ports"):
        perftest_run.ports(text)


def test_systemd_run_s_own_lines_are_not_perftest_s():
    stderr = (
        "Running as unit: u.service; invocation ID: 1\n Port number 1 state is Down\nFinished with result: exit-code\n"
    )
    stderr += "Main processes terminated with: code=exited, status=1/FAILURE\n  CPU time consumed: 1ms\n"
    end = ended("", stderr, 1)
    assert (end.text, end.result, end.code) == ("Port number 1 state is Down\n", "exit-code", 1)


@pytest.mark.parametrize(
    ("stderr", "number", "result"),
    [
        ("Finished with result: signal\nMain processes terminated with: code=killed, status=11/SEGV\n", 11, "signal"),
        ("Finished with result: signal\nMain processes terminated with: code=killed, status=9/KILL\n", 9, "signal"),
        (
            "Finished with result: core-dump\nMain processes terminated with: code=dumped, status=11/SEGV\n",
            11,
            "core-dump",
        ),
    ],
)
def test_a_signal_is_known_by_its_number_which_systemd_run_s_own_exit_code_is_not(stderr, number, result):
    assert ended("", stderr, 255) == Ended("\n", number, result)


def test_a_port_that_rdma_cm_listens_on_is_known():
    text = (  # rdma resource show cm_id of iproute2 6.15 on the VM hosts, 2026-11-24
        "link rocep1s0f1/- cm-idn 88 state LISTEN ps TCP pid 1096 comm ib_write_lat src-addr 0.0.0.0:18705 \n"
        "link rocep1s0f1/1 cm-idn 87 lqpn 60 qp-type RC state DISCONNECT ps TCP pid 1096 comm ib_write_lat "
        "src-addr 192.168.177.12:18706 dst-addr 192.168.177.11:49584 \n"
    )
    assert perftest_run.listening_ports(text) == {18705}
    assert perftest_run.listening_ports("error: Netlink\n") == set()


@pytest.mark.parametrize(
    ("end", "name"),
    [
        (Ended("Failed to find executable ib_write_bw: No such file or directory\n", 1, "exit-code"), "no_tool"),
        (Ended("", None, "signal"), "killed"),
        (Ended(GOOD, None, "signal"), "killed"),
        (Ended("Couldn't allocate MR\n", signal.SIGKILL, "signal"), "killed"),
        (Ended("Couldn't allocate MR\n", signal.SIGSEGV, "signal"), "memlock"),
        (Ended("Couldn't allocate MR\n", signal.SIGSEGV, "core-dump"), "memlock"),
        (Ended(GOOD, signal.SIGSEGV, "signal"), "crashed"),
        (Ended("Event: RDMA_CM_EVENT_REJECTED; error: 8.\n", signal.SIGSEGV, "signal"), "queue_pairs_refused"),
        (Ended("", signal.SIGSEGV, "exit-code"), "no_output"),
        (Ended("* Waiting for client to connect... *\n", None, "timeout"), "timeout"),
        (Ended("Couldn't allocate MR\n", None, "timeout"), "memlock"),
        (Ended("", 0, "success"), "no_output"),
    ],
)
def test_an_end_has_a_cause(end, name):
    assert cause_of(end).name == name


def test_a_timeout_quotes_what_was_said_last_and_neither_rule_nor_heading():
    text = " remote address: LID 0000 QPN 0x0045\n-----\n #bytes #iterations    t_min[usec]\n"
    assert cause_of(Ended(text, 15, "timeout")).line == "remote address: LID 0000 QPN 0x0045"


def test_a_good_end_has_rows_and_no_cause():
    found = outcome(Ended(GOOD, 0))
    assert found.ok
    assert found.cause is None
    assert found.rows[0].average_bit_s == 107.34e9


def test_a_figure_that_is_none_is_named():
    found = outcome(Ended(GOOD.replace("107.34", "nan"), 0))
    assert (found.ok, found.cause.name) == (False, "invalid")


FAILED_STATUS = " Completion with error at client\n Failed status 12: wr_id 7 syndrom 0x81\n"
RETRIED = "Unexpected CM event bl blka 8\nEvent: RDMA_CM_EVENT_REJECTED; error: 8.\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (GOOD + FAILED_STATUS, "retry_exceeded"),
        (FAILED_STATUS + GOOD, "retry_exceeded"),
        (GOOD + RETRIED + FAILED_STATUS, "retry_exceeded"),
        (GOOD + " Failed to complete run_iter_bw function successfully\n", "unfinished"),
        (GOOD + "poll CQ failed -1\n", "unfinished"),
        (GOOD + "Couldn't allocate MR\n", "memlock"),
    ],
)
def test_an_error_printed_beside_a_row_counts_although_the_exit_code_is_0(text, name):
    found = outcome(Ended(text, 0))
    assert (found.ok, found.cause and found.cause.name, len(found.rows)) == (False, name, 1)


@pytest.mark.parametrize("text", [RETRIED + GOOD, GOOD + RETRIED])
def test_attempts_at_connecting_do_not_spoil_the_figures_of_the_one_that_succeeded(text):
    found = outcome(Ended(text, 0))
    assert (found.ok, found.cause) == (True, None)


@pytest.mark.parametrize(
    ("names", "first"),
    [
        (["peer_gone", "killed"], "killed"),
        (["retry_exceeded", "killed"], "killed"),
        (["timeout", "peer_gone"], "timeout"),
        (["no_connection", "port_busy"], "port_busy"),
        ([None, None], None),
    ],
)
def test_of_two_ends_the_one_that_explains_the_other_is_named(names, first):
    found = perftest_run.worst([name and perftest_run.named(name) for name in names])
    assert (found and found.name) == first


def test_journal_lines_come_apart_by_unit():
    text = '{"_SYSTEMD_UNIT":"a","MESSAGE":"one"}\n{"_SYSTEMD_UNIT":"b","MESSAGE":[104,105,255]}\nnoise\n'
    text += '{"_SYSTEMD_UNIT":"a","MESSAGE":null}\n'
    assert perftest_run.messages(text) == {"a": ["one", ""], "b": ["hi\ufffd"]}


def test_states_come_apart_by_unit():
    text = "Id=a\nActiveState=active\n\nId=b\nActiveState=failed\nResult=signal\n"
    assert perftest_run.states(text)["b"]["Result"] == "signal"
