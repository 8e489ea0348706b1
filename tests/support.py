"""What the tests share."""

from pathlib import Path
from typing import Any

import pytest
import yaml


def cases(path: Path) -> list[Any]:
    """The cases of a YAML file as pytest parameters, each named after what it shows."""
    return [pytest.param(case, id=case["name"]) for case in yaml.safe_load(path.read_text())]
