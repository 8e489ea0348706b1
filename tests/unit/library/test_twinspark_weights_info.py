"""What a host has of the weights, on real folders."""

COMMIT = "1" * 40


def test_info_without_anything_says_missing(run_module, arguments, tmp_path):
    bare = {key: arguments[key] for key in ("repo", "commit", "home")}
    found = run_module("twinspark_weights_info", **bare, state_dir=str(tmp_path / "state"), host="h")["weights"]
    assert (found["state"], found["verdict"]["ok"], found["old_commits"]) == ("missing", False, [])


def test_info_names_what_an_interrupted_copy_left(run_module, arguments, tmp_path):
    bare = {key: arguments[key] for key in ("repo", "commit", "home")}
    (tmp_path / "secret").write_text("x")
    lent = [str(tmp_path / name) for name in ("secret", "jobs")]
    found = run_module("twinspark_weights_info", **bare, lent=lent)["weights"]
    assert found["left"] == lent[:1]
    assert run_module("twinspark_weights_info", **bare)["weights"]["left"] == []


def test_info_does_not_believe_a_manifest_of_other_patterns(run_module, arguments):
    run_module("twinspark_weights_manifest", **arguments)
    bare = {key: arguments[key] for key in ("repo", "commit", "home")}
    assert len(run_module("twinspark_weights_info", **bare)["weights"]["files"]) == 2
    assert run_module("twinspark_weights_info", **bare, ignore=["*.json"])["weights"]["files"] == []


def test_old_commits_and_what_they_hold_are_named(run_module, two_commits):
    told = {"repo": "o/n", "commit": COMMIT, "home": str(two_commits.parents[1])}
    old = run_module("twinspark_weights_info", **told)["weights"]["old_commits"]
    assert old == [{"commit": "2" * 40, "frees_bytes": 300}]
