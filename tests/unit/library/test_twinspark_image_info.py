"""Which image a host has, with Docker played: cases/twinspark_image_info.yaml."""

from pathlib import Path

import pytest

from tests.support import cases


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases/twinspark_image_info.yaml"))
def test_every_case_of_the_table(play, case):
    play("twinspark_image_info", case)
