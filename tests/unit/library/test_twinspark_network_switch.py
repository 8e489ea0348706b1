"""Confirming, awaiting and undoing a network change, with its programs played: cases/twinspark_network_switch.yaml."""

from pathlib import Path

import pytest
from ansible.module_utils.twinspark.network import deadman

from tests.support import cases


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases/twinspark_network_switch.yaml"))
def test_every_case_of_the_table(play, monkeypatch, tmp_path, case):
    monkeypatch.setattr(deadman, "BOOT_UNIT_PATH", str(tmp_path / "boot.service"))
    monkeypatch.setattr(deadman, "BOOT_LINK_PATH", str(tmp_path / "wants/boot.service"))
    play("twinspark_network_switch", case)
