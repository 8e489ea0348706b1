"""Judging snapshots, dividing the work, and reading the Hub's refusals."""

from pathlib import Path

import pytest
from ansible.module_utils.twinspark.inventory.fabric import Host, Rail
from ansible.module_utils.twinspark.weights import weights
from ansible.module_utils.twinspark.weights.manifest import Entry, Manifest
from ansible.module_utils.twinspark.weights.state import Record, State

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
    found = weights.judge(ONE, State.from_json({"files": {"w": record} if record else {}}), {"w": seen})
    assert found.files == {"w": case["file"]}
    assert found.state == case["snapshot"]
    assert bool(weights.complaint(found)) == (case["snapshot"] != "verified")


def test_some_of_the_files_is_partial():
    two = Manifest("o/n", "1" * 40, (Entry("a", 10, SHA["aa"]), Entry("b", 20, SHA["bb"])))
    state = State(files={"a": Record(sha256=SHA["aa"], stamp=(10, 1, 1, 1))})
    found = weights.judge(two, state, {"a": weights.Seen("file", (10, 1, 1, 1))})
    assert found.state == "partial"
    assert weights.complaint(found) == "absent: b"
    assert weights.bytes_to_fetch(two, found) == 20
    assert weights.bytes_to_fetch(two, found, staged=15) == 5


def test_what_an_earlier_try_published_takes_no_more_room_nor_do_two_paths_of_the_same_bytes():
    three = Manifest("o/n", "1" * 40, (Entry("a", 10, SHA["aa"]), Entry("b", 20, SHA["bb"]), Entry("c", 20, SHA["bb"])))
    found = weights.judge(three, State(), {})
    assert weights.bytes_to_fetch(three, found) == 30
    assert weights.bytes_to_fetch(three, found, blobs={SHA["aa"]: 10}) == 20
    assert weights.bytes_to_fetch(three, found, blobs={SHA["bb"]: 19}) == 30
    bad = weights.judge(three, State(files={"a": Record(bad=True)}), {"a": weights.Seen("file", (10, 1, 1, 1))})
    assert weights.bytes_to_fetch(three, bad, blobs={SHA["aa"]: 10, SHA["bb"]: 20}) == 10


def test_largest_files_go_first_and_the_first_two_streams_take_both_rails():
    entries = [Entry("a", 1), Entry("b", 3), Entry("c", 2), Entry("d", 3)]
    assert [e.path for e in weights.queue_of(entries)] == ["b", "d", "c", "a"]
    rails = [weights.Way("r1", "", ""), weights.Way("r2", "", "")]
    assert [r.name for r in weights.streams_of(rails, 2)] == ["r1", "r2", "r1", "r2"]


def host(name, rank, **rails):
    ends = tuple(Rail(rail, "e", "h", "10.0.0.0/16", address, 16, f"{address}/16") for rail, address in rails.items())
    return Host(name, rank, name, "spark", ends)


FABRIC = [
    host("s1", 0, r1="10.0.1.11", r2="10.0.2.11"),
    host("s2", 1, r2="10.0.2.12", r1="10.0.1.12"),
    host("s3", 2, r1="10.0.1.13"),
]


def test_only_peers_on_the_same_rail_are_let_in():
    assert weights.rails_to_serve(FABRIC) == [
        weights.Served("r1", "10.0.1.11", frozenset({"10.0.1.12", "10.0.1.13"})),
        weights.Served("r2", "10.0.2.11", frozenset({"10.0.2.12"})),
    ]


def test_rails_are_matched_by_name_whatever_their_order():
    assert weights.rails_between(FABRIC[0].rails, FABRIC[1].rails) == [
        weights.Way("r1", "10.0.1.11", "10.0.1.12"),
        weights.Way("r2", "10.0.2.11", "10.0.2.12"),
    ]
    assert [r.name for r in weights.rails_between(FABRIC[0].rails, FABRIC[2].rails)] == ["r1"]


def test_two_paths_of_the_same_content_are_one_blob():
    same = [Entry("a", 1, SHA["aa"]), Entry("b", 1, SHA["aa"]), Entry("c", 1, SHA["bb"])]
    assert {blob: [e.path for e in found] for blob, found in weights.duplicates(same).items()} == {
        SHA["aa"]: ["a", "b"],
        SHA["bb"]: ["c"],
    }
