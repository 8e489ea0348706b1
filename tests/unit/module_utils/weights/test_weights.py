"""Judging snapshots, dividing the work, and reading the Hub's refusals."""

from pathlib import Path

import pytest
from ansible.module_utils.twinspark.weights import weights
from ansible.module_utils.twinspark.weights.manifest import Entry, Manifest

from tests.support import cases

HERE = Path(__file__).parent / "cases"
SHA = {"aa": "a" * 64, "bb": "b" * 64}
ONE = Manifest("o/n", "1" * 40, (Entry("w", 10, SHA["aa"]),))


@pytest.mark.parametrize("case", cases(HERE / "weights_judge.yaml"))
def test_a_file_is_believed_only_when_it_is_the_one_that_was_hashed(case):
    record = case.get("record")
    if record:
        record = {**record, "sha256": SHA[record["sha256"]]}
    seen = weights.Seen(case["seen"]["kind"], tuple(case["seen"].get("stamp", ())))
    found = weights.judge(ONE, {"files": {"w": record} if record else {}}, {"w": seen})
    assert found.files == {"w": case["file"]}
    assert found.state == case["snapshot"]
    assert bool(weights.complaint(found)) == (case["snapshot"] != "verified")


def test_some_of_the_files_is_partial():
    two = Manifest("o/n", "1" * 40, (Entry("a", 10, SHA["aa"]), Entry("b", 20, SHA["bb"])))
    state = {"files": {"a": {"sha256": SHA["aa"], "stamp": [10, 1, 1, 1]}}}
    found = weights.judge(two, state, {"a": weights.Seen("file", (10, 1, 1, 1))})
    assert found.state == "partial"
    assert weights.complaint(found) == "absent: b"
    assert weights.bytes_to_fetch(two, found) == 20
    assert weights.bytes_to_fetch(two, found, staged=15) == 5


def test_what_an_earlier_try_published_takes_no_more_room_nor_do_two_paths_of_the_same_bytes():
    three = Manifest("o/n", "1" * 40, (Entry("a", 10, SHA["aa"]), Entry("b", 20, SHA["bb"]), Entry("c", 20, SHA["bb"])))
    found = weights.judge(three, {}, {})
    assert weights.bytes_to_fetch(three, found) == 30
    assert weights.bytes_to_fetch(three, found, blobs={SHA["aa"]: 10}) == 20
    assert weights.bytes_to_fetch(three, found, blobs={SHA["bb"]: 19}) == 30
    bad = weights.judge(three, {"files": {"a": {"bad": True}}}, {"a": weights.Seen("file", (10, 1, 1, 1))})
    assert weights.bytes_to_fetch(three, bad, blobs={SHA["aa"]: 10, SHA["bb"]: 20}) == 10


def test_room_is_asked_for_with_a_reserve_and_only_when_bytes_must_come():
    gib = weights.GIB
    assert weights.space_verdict("h", 10 * gib, 11 * gib, "/x", 1)["ok"]
    assert not weights.space_verdict("h", 10 * gib, 10 * gib, "/x", 1)["ok"]
    assert weights.space_verdict("h", 0, 0, "/x", 1)["ok"]


def test_largest_files_go_first_and_the_first_two_streams_take_both_rails():
    entries = [Entry("a", 1), Entry("b", 3), Entry("c", 2), Entry("d", 3)]
    assert [e.path for e in weights.queue_of(entries)] == ["b", "d", "c", "a"]
    rails = [{"name": "r1"}, {"name": "r2"}]
    assert [r["name"] for r in weights.streams_of(rails, 2)] == ["r1", "r2", "r1", "r2"]


FABRIC = [
    {"host": "s1", "rails": [{"name": "r1", "address": "10.0.1.11"}, {"name": "r2", "address": "10.0.2.11"}]},
    {"host": "s2", "rails": [{"name": "r2", "address": "10.0.2.12"}, {"name": "r1", "address": "10.0.1.12"}]},
    {"host": "s3", "rails": [{"name": "r1", "address": "10.0.1.13"}]},
]


def test_only_peers_on_the_same_rail_are_let_in():
    assert weights.rails_to_serve(FABRIC) == [
        {"name": "r1", "address": "10.0.1.11", "peers": ["10.0.1.12", "10.0.1.13"]},
        {"name": "r2", "address": "10.0.2.11", "peers": ["10.0.2.12"]},
    ]


def test_rails_are_matched_by_name_whatever_their_order():
    assert weights.rails_between(FABRIC[0]["rails"], FABRIC[1]["rails"]) == [
        {"name": "r1", "address": "10.0.1.11", "local": "10.0.1.12"},
        {"name": "r2", "address": "10.0.2.11", "local": "10.0.2.12"},
    ]
    assert [r["name"] for r in weights.rails_between(FABRIC[0]["rails"], FABRIC[2]["rails"])] == ["r1"]


def told(host, sums, **more):
    files = [{"path": path, "size": 10, "sha256": sha} for path, sha in sums.items()]
    verdict = weights.snapshot_verdict(host, "1" * 40, weights.Judgement("verified", {}))
    return {"commit": "1" * 40, "total_bytes": 10, "files": files, "verdict": verdict, **more}


def test_the_evidence_has_every_file_s_sum_for_every_host_and_the_rate_of_the_copy():
    copy = {"bytes": 1000, "seconds": 2.0}
    found = weights.evidence({"s1": told("s1", {"w": "x"}), "s2": told("s2", {"w": "x"}, copy=copy)})
    assert all(v["ok"] for v in found["verdicts"])
    assert found["evidence"]["files"] == {"w": {"size": 10, "sha256": {"s1": "x", "s2": "x"}}}
    assert {m["name"]: m["value"] for m in found["measurements"]} == {
        "weights_copy_bytes": 1000,
        "weights_copy_rate": 500,
    }


def test_the_verdict_of_a_host_names_the_files_that_were_replaced_there():
    copy = {"bytes": 10, "seconds": 1.0, "replaced": ["w"]}
    found = weights.evidence({"s1": told("s1", {"w": "x"}), "s2": told("s2", {"w": "x"}, copy=copy)})
    reasons = {verdict["name"]: verdict["reason"] for verdict in found["verdicts"]}
    assert reasons["weights on s2"] == "found wrong and replaced by the last copy: w"
    assert reasons["weights on s1"] == ""


def test_hosts_that_differ_fail_and_the_file_is_named():
    found = weights.evidence({"s1": told("s1", {"w": "x"}), "s2": told("s2", {"w": "y"})})
    last = found["verdicts"][-1]
    assert not last["ok"]
    assert last["reason"] == "w"


def test_two_paths_of_the_same_content_are_one_blob():
    same = [Entry("a", 1, SHA["aa"]), Entry("b", 1, SHA["aa"]), Entry("c", 1, SHA["bb"])]
    assert {blob: [e.path for e in found] for blob, found in weights.duplicates(same).items()} == {
        SHA["aa"]: ["a", "b"],
        SHA["bb"]: ["c"],
    }
