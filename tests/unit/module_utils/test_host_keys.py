"""What weakens the checking of host keys: cases/host_keys.yaml."""

from pathlib import Path
from typing import Any

import pytest

from tests.support import cases
from twinspark.core import host_keys


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases/host_keys.yaml"))
def test_weakness(case: dict[str, Any]) -> None:
    assert host_keys.weakness(case["variable"], case["value"]) == case["weak"]
