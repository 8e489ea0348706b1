"""The verdicts on the weights of every host, and what the proof is made of."""

from ansible.module_utils.twinspark.proof.values import Requirement
from ansible.module_utils.twinspark.weights import verdicts, weights
from ansible.module_utils.twinspark.weights.state import Found


def test_room_is_asked_for_with_a_reserve_and_only_when_bytes_must_come():
    gib = verdicts.GIB
    assert verdicts.space_verdict("h", 10 * gib, 11 * gib, "/x", 1).ok
    assert verdicts.space_verdict("h", 10 * gib, 10 * gib, "/x", 1).required == Requirement(">=", 11, "GiB")
    assert not verdicts.space_verdict("h", 10 * gib, 11 * gib - 1, "/x", 1).ok
    assert verdicts.space_verdict("h", 0, 0, "/x", 1).ok


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


def test_check_mode_says_what_would_be_fetched_and_fails_nothing():
    lacking = {
        "state": "missing", "fetch_bytes": 3 * verdicts.GIB, "verdict": verdicts.snapshot_verdict("s2", "1" * 40, None)
    }  # fmt: skip
    hosts = {"s1": told("s1", {"w": "x"}), "s2": told("s2", {}, **lacking)}
    assert not all(verdict.ok for verdict in verdicts.evidence(hosts).verdicts)
    found = verdicts.evidence(hosts, check_mode=True).verdicts
    assert [(v.name, v.ok, v.measured) for v in found] == [
        ("weights on s1", True, "verified"),
        ("weights on s2", True, "missing: 3.00 GiB would be fetched"),
    ]
    whole = {"s1": hosts["s1"]}
    assert verdicts.evidence(whole, check_mode=True) == verdicts.evidence(whole)


def test_check_mode_without_a_manifest_gives_no_figure():
    lacking = {"state": "missing", "fetch_bytes": None, "verdict": verdicts.snapshot_verdict("s1", "1" * 40, None)}
    found = verdicts.evidence({"s1": told("s1", {}, **lacking)}, check_mode=True).verdicts
    assert [v.measured for v in found] == ["missing: the weights would be fetched"]
