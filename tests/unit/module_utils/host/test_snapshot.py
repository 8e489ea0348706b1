"""Looking at a Hub cache on a real disk."""

import os

import pytest
from ansible.module_utils.twinspark.weights.hubcache import Layout
from ansible.module_utils.twinspark.weights.manifest import Entry, Manifest
from ansible.module_utils.twinspark.weights.state import OldCommit, State
from ansible.module_utils.twinspark_host import snapshot

OLD, NEW = "1" * 40, "2" * 40


@pytest.fixture
def layout(tmp_path):
    """A cache with two commits that share one blob."""
    layout = Layout(str(tmp_path), "o/n")
    layout.blobs.mkdir(parents=True)
    for commit, blobs in ((OLD, {"w": "old", "t": "both"}), (NEW, {"w": "new", "t": "both"})):
        layout.snapshot(commit).mkdir(parents=True)
        for path, blob in blobs.items():
            (layout.blobs / blob).write_text(blob * 100)
            (layout.snapshot(commit) / path).symlink_to(f"../../blobs/{blob}")
    return layout


def test_a_file_is_seen_through_its_link_with_what_tells_it_from_another(layout):
    path = layout.snapshot(NEW) / "w"
    seen = snapshot.look(path)
    assert (seen.kind, seen.stamp[0]) == ("file", 300)
    (layout.blobs / "new").write_text("n" * 300)
    os.utime(layout.blobs / "new", ns=(1, 1))
    assert snapshot.look(path).stamp != seen.stamp


def test_what_is_no_file_is_told_apart(layout):
    folder = layout.snapshot(NEW)
    (folder / "gone").symlink_to("nowhere")
    (folder / "loop").symlink_to("loop")
    (folder / "sub").mkdir()
    kinds = {name: snapshot.look(folder / name).kind for name in ("none", "w/none", "gone", "loop", "sub")}
    assert kinds == {"none": "absent", "w/none": "absent", "gone": "dangling", "loop": "dangling", "sub": "dangling"}


def test_every_file_of_the_manifest_is_looked_at_in_its_commit(layout):
    manifest = Manifest("o/n", OLD, (Entry("w", 300, "a" * 64), Entry("more", 1, "b" * 64)))
    assert {path: seen.kind for path, seen in snapshot.look_at(layout, manifest).items()} == {
        "w": "file",
        "more": "absent",
    }


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"files": []}', '{"files": {"w": 1}}', '{"copy": {"bytes": "many"}}', "[" * 100_000]
)
def test_a_memory_that_is_nonsense_is_none(tmp_path, text):
    (tmp_path / "state.json").write_text(text)
    assert snapshot.read_state(tmp_path / "state.json") == State()


def test_a_memory_is_read(tmp_path):
    (tmp_path / "state.json").write_text('{"files": {"w": {"stamp": [1]}}, "copy": {"bytes": 5, "seconds": 0.5}}')
    assert snapshot.read_state(tmp_path / "state.json").copy.bytes == 5


def test_an_old_commit_frees_only_what_no_other_needs(layout):
    assert snapshot.old_commits(layout, NEW) == (OldCommit(OLD, 300),)
    assert snapshot.old_commits(Layout("/nowhere", "o/n"), NEW) == ()


def test_room_is_that_of_the_nearest_folder_that_is_there(tmp_path):
    assert snapshot.free_bytes(tmp_path / "not/yet") == pytest.approx(snapshot.free_bytes(tmp_path), rel=0.1)


def test_links_take_no_room(layout):
    assert snapshot.used_bytes(layout.snapshot(NEW)) == 0
    assert snapshot.used_bytes(layout.blobs) >= 1000
