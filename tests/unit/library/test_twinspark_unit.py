"""Bringing a unit to a state, with systemctl played: cases/twinspark_unit.yaml."""

from pathlib import Path

import pytest

from tests.support import cases


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases/twinspark_unit.yaml"))
def test_every_case_of_the_table(play, case):
    play("twinspark_unit", case)
