"""Manifests: what is taken from the Hub's words, and what is refused."""

import json

import pytest
from ansible.module_utils.twinspark.weights import manifest

COMMIT = "1" * 40
SHA = "a" * 64
GIT = "b" * 40
LFS = {"rfilename": "w.safetensors", "size": 5, "blobId": "c" * 40, "lfs": {"sha256": SHA, "size": 5}}
SMALL = {"rfilename": "config.json", "size": 3, "blobId": GIT}


def hub(*siblings, sha=COMMIT, **patterns):
    return manifest.from_hub({"sha": sha, "siblings": list(siblings)}, "o/n", COMMIT, **patterns)


def test_a_large_file_has_its_sha256_and_a_small_one_git_s_sum():
    found = hub(LFS, SMALL)
    assert [(e.path, e.size, e.sha256, e.git_sha1) for e in found.entries] == [
        ("config.json", 3, "", GIT),
        ("w.safetensors", 5, SHA, ""),
    ]
    assert (found.total, found.complete) == (8, True)


def test_it_survives_its_file_and_the_same_one_gives_the_same_text():
    found = hub(LFS, SMALL)
    assert manifest.from_text(found.dump()) == found
    assert hub(SMALL, LFS).dump() == found.dump()


@pytest.mark.parametrize(
    ("allow", "ignore", "paths"),
    [
        (["*"], [], ["a/b/c.bin", "d.json"]),
        (["*.json"], [], ["d.json"]),
        (["a/"], [], ["a/b/c.bin"]),
        (["*"], ["*.bin"], ["d.json"]),
        (["*.BIN"], ["x"], []),
    ],
)
def test_patterns_mean_what_they_mean_to_the_client(allow, ignore, paths):
    assert [p for p in ("a/b/c.bin", "d.json") if manifest.selected(p, allow, ignore)] == paths


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a//b", "a/./b", "", "a\\b", "a\nb", None, 7])
def test_a_path_that_leaves_its_folder_is_refused(path):
    with pytest.raises(manifest.ManifestError, match="not a path inside"):
        hub({**SMALL, "rfilename": path})


@pytest.mark.parametrize(
    ("sibling", "words"),
    [
        ({**SMALL, "size": None}, "its size is given as null"),
        ({**SMALL, "size": -1}, "its size"),
        ({**SMALL, "size": True}, "its size"),
        ({**SMALL, "blobId": "xyz"}, "not a Git blob hash"),
        ({**SMALL, "blobId": None}, "gives no checksum"),
        ({**LFS, "lfs": {"sha256": "short", "size": 5}}, "not a sha256"),
    ],
)
def test_metadata_that_can_t_be_verified_against_is_refused(sibling, words):
    with pytest.raises(manifest.ManifestError, match=words):
        hub(sibling)


def test_another_commit_than_the_one_asked_for_is_refused():
    with pytest.raises(manifest.ManifestError, match="asked for commit"):
        hub(SMALL, sha="2" * 40)


def test_the_same_path_twice_and_no_file_at_all_are_refused():
    with pytest.raises(manifest.ManifestError, match="twice"):
        hub(SMALL, SMALL)
    with pytest.raises(manifest.ManifestError, match="hf_weights_allow"):
        hub(SMALL, allow=["*.bin"])


def test_a_file_and_a_file_below_it_are_refused_by_name():
    below = {**SMALL, "rfilename": "config.json/deep/x"}
    with pytest.raises(
        manifest.ManifestError, match=r"file config.json and a file config.json/deep/x.*hf_weights_ignore"
    ):
        hub(LFS, SMALL, below)
    assert len(hub(SMALL, {**SMALL, "rfilename": "config.json.bak/x"}).entries) == 2
    assert len(hub(SMALL, below, ignore=["config.json"]).entries) == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 99}', '{"schema": 1}', '{"schema": 1, "files": 3}'])
def test_a_file_that_is_no_manifest_says_so(text):
    with pytest.raises(manifest.ManifestError):
        manifest.from_text(text)


def test_a_directory_s_manifest_has_sums_once_it_was_hashed():
    found = manifest.from_directory({"x": 1, "y": 2}, "o/n", COMMIT)
    assert not found.complete
    done = found.with_sums({"x": SHA, "y": "d" * 64})
    assert done.complete
    assert done.bound_to("o/n", COMMIT, ["*"], [], "directory")
    assert not done.bound_to("o/n", COMMIT, ["*"], [], "hub")
    assert json.loads(done.dump())["source"] == "directory"


def test_a_file_of_which_no_sum_is_known_accepts_nothing():
    assert not manifest.Entry("x", 1).accepts(SHA, GIT)
    assert manifest.Entry("x", 1, SHA).accepts(SHA, "")
    assert manifest.Entry("x", 1, "", GIT).accepts("whatever", GIT)
    assert not manifest.Entry("x", 1, SHA, GIT).accepts(SHA, "e" * 40)
