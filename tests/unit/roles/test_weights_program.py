"""The program of the weights jobs, as far as it needs neither a Hub nor a peer: rsync's words, hashing, the store."""

import hashlib
import importlib
import json
import os
import shutil
import sys
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
COMMIT = "1" * 40


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The folder as the role lays it down on a host, importable."""
    folder = tmp_path_factory.mktemp("program")
    shutil.copytree(ROOT / "roles/hf_weights/files/twinspark_weights", folder, dirs_exist_ok=True)
    shutil.copytree(ROOT / "module_utils/twinspark", folder / "core", dirs_exist_ok=True)
    before, known = list(sys.path), set(sys.modules)
    sys.path.insert(0, str(folder))
    yield importlib.import_module
    sys.path[:] = before
    for name in set(sys.modules) - known:
        if getattr(sys.modules[name], "__file__", None) and str(folder) in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("code", "log", "permanent", "words"),
    [
        (0, "", False, ""),
        (10, "rsync: failed to connect to 192.168.177.11: Connection refused (111)\nrsync error: x", False, "refused"),
        (30, "rsync error: timeout in data send/receive (code 30)", False, "exit 30"),
        (11, "rsync: write failed on x: No space left on device (28)", True, "disk is full"),
        (5, "@ERROR: auth failed on module blobs", True, "new secret"),
        (5, "@ERROR: Unknown module 'blobs'", True, "new secret"),
    ],
)
def test_rsync_s_exit_is_told_in_words(program, code, log, permanent, words):
    found = program("rsync").outcome(code, log)
    assert found.permanent == permanent
    assert words in found.words


def test_a_first_copy_is_sent_whole_and_the_rest_of_a_part_is_appended(program):
    rail = {"name": "rail1", "address": "192.168.177.11", "local": "192.168.177.12"}
    spec = {"port": 8873, "secret_file": "/s", "stall_seconds": 20}
    first = program("rsync").argv(spec, rail, "SUM", "/t", resumed=False)
    assert first == [
        "rsync", "--whole-file", "--inplace", "--checksum-choice=none", "--no-motd", "--contimeout=20",
        "--port=8873", "--password-file=/s", "--address=192.168.177.12",
        "rsync://twinspark@192.168.177.11/blobs/SUM", "/t",
    ]  # fmt: skip
    rest = program("rsync").argv(spec, rail, "SUM", "/t", resumed=True)
    assert rest[1] == "--append"
    assert "--whole-file" not in rest


def test_the_daemon_is_bound_to_its_rail_and_lets_only_peers_read_one_folder(program):
    rail = {"name": "rail1", "address": "192.168.177.11", "peers": ["192.168.177.12"]}
    spec = {"port": 8873, "owner": "spark", "folder": "/blobs", "secrets_file": "/run/x/secrets"}
    lines = program("serve").configuration(spec, rail, Path("/log")).splitlines()
    for line in (
        "address = 192.168.177.11", "read only = yes", "list = no", "use chroot = yes", "auth users = twinspark",
        "strict modes = yes", "hosts allow = 192.168.177.12", "hosts deny = *", "path = /blobs",
    ):  # fmt: skip
        assert line in lines


def test_connections_are_counted_on_the_port_and_only_while_established(program):
    table = """\
  sl  local_address rem_address   st tx_queue rx_queue
   0: 0BB1A8C0:22A9 00000000:0000 0A 00000000:00000000
   1: 0BB1A8C0:22A9 0CB1A8C0:9C40 01 00000000:00000000
   2: 0BB1A8C0:22A9 0CB1A8C0:9C42 06 00000000:00000000
   3: 0BB1A8C0:0016 0CB1A8C0:9C44 01 00000000:00000000
"""
    assert program("serve").connections([table, ""], 8873) == 1


def test_a_growing_file_is_hashed_to_its_end(program, tmp_path):
    entry = program("core.manifest").Entry("w", 3_000_000)
    path, content = tmp_path / "w", os.urandom(3_000_000)
    path.touch()
    writing = threading.Event()

    def write():
        with path.open("wb", buffering=0) as stream:
            for start in range(0, len(content), 500_000):
                stream.write(content[start : start + 500_000])
                time.sleep(0.01)
        writing.set()

    thread = threading.Thread(target=write)
    thread.start()
    sums = program("hashing").sums_of(path, entry, growing=lambda: not writing.is_set(), sync=True)
    thread.join()
    assert sums.sha256 == hashlib.sha256(content).hexdigest()
    assert sums.size == len(content)


def test_git_s_sum_is_git_s(program, tmp_path):
    path = tmp_path / "w"
    path.write_bytes(b"hello\n")
    entry = program("core.manifest").Entry("w", 6, "", "ce013625030ba8dba906f756967f9e9ca394464a")
    assert program("hashing").sums_of(path, entry).git_sha1 == entry.git_sha1


def test_file_names_are_no_patterns_to_the_client(program):
    assert program("client").literal("a[1]*.bin") == "a[[]1][*].bin"


@pytest.fixture
def cache(program, tmp_path):
    """A cache with one good commit of two paths that share a blob, and one other file."""
    manifest = program("core.manifest")
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


def test_a_bit_that_rots_under_an_unchanged_stamp_is_found_by_hashing_all_again(program, cache):
    entry = cache.manifest.entries[1]
    blob = cache.layout.blobs / entry.blob
    blob.write_bytes(b"othes")
    stamp = program("core.snapshot").stamp_of(blob)
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
