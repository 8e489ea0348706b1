"""Figures of one row against each other, as the parsers find them. Whole outputs: test_perftest.py."""

import json

import pytest
from ansible.module_utils.twinspark.rdma import perftest
from ansible.module_utils.twinspark.rdma.perftest_json import parse_json

BW = " #bytes     #iterations    BW peak[Gb/sec]    BW average[Gb/sec]   MsgRate[Mpps]"
LAT = (
    " #bytes #iterations    t_min[usec]    t_max[usec]  t_typical[usec]    t_avg[usec]    t_stdev[usec]"
    "   99% percentile[usec]   99.9% percentile[usec]"
)
PORTS = BW + "   BW Port1[Gb/sec]   MsgRate Port1[Mpps]   BW Port2[Gb/sec]   MsgRate Port2[Mpps]"


def table(heading, line):
    """The row of a table of one line, and what was remarked on it."""
    result = perftest.parse(f"{heading}\n{line}\n")
    return result.rows[0], " ".join(result.warnings)


@pytest.mark.parametrize(
    ("heading", "line", "why"),
    [
        (BW, "65536 20000 101.00 107.34 0.204742", "above the peak"),
        (BW, "65536 20000 111.57 107.34 0.000204", "message rate"),
        (BW, "65536 20000 111.57 107.34 204.742", "message rate"),
        (BW, "65536 20000 111.57 13.11 0.204742", "message rate"),
        (BW, "65536 20000 0.00 107.34 0.000204", "message rate"),
        (PORTS, "65536 20000 193.11 189.85 0.362113 92.57 0.176565 13.28 0.025330", "two ports"),
        (LAT, "2 1000 1.92 2.32 1.97 1.97 -nan 2.08 2.32", "nan"),
        (LAT, "2 1000 1.92 2.32 1.97 1.97 inf 2.08 2.32", "inf"),
        (LAT, "2 1000 1086195.50 8406293.00 1804768.00 2744882.79 0.00 8406293.00 8406293.00", "a second"),
        (LAT, "2 1000 2.92 2.32 1.97 1.97 0.00 2.08 2.32", "order"),
        (LAT, "2 1000 1.92 2.32 1.97 5.00 0.00 2.08 2.32", "order"),
        (LAT, "2 1000 1.92 2.32 1.97 1.97 0.00 2.31 2.08", "order"),
        (LAT, "2 1000 1.92 2.32 1.97 1.97 0.00 2.08 9.99", "order"),
        ("#bytes #iterations t_avg[usec] tps average", "2 1523411 1.97 253.81", "transactions"),
        ("#bytes #iterations t_avg[usec] tps average", "2 1523411 1500000.00 0.33", "a second"),
    ],
)
def test_figures_of_one_row_that_contradict_each_other_are_no_measurement(heading, line, why):
    row, warnings = table(heading, line)
    assert not row.valid
    assert (row.average_bit_s, row.typical_us, row.average_us, row.p999_us) == (None,) * 4
    assert why in warnings


@pytest.mark.parametrize(
    ("heading", "line"),
    [
        (BW, "65536 20000 107.33 107.34 0.204742"),  # both are rounded
        (BW, "65536 20000 0.00 107.34 0.204742"),  # -D measures no peak
        (BW, "65536 5 0.19 0.19 0.000000"),  # too slow for six decimals
        (BW, "8388608 5 0.22 0.22 0.000003"),
        (BW, "2 1000 0.081234 0.071234 4.452125"),
        (BW.replace("Gb/sec", "MB/sec"), "65536 9349389 0.00 11714.10 0.187426"),
        (LAT, "2 1000 1.97 1.97 1.97 1.97 0.00 1.97 1.97"),
        (LAT, "2 300 1356.79 43754.96 5415.39 5941.58 3454.62 24427.10 43754.96"),
        (LAT, "2 300 1356.79 1754000.96 5415.39 5941.58 3454.62 24427.10 1754000.96"),  # one message took a second
        ("#bytes #iterations t_avg[usec] tps average", "2 1523411 1.97 253807.10"),  # a round trip is two of them
        ("#bytes #iterations t_avg[usec] tps average", "2 1523411 1.97 507614.20"),
    ],
)
def test_figures_that_agree_but_for_rounding_are_a_measurement(heading, line):
    row, _ = table(heading, line)
    assert row.valid


@pytest.mark.parametrize(
    ("figures", "gbits"),
    [
        ({"BW_peak": 101.0, "BW_average": 107.34, "MsgRate": 0.204742}, None),
        ({"BW_peak": 111.57, "BW_average": 107.34, "MsgRate": 0.204742}, False),  # the caller's unit is wrong
        ({"BW_peak": 111.57, "BW_average": 107.34, "MsgRate": 0.000204}, True),
    ],
)
def test_the_json_s_figures_are_held_to_the_same(figures, gbits):
    text = json.dumps({"results": {"MsgSize": 65536, "n_iterations": 20000, **figures}})
    assert not parse_json(text, gbits=gbits).valid
