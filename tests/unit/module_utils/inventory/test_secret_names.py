"""Names that look like a secret's, and such as only end like one: cases/secret_names.yaml."""

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.twinspark.inventory.secret_names import named_in

from tests.support import cases


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases/secret_names.yaml"))
def test_names_in_a_text(case: dict[str, Any]) -> None:
    assert named_in(case["text"]) == case["secrets"]
