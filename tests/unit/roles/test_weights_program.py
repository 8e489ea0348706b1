"""The program of the weights jobs, as far as it needs neither a Hub nor a peer: hashing, the store."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import yaml

from .weights_pair import told

COMMIT = "1" * 40


def test_git_s_sum_is_git_s(program, tmp_path):
    path = tmp_path / "w"
    path.write_bytes(b"hello\n")
    entry = program("core.twinspark.weights.manifest").Entry("w", 6, "", "ce013625030ba8dba906f756967f9e9ca394464a")
    assert program("hashing").sums_of(path, entry).git_sha1 == entry.git_sha1


def test_file_names_are_no_patterns_to_the_client(program):
    assert program("client").literal("a[1]*.bin") == "a[[]1][*].bin"


@pytest.fixture
def cache(program, tmp_path):
    """A cache with one good commit of two paths that share a blob, and one other file."""
    manifest = program("core.twinspark.weights.manifest")
    contents = {"a": b"same", "deep/b": b"same", "c": b"other"}
    sums = {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
    entries = tuple(manifest.Entry(path, len(contents[path]), sums[path]) for path in sorted(contents))
    found = manifest.Manifest("o/n", COMMIT, entries)
    store = program("store").Store(str(tmp_path / "home"), str(tmp_path / "state"), found)
    for path, content in contents.items():
        (store.layout.blobs / sums[path]).write_bytes(content)
    store.adopt(rehash=False, repair=True, threads=1)
    store.finish("main")
    return store


def again(program, store):
    return program("store").Store(store.layout.home, str(store.state_file.parents[2]), store.manifest)


def test_what_was_hashed_is_not_hashed_again(program, cache, monkeypatch):
    store = again(program, cache)
    monkeypatch.setattr(program("store"), "sums_of", lambda *a, **k: pytest.fail("hashed"))
    assert store.adopt(rehash=False, repair=True, threads=1) == ([], [])
    store.finish("main")


def test_a_flipped_bit_is_found_taken_away_and_asked_for_again(program, cache):
    entry = cache.manifest.entries[1]
    blob = cache.layout.blobs / entry.blob
    blob.write_bytes(b"othes")
    store = again(program, cache)
    needed, wrong = store.adopt(rehash=False, repair=True, threads=1)
    assert [e.path for e in needed] == wrong == [entry.path]
    assert not blob.exists()
    assert not (cache.layout.snapshot(COMMIT) / entry.path).is_symlink()


def test_a_wrong_blob_that_two_paths_share_is_hashed_for_both_before_it_goes(program, cache, monkeypatch):
    shared = [entry for entry in cache.manifest.entries if entry.path in ("a", "deep/b")]
    blob = cache.layout.blobs / shared[0].blob
    blob.write_bytes(b"sane")
    store, hashing = again(program, cache), program("store").sums_of

    def late(path, entry, **more):
        time.sleep(0.2 if entry.path != "a" else 0)
        return hashing(path, entry, **more)

    monkeypatch.setattr(program("store"), "sums_of", late)
    needed, wrong = store.adopt(rehash=True, repair=True, threads=1)
    assert {e.path for e in needed} == set(wrong) == {"a", "deep/b"}
    assert not blob.exists()


def test_a_bit_that_rots_under_an_unchanged_stamp_is_found_by_hashing_all_again(program, cache):
    entry = cache.manifest.entries[1]
    blob = cache.layout.blobs / entry.blob
    blob.write_bytes(b"othes")
    stamp = program("core.twinspark_host.snapshot").stamp_of(blob)
    state = json.loads(cache.state_file.read_text())
    state["files"][entry.path]["stamp"] = list(stamp)  # as if the stamp had not changed
    cache.state_file.write_text(json.dumps(state))
    assert again(program, cache).adopt(rehash=False, repair=False, threads=1) == ([], [])
    _, wrong = again(program, cache).adopt(rehash=True, repair=False, threads=1)
    assert wrong == [entry.path]
    assert blob.exists()  # a verification repairs nothing, but remembers
    assert json.loads(cache.state_file.read_text())["files"][entry.path]["bad"]


def test_a_dangling_link_is_asked_for_again(program, cache):
    entry = cache.manifest.entries[1]
    (cache.layout.blobs / entry.blob).unlink()
    needed, wrong = again(program, cache).adopt(rehash=False, repair=True, threads=1)
    assert ([e.path for e in needed], wrong) == ([entry.path], [])


def test_files_that_another_tool_put_there_without_links_are_taken_over(program, cache):
    path = cache.layout.snapshot(COMMIT) / "c"
    blob = path.resolve()
    content = blob.read_bytes()
    path.unlink()
    blob.unlink()
    path.write_bytes(content)
    store = again(program, cache)
    assert store.adopt(rehash=False, repair=True, threads=1) == ([], [])
    store.finish("main")
    assert path.is_symlink()
    assert blob.read_bytes() == content


NONSENSE = [
    {"files": [1, 2]},
    {"files": {"a": 3}},
    {"files": {"a": {"stamp": 7}}},
    {"files": None},
    {"copy": []},
    {"download": {"bytes": "many", "seconds": 1}},
    [1],
]


@pytest.mark.parametrize("nonsense", NONSENSE, ids=map(json.dumps, NONSENSE))
def test_a_state_file_of_another_form_is_as_good_as_none_and_all_is_hashed_again(program, cache, nonsense):
    cache.state_file.write_text(json.dumps(nonsense))
    snapshot, weights = program("core.twinspark_host.snapshot"), program("core.twinspark.weights.weights")
    state = snapshot.read_state(cache.state_file)
    judgement = weights.judge(cache.manifest, state, snapshot.look_at(cache.layout, cache.manifest))
    assert set(judgement.files.values()) == {"unhashed"}
    store = again(program, cache)
    assert store.adopt(rehash=False, repair=True, threads=1) == ([], [])
    store.finish("main")
    assert json.loads(cache.state_file.read_text())["files"].keys() == {"a", "c", "deep/b"}


@pytest.fixture
def directory(program, tmp_path):
    """A directory of the owner's, and a function that fetches from it. Gives both, and what was written and asked."""
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    contents = {"a": b"1" * 3000, "deep/b": os.urandom(3 * 1024**2)}
    for path, content in contents.items():
        (source / path).write_bytes(content)
    sizes = {path: len(content) for path, content in contents.items()}
    layout = program("core.twinspark.weights.hubcache").Layout(str(tmp_path / "home"), "o/n")
    layout.own.mkdir(parents=True)
    sizes_of = program("core.twinspark.weights.manifest").from_directory
    layout.manifest(COMMIT).write_text(sizes_of(sizes, "o/n", COMMIT).dump())
    spec = {
        "home": layout.home, "state_dir": str(tmp_path / "state"), "repo": "o/n", "commit": COMMIT, "threads": 1,
        "rehash": False, "ref": "main", "reserve_gib": 0, "source_dir": str(source), "stall_seconds": 1, "attempts": 1,
        "longest_pause": 1, "endpoint": "", "token_file": "", "client": "", "xet": False, "workers": 1,
        "environment": {},
    }  # fmt: skip
    fetch = told(program, "Fetch", spec)
    return SimpleNamespace(source=source, contents=contents, layout=layout, fetch=lambda: program("fetch").run(fetch))


