"""The perftest parser against recorded outputs of every format, and against any text at all."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.twinspark.proof.json_form import to_json
from ansible.module_utils.twinspark.rdma import causes as perftest_causes
from ansible.module_utils.twinspark.rdma import perftest
from ansible.module_utils.twinspark.rdma.perftest import PerftestError
from ansible.module_utils.twinspark.rdma.perftest_json import parse_any
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import cases

CASES = Path(__file__).parent / "cases"
RECORDED = [
    *cases(CASES / "perftest_text.yaml"),
    *cases(CASES / "perftest_errors.yaml"),
    *cases(CASES / "perftest_recorded.yaml"),
    *cases(CASES / "perftest_json.yaml"),
]


def run(case: dict[str, Any]) -> perftest.Result:
    """The one result of a case."""
    (result,) = parse_any(case["text"], cycles=case.get("cycles", False), gbits=case.get("gbits"))
    return result


@pytest.mark.parametrize("case", RECORDED)
def test_recorded_output_is_read(case):
    expect = case["expect"]
    if "error" in expect:
        with pytest.raises(PerftestError, match=expect["error"]):
            run(case)
        return
    result = run(case)
    assert len(result.rows) == len(expect.get("rows", []))
    for row, wanted in zip(result.rows, expect.get("rows", []), strict=True):
        for field, value in wanted.items():
            assert getattr(row, field) == (pytest.approx(value) if isinstance(value, float) else value), field
    assert [cause.name for cause in result.errors] == expect.get("errors", [])
    assert result.valid is expect.get("valid", bool(expect.get("rows")))
    for field in ("test", "device"):
        if field in expect:
            assert getattr(result, field) == expect[field]
    if "warnings" in expect:
        assert list(result.warnings) == expect["warnings"]


@pytest.mark.parametrize("case", RECORDED)
def test_every_case_says_where_it_comes_from(case):
    assert len(case["origin"]) > 10


def test_the_article_holds_two_runs_and_is_not_read_as_one():
    texts = [p.values[0]["text"] for p in RECORDED if p.values[0]["name"].startswith("the article")]
    assert [run.test for run in perftest.parse_all("\n".join(texts))] == ["write_bw", "write_lat"]
    with pytest.raises(PerftestError, match="2 runs"):
        perftest.parse("\n".join(texts))


def test_every_cause_has_a_meaning_and_a_fix():
    assert all(meaning and fix for meaning, fix in perftest_causes.KNOWN.values())


BW = " #bytes     #iterations    BW peak[Gb/sec]    BW average[Gb/sec]   MsgRate[Mpps]"


@pytest.mark.parametrize(
    "rest",
    ["Error: BW result is below bw limit", " Error: BW result is below bw limit", "\tCompletion with error at client"],
)
def test_a_row_with_an_error_glued_to_its_end_is_still_a_row(rest):
    result = perftest.parse(f"{BW}\n 65536      1000             0.30               0.30\t\t     0.000575{rest}\n")
    assert [row.average_bit_s for row in result.rows] == [0.3e9]
    assert [row.messages_s for row in result.rows] == [575.0]
    assert [error.name for error in result.errors] == ["below_limit" if "limit" in rest else "completion_error"]
    assert result.valid is ("limit" in rest)


TOKENS = st.sampled_from(
    ["#bytes", "#iterations", "BW peak[Gb/sec]", "BW average[Gb/sec]", "MsgRate[Mpps]", "t_avg[usec]", "inf", "nan",
     "-1", "0", "65536", "9" * 5000, "1e999", "\t", "\n", "\n", " ", "RDMA_Write BW Test\n", "-" * 40 + "\n", "1_0",
     "Failed status 12", "{", '"results": {', "99% percentile[usec]", "tps average", "Device : x", "#, cycles\n",
     "\x00", "\u2028", "\u0663"]
)  # fmt: skip


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(TOKENS).map("".join), st.lists(TOKENS).map(" ".join)))
def test_any_text_parses_or_raises_the_one_error(text):
    with suppress(PerftestError):
        for row in (row for result in parse_any(text) for row in result.rows):
            numbers = [value for value in to_json(row).values() if isinstance(value, float)]
            assert all(0 <= number < float("inf") for number in numbers)


@settings(deadline=None)
@given(st.data())
def test_a_damaged_output_parses_or_raises_the_one_error(data):
    text = data.draw(st.sampled_from([p.values[0] for p in RECORDED]))["text"]
    cut = data.draw(st.integers(0, len(text)))
    more = data.draw(st.one_of(st.text(max_size=40), TOKENS))
    with suppress(PerftestError):
        parse_any(text[:cut] + more + text[cut + data.draw(st.integers(0, 20)) :])


@settings(deadline=None)
@given(st.integers(64, 2**23), st.floats(0.11, 400), st.floats(1, 1.5))
def test_what_the_format_string_prints_is_read_back(size, average, above):
    rate = average * 1e3 / (8 * size)
    line = f" {size:<7d}    {1000:<10d}       {average * above:<7.2f}            {average:<7.2f}\t\t     {rate:<7.6f}"
    (row,) = perftest.parse(f"{BW}\n{line}\n").rows
    assert row.bytes == size
    assert row.average_bit_s == pytest.approx(average * 1e9, abs=0.0051e9)
    assert (row.messages_s or 0) == pytest.approx(rate * 1e6, abs=0.51)
