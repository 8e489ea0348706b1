"""The head's record of builds on disk."""

import json

import pytest
from ansible.module_utils.twinspark.image.image import Built
from ansible.module_utils.twinspark_host.history import read_history

BUILT = Built("e:1", "sha256:1", "d", "R", "c", "2026-11-25T00:00:00Z")


def test_the_builds_are_read_in_their_order(tmp_path):
    (tmp_path / "history.json").write_text(json.dumps([BUILT.to_json(), {"image": "e:2", "id": "i", "digest": "d"}]))
    assert read_history(tmp_path / "history.json") == [BUILT, Built("e:2", "i", "d")]


@pytest.mark.parametrize("text", [None, "{", "{}", '[{"image": 1}]', "[1]"])
def test_what_is_no_record_is_no_history(tmp_path, text):
    if text is not None:
        (tmp_path / "history.json").write_text(text)
    assert read_history(tmp_path / "history.json") == []
