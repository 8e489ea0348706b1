"""A Hub that misbehaves for a while, one that lies, and one that refuses."""

import json
import time

import pytest

from tests.lab.hf_weights.faultlab import MIB, TOTAL, assert_nothing_unverified, assert_whole

pytestmark = pytest.mark.lab

# Faults of the Hub that pass.

PASSING = {
    "429": [{"fault": "status", "status": 429, "retry_after": 1, "count": 3}],
    "503": [{"fault": "status", "status": 503, "count": 3}],
    "503 for the metadata": [{"fault": "status", "status": 503, "method": "HEAD", "count": 3}],
    "a cut connection": [{"fault": "cut", "after": 5 * MIB, "path": "*.safetensors", "count": 3}],
    "a stalled connection": [{"fault": "stall", "after": 5 * MIB, "seconds": 60, "path": "a.safetensors"}],
    "too short": [{"fault": "length", "bytes": -1000, "path": "a.safetensors"}],
    "too long": [{"fault": "length", "bytes": 1000, "path": "a.safetensors"}],
}


@pytest.mark.parametrize("faults", PASSING.values(), ids=PASSING)
def test_a_fault_that_passes_is_outlived(lab, home, faults):
    lab.faults(*faults)
    code, log = lab.fetch(home)
    assert code == 0, log
    assert_whole(lab, lab.head, home)


def test_what_came_before_a_cut_is_not_fetched_again(lab, home):
    lab.faults({"fault": "cut", "after": 20 * MIB, "path": "a.safetensors"})
    code, log = lab.fetch(home)
    assert code == 0, log
    requests = json.loads(lab.hub("GET", "/_lab/requests"))
    ranges = [r["range"] for r in requests if r["path"].endswith("a.safetensors") and r["range"]]
    assert any(int(r.removeprefix("bytes=").split("-")[0]) >= 16 * MIB for r in ranges), requests


def test_the_download_goes_on_where_a_killed_one_ended(lab, home):
    lab.faults({"fault": "slow", "rate": 3 * MIB, "path": "*.safetensors", "count": -1})
    assert lab.kill_midway(lab.head, "fetch", lab.fetch_spec(home), 20 * MIB) > 20 * MIB
    assert_nothing_unverified(lab, lab.head, home)
    lab.faults()
    code, log = lab.fetch(home)
    assert code == 0, log
    assert_whole(lab, lab.head, home)
    assert lab.info(lab.head, home)["download"]["bytes"] < TOTAL - 10 * MIB


# Faults of the Hub that don't pass, or lie.


def test_wrong_bytes_under_a_right_name_are_found_and_fetched_again(lab, home):
    lab.faults({"fault": "bytes", "at": 4096, "path": "b.safetensors", "count": 1})
    code, log = lab.fetch(home)
    assert code == 0, log
    assert "b.safetensors: wrong bytes" in log
    assert lab.info(lab.head, home)["download"]["refetched"] == ["b.safetensors"]
    assert_whole(lab, lab.head, home)


def test_wrong_bytes_twice_stop_the_line_with_the_file_s_name(lab, home):
    lab.faults({"fault": "bytes", "at": 4096, "path": "b.safetensors", "count": -1})
    code, log = lab.fetch(home)
    assert code == 1
    assert "b.safetensors came twice with the wrong bytes" in log.splitlines()[-2]
    assert_nothing_unverified(lab, lab.head, home)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"fault": "gated", "status": 401, "count": -1}, "hf_weights_token_file"),
        ({"fault": "gated", "status": 403, "count": -1}, "accept its terms"),
        ({"fault": "unknown", "count": -1}, "weights.revision"),
    ],
    ids=["401", "403", "no such commit"],
)
def test_a_refusal_is_told_at_once_with_its_fix(lab, home, fault, words):
    lab.faults(fault)
    started = time.monotonic()
    code, log = lab.fetch(home)
    assert code == 1
    assert words in log.splitlines()[-2], log
    assert time.monotonic() - started < 60
    assert_nothing_unverified(lab, lab.head, home)


def test_a_hub_that_is_gone_is_given_up_on_in_words(lab, home):
    code, log = lab.fetch(home, endpoint="http://127.0.0.1:9", attempts=2)
    assert code == 1
    assert "http://127.0.0.1:9" in log.splitlines()[-2]
    assert_nothing_unverified(lab, lab.head, home)
