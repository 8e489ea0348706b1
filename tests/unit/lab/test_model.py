"""The lab's model: a commit that is computed from its bytes, and what happens when it is another one."""

import pytest

from twinspark_lab import model
from twinspark_lab.shell import LabError


def snapshot(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_revision_is_a_commit_of_the_files_alone(tmp_path):
    one = snapshot(tmp_path / "one", a="1", b__c="2")
    other = snapshot(tmp_path / "other", b__c="2", a="1")
    assert model.revision_of(one) == model.revision_of(other) == "2f0fe667069147e5df1ed3c59032bf1b426a6c21"


@pytest.mark.parametrize("files", [{"a": "1", "b__c": "3"}, {"a": "1", "b__d": "2"}, {"a": "1"}])
def test_another_byte_or_name_is_another_revision(tmp_path, files):
    right = snapshot(tmp_path / "right", a="1", b__c="2")
    assert model.revision_of(snapshot(tmp_path / "other", **files)) != model.revision_of(right)


def test_the_profile_pins_a_full_commit():
    repo, revision = model.pinned()
    assert repo == "lab/smollm2-135m"
    assert len(revision) == 40
    assert int(revision, 16)


def test_a_snapshot_that_is_there_is_taken_without_any_work(tmp_path):
    repo, revision = model.pinned()
    there = tmp_path / "hub" / repo / revision
    there.mkdir(parents=True)
    assert model.ensure_model(tmp_path, print) == there


def test_a_model_that_came_out_otherwise_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(model, "_make", lambda scratch, cache, say: snapshot(scratch / "out", a="1"))
    with pytest.raises(LabError, match=r"pins [0-9a-f]{40}: if its recipe was changed on purpose"):
        model.ensure_model(tmp_path, print)
    assert not any((tmp_path / "hub").rglob("a")), "nothing unpinned may be served"
