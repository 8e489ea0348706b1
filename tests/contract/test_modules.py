"""Promises that every module in `library/` keeps."""

import ast
import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.stem for path in (ROOT / "library").glob("*.py"))


@pytest.fixture(scope="module")
def documented() -> dict:
    """Ansible's own reading of the modules' documentation."""
    argv = ["ansible-doc", "--module-path", "library", "--type", "module", "--json", *MODULES]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", MODULES)
def test_documentation_names_exactly_the_arguments(name, documented, load_module):
    module = load_module(name)
    assert set(documented[name]["doc"].get("options", {})) == set(module.ARGUMENTS)


@pytest.mark.parametrize("name", MODULES)
def test_documentation_tells_what_comes_back(name, documented):
    assert documented[name]["return"]
    assert documented[name]["examples"].strip()


@pytest.mark.parametrize("name", MODULES)
def test_supports_check_mode(name):
    assert "supports_check_mode=True" in (ROOT / "library" / f"{name}.py").read_text()


@pytest.mark.parametrize("name", [name for name in MODULES if name.endswith("_info")])
def test_an_info_module_never_says_changed(name):
    text = (ROOT / "library" / f"{name}.py").read_text()
    assert "changed=True" not in text
    assert '"changed": True' not in text


@pytest.mark.parametrize("path", sorted((ROOT / "library").glob("*.py")), ids=lambda path: path.stem)
def test_needs_nothing_but_the_standard_library_on_the_host(path):
    """A Spark has no Python packages of ours: ansible.module_utils and the standard library are all there is."""
    allowed = {"ansible"} | set(__import__("sys").stdlib_module_names)
    # The inventory is judged on the controller, where Ansible itself brings PyYAML.
    if path.stem == "twinspark_inventory":
        allowed.add("yaml")
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= allowed
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert (node.module or "").split(".")[0] in allowed


@pytest.mark.parametrize("path", sorted((ROOT / "module_utils").rglob("*.py")), ids=lambda path: path.stem)
def test_shared_code_imports_relatively(path):
    """Job programs carry it under a name of their own."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert not (node.module or "").startswith(("twinspark", "ansible"))
