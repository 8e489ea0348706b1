"""Why an engine died, from its own words."""

import re
from pathlib import Path

import pytest
from ansible.module_utils.twinspark.serving.causes import DEATHS, cause

from tests.support import cases

HERE = Path(__file__).parent


@pytest.mark.parametrize("case", cases(HERE / "cases/causes.yaml"))
def test_cause(case):
    lines = (HERE / "cases/logs" / case["log"]).read_text().splitlines() if "log" in case else case["lines"]
    found = cause(lines, case.get("kernel", []))
    assert (found.name if found else None) == case["cause"]
    assert found is None or (found.fix and case.get("line", "") in found.line)


def test_the_field_guide_names_every_death_and_no_other(root):
    guide = (root / "docs/serving.md").read_text()
    assert re.findall(r"^\| \*\*(.+?)\*\* \|", guide, re.M) == [death.name for death in DEATHS]


def test_every_death_has_a_case():
    shown = {case.values[0]["cause"] for case in cases(HERE / "cases/causes.yaml")}
    assert [death.name for death in DEATHS if death.name not in shown] == []
