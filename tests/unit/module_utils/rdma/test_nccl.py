"""NCCL's logs judged: both devices on both ranks, no sockets, enough bandwidth, and not too much."""

from contextlib import suppress
from pathlib import Path

import pytest
from ansible.module_utils.twinspark.rdma import nccl
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import cases

CASES = cases(Path(__file__).parent / "cases" / "nccl.yaml")
DEVICES = {"spark1": ["rocep1s0f1", "roceP2p1s0f1"], "spark2": ["rocep1s0f1", "roceP2p1s0f1"]}
LIMITS = nccl.Limits(18e9, 25e9)


@pytest.mark.parametrize("case", CASES)
def test_a_log_is_judged(case):
    result = nccl.judge({"spark1": case["log"]}, DEVICES, LIMITS)
    assert [v.name for v in result.verdicts if not v.ok] == case["expect"]
    assert all(v.reason and v.fix for v in result.verdicts if not v.ok)
    if "bus" in case:
        assert max(m.value for m in result.measurements) == pytest.approx(case["bus"] * 1e9)


@pytest.mark.parametrize("case", CASES)
def test_logs_of_single_ranks_are_judged_the_same(case):
    ranks = nccl.by_rank(case["log"])
    logs = {host: ranks.get(number, "") for number, host in enumerate(DEVICES)}
    result = nccl.judge(logs, DEVICES, LIMITS)
    assert [v.name for v in result.verdicts if not v.ok] == case["expect"]


def test_the_reason_tells_one_nic_from_tcp():
    by_name = {p.values[0]["name"]: p.values[0]["log"] for p in CASES}

    def reason(name):
        verdicts = nccl.judge({"spark1": by_name[name]}, DEVICES, LIMITS).verdicts
        return next(v.reason for v in verdicts if v.name == "NCCL bus bandwidth")

    assert "one of the two HCAs" in reason("one device only")
    assert "TCP" in reason("a container without /dev/infiniband falls back to sockets")
    assert "not believed" in reason("more than the cable carries")


@pytest.mark.parametrize(
    ("available", "ok"), [(119_000_000, True), (12_582_912, True), (12_582_911, False), (2_000_000, False)]
)
def test_memory_is_looked_at_first(available, ok):
    meminfo = f"MemTotal:       127535832 kB\nMemFree: 1 kB\nMemAvailable:   {available} kB\n"
    assert nccl.memory(meminfo, 2**30).ok is ok


def test_memory_that_can_t_be_read_is_none():
    assert not nccl.memory("", 2**30).ok


PIECES = st.sampled_from(
    ["NET/IB : Using ", "[0]x:1/RoCE ", "Using network IB\n", "\n", " 1 2 float sum -1 1 2 3 0 1 2 3 0\n", "9" * 50,
     "nan ", "via NET/IB/99", "[receive] via NET/IB/" + "9" * 5000, "#  Rank  0 Group  0 Pid  1 on a\n",
     "a:1:1 [0] NCCL INFO ", "Timeout " * 900]
)  # fmt: skip


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(PIECES).map("".join)))
def test_any_log_is_judged_or_raises_the_one_error(text):
    nccl.judge({"spark1": text}, DEVICES, LIMITS)
    with suppress(nccl.NcclError):
        nccl.parse(text)
