"""The one pending change of a host's network, and its lock. The scripts: ../network/test_deadman.py."""

import threading

import pytest
from ansible.module_utils.twinspark.network.deadman import Manifest
from ansible.module_utils.twinspark_host import pending


@pytest.mark.parametrize(
    ("there", "state"),
    [([], ""), (["armed"], "armed"), (["undoing"], "undoing"), (["confirmed"], "confirmed"), (["undone"], "")],
)
def test_the_state_is_the_file_that_is_there(tmp_path, there, state):
    for name in there:
        (tmp_path / name).touch()
    assert pending.live(tmp_path) == state


@pytest.mark.parametrize("text", [None, "", "{half", "[1, 2]", '{"files": 1}'])
def test_a_manifest_that_is_none_is_empty(tmp_path, text):
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    assert pending.read_manifest(tmp_path) == Manifest()


def test_a_second_change_waits_for_the_first_and_then_gets_the_folder(tmp_path):
    inside, leave = threading.Event(), threading.Event()

    def first():
        with pending.locked(str(tmp_path)):
            inside.set()
            leave.wait(10)

    holder = threading.Thread(target=first)
    holder.start()
    inside.wait(10)
    with pytest.raises(TimeoutError, match="has been running for 0 s"), pending.locked(str(tmp_path), seconds=0):
        pass
    leave.set()
    holder.join()
    with pending.locked(str(tmp_path), seconds=0) as folder:
        assert folder == tmp_path / "network/pending"
    assert (tmp_path / "network/lock").stat().st_mode & 0o777 == 0o600
