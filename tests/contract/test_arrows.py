"""The arrows between the packages: what import-linter can't see. Its own contracts are in .importlinter*."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("module_utils", "library", "filter_plugins", "callback_plugins", "roles", "lab")
OTHERS = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
PURE = sorted((ROOT / "module_utils/twinspark").rglob("*.py"))
# What a path or a built-in does to files; a path itself is a value.
TOUCHES = {
    "open", "exists", "is_file", "is_dir", "is_symlink", "stat", "lstat", "iterdir", "glob", "rglob", "read_text",
    "read_bytes", "write_text", "write_bytes", "mkdir", "rmdir", "unlink", "rename", "touch", "chmod", "resolve",
    "readlink", "symlink_to", "expanduser",
}  # fmt: skip
# The lab builds hosts with the wrapper's own means, and lives beside it in a checkout only.
LAB = ROOT / "lab"


def imported(path: Path) -> set[str]:
    """The absolute names that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_imports_the_wrapper(path):
    if LAB in path.parents:
        pytest.skip("the lab stands on the wrapper")
    assert not {name for name in imported(path) if name.split(".")[0] == "twinspark"}


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(ROOT / "module_utils")))
def test_the_shared_code_touches_no_file(path):
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    names = {call.id for call in calls if isinstance(call, ast.Name)}
    names |= {call.attr for call in calls if isinstance(call, ast.Attribute)}
    assert not names & TOUCHES


@pytest.mark.parametrize(("config", "path"), [(".importlinter", "module_utils"), (".importlinter-wrapper", "src")])
def test_the_packages_keep_their_order(config, path):
    argv = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", config]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / path)}
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
