"""perftest's JSON: its unit, and what is refused. Whole files: cases/perftest_json.yaml, in test_perftest.py."""

import json

import pytest
from ansible.module_utils.twinspark.rdma.perftest import PerftestError
from ansible.module_utils.twinspark.rdma.perftest_json import parse_any, parse_json

INFO = {"test": "RDMA_Write BW Test", "Device": "rocep1s0f1"}


def text(average, rate, size=65536):
    results = {"MsgSize": size, "n_iterations": 5000, "BW_peak": average, "BW_average": average, "MsgRate": rate}
    return json.dumps({"test_info": INFO, "results": results})


@pytest.mark.parametrize(
    ("average", "rate", "gbits", "bit_s"),
    [
        (92.65, 0.176716, None, 92.65e9),  # size x rate gives the unit: Gb/s
        (11044.75, 0.176716, None, 11044.75 * 8 * 2**20),  # MiB/s
        (92.65, 0.0, True, 92.65e9),  # too coarse a rate, and the caller knows
        (92.65, 0.0, False, 92.65 * 8 * 2**20),
    ],
)
def test_the_unit_is_found_by_the_message_rate_or_told(average, rate, gbits, bit_s):
    (row,) = parse_json(text(average, rate), gbits=gbits).rows
    assert row.average_bit_s == pytest.approx(bit_s)


def test_a_unit_that_nothing_tells_is_not_guessed():
    with pytest.raises(PerftestError, match="unit can't be told"):
        parse_json(text(92.65, 0.0))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("{results: {MsgSize: 2}}", "no valid JSON|not valid JSON"),
        ('{"results": {"MsgSize": 2,}}', "not valid JSON"),
        ('{"other": 1}', "is not perftest's"),
        ('{"results": {"MsgSize": "two"}}', "MsgSize is 'two', not a number"),
        ('{"results": {"MsgSize": true}}', "not a number"),
    ],
)
def test_what_is_no_measurement_is_refused_in_words(broken, words):
    with pytest.raises(PerftestError, match=words):
        parse_json(broken)


def test_a_text_that_begins_with_a_brace_is_json_and_any_other_is_not():
    (result,) = parse_any("\n " + text(92.65, 0.176716))
    assert (result.device, len(result.rows)) == ("rocep1s0f1", 1)
    with pytest.raises(PerftestError):
        parse_any("no perftest at all")
