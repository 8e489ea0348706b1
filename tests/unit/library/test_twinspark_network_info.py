"""What a host's network is, with its programs played: cases/twinspark_network_info.yaml."""

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.support import cases


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases/twinspark_network_info.yaml"))
def test_every_case_of_the_table(play, monkeypatch, tmp_path, case):
    monkeypatch.setattr(tempfile, "mkdtemp", lambda **_: str(tmp_path / "scratch"))
    monkeypatch.setattr(shutil, "copytree", lambda *_: None)  # of the netplan files of the machine that tests
    play("twinspark_network_info", case)
