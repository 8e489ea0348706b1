"""Bringing a pinned commit: Git played (cases/twinspark_source.yaml), and Git itself on a repository."""

import subprocess
from pathlib import Path

import pytest

from tests.support import cases


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases/twinspark_source.yaml"))
def test_every_case_of_the_table(play, case):
    play("twinspark_source", case)


def git(folder, *argv):
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", "-C", folder, *who, *argv], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def orphan(tmp_path):
    """A repository whose first commit is on no branch any more, as after a force push; and that commit."""
    repo = tmp_path / "repo"
    repo.mkdir()
    git(repo, "init", "-q", "-b", "main")
    git(repo, "config", "uploadpack.allowAnySHA1InWant", "true")
    (repo / "f").write_text("pinned")
    git(repo, "add", "f")
    git(repo, "commit", "-q", "-m", "one")
    commit = git(repo, "rev-parse", "HEAD")
    (repo / "f").write_text("other")
    git(repo, "commit", "-q", "-a", "--amend", "-m", "two")
    return f"file://{repo}", commit


def test_an_orphaned_commit_is_checked_out_once(run_module, orphan, tmp_path):
    repo, commit = orphan
    wanted = {"repo": repo, "commit": commit, "dest": str(tmp_path / "work")}
    assert run_module("twinspark_source", check_mode=True, **wanted)["changed"]
    assert not (tmp_path / "work").exists()
    assert run_module("twinspark_source", **wanted)["after"] == commit
    assert (tmp_path / "work/f").read_text() == "pinned"
    assert not run_module("twinspark_source", **wanted)["changed"]
    (tmp_path / "work/f").write_text("changed by hand")
    (tmp_path / "work/cache").write_text("a wheel")
    assert run_module("twinspark_source", **wanted)["changed"]
    assert (tmp_path / "work/f").read_text() == "pinned"
    assert (tmp_path / "work/cache").exists()


def test_a_commit_that_is_gone_has_a_fix(run_module, orphan, tmp_path):
    answer = run_module("twinspark_source", repo=orphan[0], commit="0" * 40, dest=str(tmp_path / "work"))
    assert answer["failed"]
    assert "no longer has the commit" in answer["msg"]
