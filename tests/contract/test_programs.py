"""A program that a role lays down brings every file that it imports, and no other."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support import ROOT

OWN = ROOT / "roles/vllm_serve/files/twinspark_supervisor"


def imports(path: Path, inside: Path, name: str) -> Iterator[Path]:
    """Files of the project that a file imports: by `core.` and by dots. inside: what `core` stands for."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
        elif (node.module or "").startswith(f"{name}."):
            base = inside.joinpath(*(node.module or "").split(".")[1:])
        else:
            continue
        yield from (
            found
            for found in (base.with_suffix(".py"), *(base / f"{a.name}.py" for a in node.names))
            if found.is_file()
        )


def closure(files: list[Path], inside: Path, name: str) -> set[Path]:
    """Every file that these need, with the packages that they lie in."""
    found: set[Path] = set()
    left = [needed for file in files for needed in imports(file, inside, name)]
    while left:
        path = left.pop()
        if path in found:
            continue
        found.add(path)
        left += imports(path, inside, name)
    return found | {path.with_name("__init__.py") for path in found}


@pytest.fixture(scope="module")
def variables():
    return yaml.safe_load((ROOT / "roles/vllm_serve/vars/main.yml").read_text())


def test_the_supervisor_s_own_files_are_laid_down(variables):
    assert variables["__vllm_serve_program_own"] == sorted(path.stem for path in OWN.glob("*.py"))


def test_the_supervisor_has_what_it_imports_and_no_more(variables):
    inside = ROOT / "module_utils"
    needed = closure(sorted(OWN.glob("*.py")), inside, "core")
    listed = variables["__vllm_serve_program_core"]
    assert listed == sorted(str(path.relative_to(inside).with_suffix("")) for path in needed)
