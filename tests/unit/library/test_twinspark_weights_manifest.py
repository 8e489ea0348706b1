"""The list of files at a commit, from the lab's own Hub."""

import hashlib
from pathlib import Path

import pytest


def test_the_manifest_is_the_hub_s_and_is_asked_for_once(run_module, arguments):
    first = run_module("twinspark_weights_manifest", **arguments)
    assert (first["changed"], first["files"], first["total_bytes"]) == (True, 2, 1003)
    assert hashlib.sha256(b"x" * 1000).hexdigest() in first["text"]
    nobody = {**arguments, "endpoint": "http://127.0.0.1:9"}
    second = run_module("twinspark_weights_manifest", **nobody)
    assert (second["changed"], second["text"]) == (False, first["text"])


def test_check_mode_asks_the_hub_and_writes_nothing(run_module, arguments):
    found = run_module("twinspark_weights_manifest", check_mode=True, **arguments)
    assert (found["changed"], found["total_bytes"]) == (True, 1003)
    assert not Path(arguments["home"]).exists()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"commit": "main"}, "is not a full commit"),
        ({"repo": "../x"}, "is not a repository"),
        ({"commit": "2" * 40}, "does not exist"),
        ({"repo": "o/unknown"}, "does not exist"),
        ({"source_dir": "/nowhere"}, "is not a directory"),
        ({"allow": ["*.bin"]}, "hf_weights_allow"),
        ({"text": "nonsense"}, "is not JSON"),
        ({"token_file": "/nowhere"}, "No such file"),
    ],
)
def test_what_can_t_be_is_refused_with_its_fix(run_module, arguments, wrong, words):
    found = run_module("twinspark_weights_manifest", **{**arguments, **wrong})
    assert found["failed"]
    assert words in found["msg"]


def test_a_directory_with_a_dangling_link_is_refused(run_module, arguments, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "w").symlink_to("nowhere")
    found = run_module("twinspark_weights_manifest", **arguments, source_dir=str(source))
    assert "link to nothing" in found["msg"]
