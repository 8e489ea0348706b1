"""Promises about the tests themselves: each file under the name of what it tests, a table for what drives programs."""

import ast
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "tests/unit/library"
MODULE_UTILS = ROOT / "tests/unit/module_utils"
MODULES = sorted(path.stem for path in (ROOT / "library").glob("*.py"))
SHARED = sorted(path for path in (ROOT / "module_utils").rglob("*.py") if path.stem != "__init__")
# Its programs are the real uv and pip, in test_twinspark_uv_env.py: what they install is what has to be known.
REAL_PROGRAMS = {"twinspark_uv_env"}


def drives_a_program(name: str) -> bool:
    """Whether the module runs one, by either of the two ways."""
    tree = ast.parse((ROOT / "library" / f"{name}.py").read_text())
    called = {node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and hasattr(node.func, "attr")}
    return bool(called & {"run_command", "Popen", "check_output", "check_call"}) or "subprocess.run" in ast.unparse(
        tree
    )


DRIVING = [name for name in MODULES if drives_a_program(name) and name not in REAL_PROGRAMS]


def has_a_test(path: Path) -> bool:
    """Whether the file is there and tests anything."""
    if not path.is_file():
        return False
    names = {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}
    return any(name.startswith("test_") for name in names)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_has_tests_under_its_name(name):
    assert has_a_test(LIBRARY / f"test_{name}.py"), f"tests/unit/library/test_{name}.py"


@pytest.mark.parametrize("path", SHARED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_file_of_module_utils_has_tests_under_its_name(path):
    folder = "host" if path.parent.name == "twinspark_host" else path.parent.name
    assert has_a_test(MODULE_UTILS / folder / f"test_{path.name}"), f"{MODULE_UTILS / folder}/test_{path.name}"


@pytest.mark.parametrize(
    "path", [*LIBRARY.glob("test_*.py"), *MODULE_UTILS.rglob("test_*.py")], ids=lambda path: path.stem
)
def test_no_test_file_is_named_after_something_else(path):
    name = path.stem.removeprefix("test_")
    if path.parent == LIBRARY:
        assert name in MODULES
    else:
        folder = "twinspark_host" if path.parent.name == "host" else f"twinspark/{path.parent.name}"
        assert (ROOT / "module_utils" / folder / f"{name}.py").is_file()


@pytest.mark.parametrize("name", DRIVING)
def test_what_drives_a_program_has_a_table_that_its_tests_read(name):
    table = yaml.safe_load((LIBRARY / f"cases/{name}.yaml").read_text())
    assert f"cases/{name}.yaml" in (LIBRARY / f"test_{name}.py").read_text()
    assert any(case.get("commands") for case in table)
    assert any(case.get("check_mode") for case in table), "a case in check mode"
    # An _info module tells a failure as a fact, and so has no message of its own.
    failing = [case for case in table if any(command.get("rc") for command in case.get("commands", []))]
    assert failing, "a case of a program that fails"
    without = [case["name"] for case in table if case.get("commands") and len(case.get("origin", "")) < 8]
    assert not without, "cases that don't say where their output was recorded"


def test_tables_are_of_modules_that_drive_programs():
    assert sorted(path.stem for path in (LIBRARY / "cases").glob("*.yaml")) == DRIVING
