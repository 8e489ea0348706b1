"""The weights modules: what they read, what they refuse, and that check mode writes nothing."""

import getpass
import hashlib
import importlib.util
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
COMMIT = "1" * 40


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """The lab's own Hub with one small repository, on a port of its own; gives its URL and the server."""
    data = tmp_path_factory.mktemp("hub")
    folder = data / "o/n" / COMMIT
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}\n")
    (folder / "w.safetensors").write_bytes(b"x" * 1000)
    sys.path.insert(0, str(ROOT / "lab/services"))
    spec = importlib.util.spec_from_file_location("lab_hub", ROOT / "lab/services/hub.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server = module.Hub(("127.0.0.1", 0), data)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    sys.path.remove(str(ROOT / "lab/services"))


@pytest.fixture
def arguments(hub, tmp_path):
    return {
        "repo": "o/n", "commit": COMMIT, "endpoint": hub, "home": str(tmp_path / "home"), "owner": getpass.getuser(),
    }  # fmt: skip


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
        ({"commit": "main"}, "no full commit"),
        ({"repo": "../x"}, "no repository"),
        ({"commit": "2" * 40}, "does not exist"),
        ({"repo": "o/unknown"}, "does not exist"),
        ({"source_dir": "/nowhere"}, "is no directory"),
        ({"allow": ["*.bin"]}, "hf_weights_allow"),
        ({"text": "nonsense"}, "no JSON"),
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


@pytest.fixture
def two_commits(tmp_path):
    """A cache with an old commit of its own blob and a shared one; returns its root."""
    root = tmp_path / "home/hub/models--o--n"
    (root / "blobs").mkdir(parents=True)
    for commit, blobs in (("2" * 40, {"w": "old", "t": "both"}), (COMMIT, {"w": "new", "t": "both"})):
        (root / "snapshots" / commit).mkdir(parents=True)
        for path, blob in blobs.items():
            (root / "blobs" / blob).write_text(blob * 100)
            (root / "snapshots" / commit / path).symlink_to(f"../../blobs/{blob}")
    return root


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


def test_old_commits_and_what_they_hold_are_named(run_module, two_commits):
    told = {"repo": "o/n", "commit": COMMIT, "home": str(two_commits.parents[1])}
    old = run_module("twinspark_weights_info", **told)["weights"]["old_commits"]
    assert old == [{"commit": "2" * 40, "frees_bytes": 300}]


def test_a_program_is_laid_down_whole_and_what_is_gone_from_it_is_removed(run_module, tmp_path):
    folder = tmp_path / "program"
    run = {"path": str(folder)}
    assert run_module("twinspark_program", check_mode=True, **run, files={"a.py": "1\n"})["changed"]
    assert not folder.exists()
    assert run_module("twinspark_program", **run, files={"a.py": "1\n", "core/b.py": "2\n"})["changed"]
    assert not run_module("twinspark_program", **run, files={"a.py": "1\n", "core/b.py": "2\n"})["changed"]
    found = run_module("twinspark_program", **run, files={"a.py": "3\n"})
    assert (found["written"], found["removed"]) == (["a.py"], ["core/b.py"])
    run_module("twinspark_program", **run, state="absent")
    assert not folder.exists()


def test_a_secret_stays_the_same_is_private_and_goes(run_module, tmp_path):
    told = {"path": str(tmp_path / "s"), "owner": getpass.getuser()}
    first = run_module("twinspark_secret", **told)
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "s").read_text() == f"{first['secret']}\n"
    second = run_module("twinspark_secret", **told)
    assert (second["changed"], second["secret"]) == (False, first["secret"])
    run_module("twinspark_secret", **told, state="absent")
    assert not (tmp_path / "s").exists()
