"""Preparing and arming a network change, with its programs played: cases/twinspark_netplan.yaml."""

import shutil
import tempfile
from pathlib import Path

import pytest
from ansible.module_utils.twinspark.network import deadman

from tests.support import cases


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases/twinspark_netplan.yaml"))
def test_every_case_of_the_table(play, monkeypatch, tmp_path, case):
    monkeypatch.setattr(deadman, "BOOT_UNIT_PATH", str(tmp_path / "boot.service"))
    monkeypatch.setattr(deadman, "BOOT_LINK_PATH", str(tmp_path / "wants/boot.service"))
    monkeypatch.setattr(tempfile, "mkdtemp", lambda **_: str(tmp_path / "scratch"))
    monkeypatch.setattr(shutil, "copytree", lambda *_: None)  # of the netplan files of the machine that tests
    play("twinspark_netplan", case)
