"""The program of the weights jobs, as the role lays it down on a host."""

import importlib
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A function that imports a module of the program by its name."""
    folder = tmp_path_factory.mktemp("program")
    shutil.copytree(ROOT / "roles/hf_weights/files/twinspark_weights", folder, dirs_exist_ok=True)
    shutil.copytree(ROOT / "module_utils/twinspark", folder / "core", dirs_exist_ok=True)
    before, known = list(sys.path), set(sys.modules)
    sys.path.insert(0, str(folder))
    yield importlib.import_module
    sys.path[:] = before
    for name in set(sys.modules) - known:
        if getattr(sys.modules[name], "__file__", None) and str(folder) in str(sys.modules[name].__file__):
            del sys.modules[name]
