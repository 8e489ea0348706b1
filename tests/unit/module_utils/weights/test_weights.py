"""Judging snapshots, dividing the work, and reading the Hub's refusals."""

from pathlib import Path

import pytest
from ansible.module_utils.twinspark.inventory.fabric import Host, Rail
from ansible.module_utils.twinspark.proof.values import Requirement
from ansible.module_utils.twinspark.weights import hubcache, verdicts, weights
from ansible.module_utils.twinspark.weights.manifest import Entry, Manifest
from ansible.module_utils.twinspark.weights.state import Found, Record, State
from ansible.module_utils.twinspark_host import hubapi

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


def test_room_is_asked_for_with_a_reserve_and_only_when_bytes_must_come():
    gib = verdicts.GIB
    assert verdicts.space_verdict("h", 10 * gib, 11 * gib, "/x", 1).ok
    assert verdicts.space_verdict("h", 10 * gib, 10 * gib, "/x", 1).required == Requirement(">=", 11, "GiB")
    assert not verdicts.space_verdict("h", 10 * gib, 11 * gib - 1, "/x", 1).ok
    assert verdicts.space_verdict("h", 0, 0, "/x", 1).ok


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


def told(name, sums, **more):
    """What a verified host says of itself, with this sha256 by path."""
    known = {
        "repo": "o/n", "commit": "1" * 40, "snapshot": "/s", "state": "verified", "complaint": "", "verified": None,
        "download": None, "copy": None, "total_bytes": 10, "fetch_bytes": 0, "free_bytes": 0, "used_bytes": 0,
        "manifest_digest": "", "complete": True, "old_commits": [], "left": [],
        "files": [{"path": path, "size": 10, "sha256": sha, "state": "verified"} for path, sha in sums.items()],
        "verdict": verdicts.snapshot_verdict(name, "1" * 40, weights.Judgement("verified", {})),
        "space_verdict": verdicts.space_verdict(name, 0, 0, "/x", 1),
    }  # fmt: skip
    return Found.from_json({**known, **more})


def test_the_evidence_has_every_file_s_sum_for_every_host_and_the_rate_of_the_copy():
    copy = {"bytes": 1000, "seconds": 2.0}
    found = verdicts.evidence({"s1": told("s1", {"w": "x"}), "s2": told("s2", {"w": "x"}, copy=copy)})
    assert all(v.ok for v in found.verdicts)
    assert found.evidence["files"] == {"w": {"size": 10, "sha256": {"s1": "x", "s2": "x"}}}
    assert {m.name: m.value for m in found.measurements} == {"weights_copy_bytes": 1000, "weights_copy_rate": 500}


def test_the_verdict_of_a_host_names_the_files_that_were_replaced_there():
    copy = {"bytes": 10, "seconds": 1.0, "replaced": ["w"]}
    found = verdicts.evidence({"s1": told("s1", {"w": "x"}), "s2": told("s2", {"w": "x"}, copy=copy)})
    reasons = {verdict.name: verdict.reason for verdict in found.verdicts}
    assert reasons["weights on s2"] == "found wrong and replaced by the last copy: w"
    assert reasons["weights on s1"] == ""


def test_hosts_that_differ_fail_and_the_file_is_named():
    last = verdicts.evidence({"s1": told("s1", {"w": "x"}), "s2": told("s2", {"w": "y"})}).verdicts[-1]
    assert (last.ok, last.measured, last.reason) == (False, 1, "w")


def test_hosts_of_which_no_file_is_known_are_not_the_same():
    last = verdicts.evidence({"s1": told("s1", {}), "s2": told("s2", {})}).verdicts[-1]
    assert (last.ok, last.measured) == (False, None)


def test_two_paths_of_the_same_content_are_one_blob():
    same = [Entry("a", 1, SHA["aa"]), Entry("b", 1, SHA["aa"]), Entry("c", 1, SHA["bb"])]
    assert {blob: [e.path for e in found] for blob, found in weights.duplicates(same).items()} == {
        SHA["aa"]: ["a", "b"],
        SHA["bb"]: ["c"],
    }


def test_links_are_relative_from_any_depth():
    layout = hubcache.Layout("/h", "o/n")
    for path in ("w", "a/w", "a/b/w"):
        link = layout.snapshot("1" * 40) / path
        resolved = Path(str(link.parent / hubcache.link_target(path, "SUM"))).resolve()
        assert resolved == layout.blobs / "SUM"


def test_pruning_frees_what_nothing_else_links_to():
    snapshots = {"old": ["a", "b"], "new": ["b", "c"]}
    sizes = {"a": 1, "b": 2, "c": 4, "stray": 8}
    assert hubcache.freed_by(snapshots, sizes, ["old"]) == {"a": 1}
    assert hubcache.freed_by(snapshots, sizes, ["old", "new"]) == {"a": 1, "b": 2, "c": 4}
    assert hubcache.freed_by(snapshots, sizes, ["unknown"]) == {}


@pytest.mark.parametrize("case", cases(HERE / "weights_hub_answers.yaml"))
def test_what_may_pass_is_tried_again_and_the_rest_is_told_with_its_fix(case):
    found = hubapi.answer(case["status"], "o/n", "1" * 40, case.get("token", False), case.get("code", ""))
    assert found.retry == case["retry"]
    assert case["words"] in found.words


@pytest.mark.parametrize("case", cases(HERE / "weights_client_log.yaml"))
def test_the_client_s_last_words_are_understood(case):
    found = hubapi.client_answer(case["log"], "o/n", "1" * 40, token=False)
    assert found.retry == case["retry"]
    assert case["words"] in found.words


def test_pauses_double_up_to_a_limit_and_obey_the_hub():
    assert [hubapi.pause(n, None, 5) for n in range(4)] == [1, 2, 4, 5]
    assert hubapi.pause(0, "7") == 7
    assert hubapi.pause(0, "Wed, 21 Oct") == 1
