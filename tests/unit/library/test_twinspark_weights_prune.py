"""Removing old commits' files, on a real cache."""

import pytest

COMMIT = "1" * 40


def prune(run_module, root, commits, **more):
    told = {"repo": "o/n", "keep": COMMIT, "home": str(root.parents[1]), "state_dir": str(root.parents[2] / "state")}
    return run_module("twinspark_weights_prune", **told, commits=commits, **more)


def test_pruning_takes_only_what_was_named_and_nothing_else_needs(run_module, two_commits):
    before = sorted(path.name for path in (two_commits / "blobs").iterdir())
    found = prune(run_module, two_commits, ["2" * 40], check_mode=True)
    assert (found["changed"], found["freed_bytes"]) == (True, 300)
    assert sorted(path.name for path in (two_commits / "blobs").iterdir()) == before
    prune(run_module, two_commits, ["2" * 40])
    assert sorted(path.name for path in (two_commits / "blobs").iterdir()) == ["both", "new"]
    assert not prune(run_module, two_commits, ["2" * 40])["changed"]


@pytest.mark.parametrize(("commits", "words"), [([COMMIT], "in use"), (["abc"], "in full")])
def test_pruning_the_commit_in_use_or_by_half_a_name_is_refused(run_module, two_commits, commits, words):
    assert words in prune(run_module, two_commits, commits)["msg"]
