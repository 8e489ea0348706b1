"""The lab's services: the engine's repository, and when a running container is kept."""

import subprocess

import pytest
import yaml

from twinspark_lab import services
from twinspark_lab.names import checkout
from twinspark_lab.shell import LabError

REPO = checkout() / "lab" / "engine" / "repo"
PROFILE = yaml.safe_load((checkout() / "lab" / "profiles" / "lab-smollm2.yml").read_text())


def git(bare, *words):
    return subprocess.run(["git", "--git-dir", bare, *words], capture_output=True, text=True, check=True).stdout.strip()


def test_the_commit_is_the_one_that_the_profile_pins(tmp_path):
    assert services.make_repository(REPO, tmp_path / "engine.git") == PROFILE["image"]["commit"]


def test_the_commit_depends_on_the_files_and_on_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_AUTHOR_NAME", "somebody else")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text("[core]\n\tautocrlf = true\n[commit]\n\tgpgSign = true\n")
    assert services.make_repository(REPO, tmp_path / "engine.git") == PROFILE["image"]["commit"]


def test_a_pinned_commit_can_be_fetched_by_its_name(tmp_path):
    bare = tmp_path / "engine.git"
    commit = services.make_repository(REPO, bare)
    assert git(bare, "rev-parse", "HEAD") == commit
    subprocess.run(["git", "init", "--quiet", tmp_path / "clone"], check=True)
    fetch = ["git", "-C", tmp_path / "clone", "fetch", "--quiet", "--depth", "1", f"file://{bare}", commit]
    subprocess.run(fetch, check=True)


def test_a_changed_repository_is_refused_until_it_is_pinned(tmp_path, monkeypatch):
    monkeypatch.setattr(services, "make_repository", lambda source, bare: bare.mkdir(parents=True) or "f" * 40)
    with pytest.raises(LabError, match=r"profiles/lab-smollm2\.yml pins"):
        services.ensure_engine_repository(tmp_path)
    assert [x for x in (tmp_path / "git").iterdir() if x.is_dir()] == []


def test_a_container_of_other_arguments_or_image_is_made_anew():
    specs = {services.spec_of(argv, image) for argv in (["a"], ["b"]) for image in ("one", "two")}
    assert len(specs) == 4
    assert services.spec_of(["a"], "one") == services.spec_of(["a"], "one")
