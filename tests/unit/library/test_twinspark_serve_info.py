"""How a served rank is doing, with its programs played: cases/twinspark_serve_info.yaml."""

from pathlib import Path

import pytest

from tests.support import cases


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases/twinspark_serve_info.yaml"))
def test_every_case_of_the_table(play, case):
    play("twinspark_serve_info", case)
