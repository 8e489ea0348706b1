"""The causes that perftest's lines name, and their order. Whole outputs: test_perftest.py."""

import pytest
from ansible.module_utils.twinspark.rdma import causes


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (" IB device rocep9s9f9 not found", "device_not_found"),
        (" Did not detect devices ", "no_devices"),
        (" Port number 1 state is Down", "port_down"),
        ("Couldn't connect to 192.168.177.12:18515", "no_server"),
        (" Couldn't allocate MR", "memlock"),
        ("Failed status 12: wr_id 0 syndrom 0x81", "retry_exceeded"),
        ("Failed status 7: wr_id 0", "completion_error"),
        ("Unexpected CM event bl blka 8", "no_server"),
    ],
)
def test_a_line_names_its_cause(line, name):
    cause = causes.of_line(line)
    assert (cause.name, cause.line) == (name, line.strip())
    assert cause == causes.named(name, line)


@pytest.mark.parametrize("line", ["", " 65536      1000             92.66              92.65", "Mtu : 4096[B]"])
def test_a_line_without_a_fault_names_none(line):
    assert causes.of_line(line) is None


def test_the_root_comes_before_what_followed_from_it_and_each_once():
    lines = ["Unable to open file descriptor for socket connection", "Couldn't connect to 10.0.0.1:1"] * 2
    assert [cause.name for cause in causes.of_lines(lines)] == ["no_server", "no_connection"]


def test_the_headline_of_a_status_is_no_cause_of_its_own():
    headline = "Completion with error at client"
    assert [cause.name for cause in causes.of_lines([headline, "Failed status 12: x"])] == ["retry_exceeded"]
    assert [cause.name for cause in causes.of_lines([headline])] == ["completion_error"]


def test_every_pattern_names_a_cause_that_has_words():
    assert {name for name, _ in causes._PATTERNS} <= set(causes.KNOWN)


def test_a_name_that_is_not_known_is_an_error():
    with pytest.raises(KeyError):
        causes.named("bad luck")
