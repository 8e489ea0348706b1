"""One figure against its thresholds. Whole reports, with the reasons and the fixes: test_verdicts.py."""

import pytest
from ansible.module_utils.twinspark.rdma.figures import Figure, Thresholds, bandwidth, latency, measurements

LIMITS = Thresholds(rail_bit_s=90e9, together_bit_s=170e9, fraction=0.85, typical_us=5.0, p999_us=20.0, spread=0.1)


def judged(values, ceilings):
    return [
        (verdict.name, verdict.ok, verdict.cause)
        for verdict in bandwidth("bw", Figure("write_bw", "rail1", values), LIMITS, ceilings)
    ]


@pytest.mark.parametrize(
    ("values", "ceilings", "ok", "cause"),
    [
        ((92e9,), [None], True, ""),
        ((89e9,), [None], False, "slow"),
        ((92e9,), [120e9], False, "slow"),  # 85 % of what it can carry is 102
        ((13e9,), [None], False, "13gbit"),
        ((26e9,), [None, None], False, "13gbit"),  # of both rails together
        ((180e9,), [None, None], True, ""),
        ((101e9,), [100e9], False, "implausible"),
    ],
)
def test_a_rate_is_judged_by_the_threshold_and_by_what_the_rail_can_carry(values, ceilings, ok, cause):
    ((_, passed, named),) = judged(values, ceilings)
    assert (passed, named if not passed else "") == (ok, cause)


@pytest.mark.parametrize(
    ("values", "ok", "cause"),
    [
        ((107e9, 13e9, 107e9), False, "13gbit"),
        ((107e9, 107e9, 88e9), False, "slow"),
        ((107e9, 92e9, 100e9), True, ""),
    ],
)
def test_the_worst_repeat_of_a_rate_is_judged(values, ok, cause):
    found = list(bandwidth("bw", Figure("write_bw", "rail1", values), LIMITS, [None]))
    assert (found[0].ok, found[0].cause, found[0].measured) == (ok, cause, min(values) / 1e9)
    if not ok:
        assert "the lowest of 3 repeats, whose median is 107.00 Gb/s" in found[0].reason


def test_the_worst_repeat_of_a_latency_is_judged():
    found = list(latency("lat", Figure("write_lat", "rail1", (2.0, 48.0, 2.0), (3.0, 4.0, 900.0)), LIMITS))
    assert [(verdict.ok, verdict.measured) for verdict in found] == [(False, 48.0), (False, 900.0)]
    assert "the highest of 3 repeats, whose median is 4.00 us" in found[1].reason


def test_repeats_that_differ_much_are_remarked_on():
    assert [name for name, ok, _ in judged((92e9, 99e9, 110e9), [None]) if not ok] == ["spread of bw"]


def test_a_tail_is_judged_where_one_was_measured():
    assert [verdict.ok for verdict in latency("lat", Figure("write_lat", "rail1", (4.0,)), LIMITS)] == [True]
    found = latency("lat", Figure("write_lat", "rail1", (4.0,), (30.0,)), LIMITS)
    assert [(verdict.name, verdict.ok) for verdict in found] == [("lat, typical", True), ("lat, 99.9 %", False)]


def test_a_measurement_keeps_the_median_and_both_ends():
    (found,) = measurements(Figure("write_bw", "rail1", (1.0, 3.0, 2.0)))
    assert (found.value, found.unit, found.subject) == (2.0, "bit/s", "rail1")
    assert len(list(measurements(Figure("write_lat", "rail1", (1.0,), (2.0,))))) == 2
