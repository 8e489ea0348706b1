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
# What a path or a built-in does to files, the terminal or other code; a path itself is a value.
TOUCHES = {
    "open", "exists", "is_file", "is_dir", "is_symlink", "stat", "lstat", "iterdir", "glob", "rglob", "read_text",
    "read_bytes", "write_text", "write_bytes", "mkdir", "rmdir", "unlink", "rename", "touch", "chmod", "resolve",
    "readlink", "symlink_to", "expanduser", "cwd", "home", "print", "input", "exec", "eval", "__import__",
    "import_module",
}  # fmt: skip
# What a date does to read the clock.
CLOCK = {"now", "utcnow", "today"}
# All that the shared code needs of the standard library: values and arithmetic. .importlinter names the worst of the
# rest, and who comes by it through another file.
VALUES = {
    "__future__", "collections", "dataclasses", "datetime", "difflib", "enum", "fnmatch", "hashlib",
    "ipaddress", "itertools", "json", "math", "pathlib", "re", "shlex", "signal", "stat", "statistics", "types",
    "typing",
}  # fmt: skip
# Where there is none on the host, the one function that reads YAML is not called.
YAML = {ROOT / "module_utils/twinspark/proof/foreign.py": {"yaml"}}
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
    methods = {call.attr for call in calls if isinstance(call, ast.Attribute)}
    assert (names | methods) & TOUCHES | methods & CLOCK == set()


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(ROOT / "module_utils")))
def test_the_shared_code_stands_on_values_and_itself(path):
    names = {name.split(".")[0] for name in imported(path)}
    assert names - VALUES - YAML.get(path, set()) == set()
    # import-linter does not see what climbs out of the package: it is on the path by itself there.
    deepest = len(path.relative_to(ROOT / "module_utils/twinspark").parts)
    climbs = [node.level for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    assert max(climbs, default=0) <= deepest


@pytest.mark.parametrize(("config", "path"), [(".importlinter", "module_utils"), (".importlinter-wrapper", "src")])
def test_the_packages_keep_their_order(config, path):
    argv = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", config]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / path)}
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