@pytest.fixture
def spied(program, monkeypatch):
    """What was written by the copy, in bytes, and how much room it asked for."""
    found = SimpleNamespace(written=0, room=[])
    write, room = program("hashing").write_all, program("store").Store.require_space

    def write_all(handle, piece):
        found.written += len(piece)
        write(handle, piece)

    def require_space(store, needed, reserve):
        found.room.append(needed)
        room(store, needed, reserve)

    monkeypatch.setattr(program("directory"), "write_all", write_all)
    monkeypatch.setattr(program("store").Store, "require_space", require_space)
    return found


def whole(directory):
    snapshot = directory.layout.snapshot(COMMIT)
    return all((snapshot / path).read_bytes() == content for path, content in directory.contents.items())


@pytest.mark.parametrize("rotten", [False, True])
def test_a_copy_from_a_directory_goes_on_where_an_interrupted_one_ended(program, directory, spied, rotten):
    b = directory.contents["deep/b"]
    (directory.source / "deep/b").write_bytes(b[: 2 * 1024**2])
    with pytest.raises(program("job").Failure, match="let nobody write to it"):
        directory.fetch()
    assert not directory.layout.snapshot(COMMIT).exists()
    (part,) = directory.layout.staging.iterdir()
    if rotten:
        part.write_bytes(b"x" + b[1 : 2 * 1024**2])
    (directory.source / "deep/b").write_bytes(b)
    spied.written = 0
    directory.fetch()
    assert whole(directory)
    assert spied.room == [len(b) + 3000, 1024**2]
    assert spied.written == (len(b) if rotten else 1024**2)
    assert not list(directory.layout.staging.iterdir())
    spied.written = 0
    directory.fetch()
    assert (spied.written, len(spied.room)) == (0, 2)


def test_a_directory_s_file_is_read_even_where_a_snapshot_shows_another_of_its_length(directory):
    shown = directory.layout.snapshot(COMMIT) / "a"
    shown.parent.mkdir(parents=True)
    shown.write_bytes(b"9" * 3000)
    directory.fetch()
    assert whole(directory)


@pytest.fixture
def laid_down(root, tmp_path):
    """The program with those files only that the role lists, as it lies on a host. Returns how to run it."""
    told = yaml.safe_load((root / "roles/hf_weights/vars/main.yml").read_text())
    program = root / "roles/hf_weights/files/twinspark_weights"
    files = {f"{name}.py": program / f"{name}.py" for name in told["__hf_weights_own"]}
    files |= {f"core/{name}.py": root / f"module_utils/{name}.py" for name in told["__hf_weights_core"]}
    for name, source in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tmp_path / name)

    def run(verb, spec):
        argv = [sys.executable, str(tmp_path), verb, json.dumps(spec)]
        return subprocess.run(argv, capture_output=True, text=True, check=False, env={}, cwd="/")

    return run


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({}, "spec: home is missing"),
        ({"home": "/h", "state_dir": "/s", "repo": "o/n", "commit": "c", "threads": "two"}, "threads must be a whole"),
        (
            {"home": "/nowhere", "state_dir": "/s", "repo": "o/n", "commit": "c", "threads": 2},
            "there is no manifest of o/n at c here",
        ),
    ],
)
def test_the_files_that_the_role_lists_are_enough_and_a_wrong_spec_is_one_sentence(laid_down, spec, sentence):
    done = laid_down("verify", spec)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("verify: ")
    assert sentence in done.stdout
