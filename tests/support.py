"""What the tests share."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


def load_file(path: str) -> ModuleType:
    """A program of a role, imported from its place in the checkout. What roles lay beside it is importable, too."""
    file = ROOT / path
    beside = str(ROOT / "module_utils/twinspark_host")
    if beside not in sys.path:
        sys.path.append(beside)
    spec = importlib.util.spec_from_file_location(f"loaded.{file.stem}", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def cases(path: Path) -> list[Any]:
    """The cases of a YAML file as pytest parameters, each named after what it shows."""
    return [pytest.param(case, id=case["name"]) for case in yaml.safe_load(path.read_text())]
