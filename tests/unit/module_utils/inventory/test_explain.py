"""One clear sentence out of a raw failure: cases/explain.yaml."""

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.twinspark.inventory.explain import Failure, explain

from tests.support import cases

CASES = cases(Path(__file__).parent / "cases/explain.yaml")


@pytest.mark.parametrize("case", CASES)
def test_explain(case: dict[str, Any]) -> None:
    given = {key: value for key, value in case.items() if key not in {"name", "kind", "sentence"}}
    said = explain(Failure(host="spark1", **given))
    assert (said.kind, said.sentence) == (case["kind"], case["sentence"])


@pytest.mark.parametrize("case", CASES)
def test_no_fix_weakens_a_check(case: dict[str, Any]) -> None:
    assert "StrictHostKeyChecking" not in case["sentence"]
    assert "host_key_checking" not in case["sentence"].lower()
