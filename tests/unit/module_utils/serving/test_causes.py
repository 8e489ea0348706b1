"""Why an engine died, from its own words."""

from pathlib import Path

import pytest
from ansible.module_utils.twinspark.serving.causes import DEATHS, cause

from tests.support import cases

HERE = Path(__file__).parent


@pytest.mark.parametrize("case", cases(HERE / "cases/causes.yaml"))
def test_cause(case):
    found = cause(case["lines"])
    assert (found.name if found else None) == case["cause"]
    assert found is None or found.fix


def test_the_field_guide_names_every_death(root):
    guide = (root / "docs/serving.md").read_text()
    assert [death.name for death in DEATHS if f"**{death.name}**" not in guide] == []
