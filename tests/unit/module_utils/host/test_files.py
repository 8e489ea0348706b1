"""Files that are written whole or not at all."""

import pytest
from ansible.module_utils.twinspark_host.files import write_atomically


def test_a_file_is_replaced_with_its_mode_and_its_folder_made(tmp_path):
    path = tmp_path / "a/b/file"
    write_atomically(path, "one")
    write_atomically(path, "two", 0o600)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("two", 0o600)
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "new \udcff")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_reader_keeps_the_file_that_it_has_opened(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, "old")
    with path.open() as stream:
        write_atomically(path, "new")
        assert stream.read() == "old"
