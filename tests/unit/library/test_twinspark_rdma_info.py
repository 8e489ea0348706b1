"""The RDMA facts of a host, with its tools played: cases/twinspark_rdma_info.yaml."""

from pathlib import Path

import pytest

from tests.support import cases


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases/twinspark_rdma_info.yaml"))
def test_every_case_of_the_table(play, case):
    play("twinspark_rdma_info", case)
