"""The names of tasks say in Ansible's own words what will be true."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    path.relative_to(ROOT)
    for path in (
        ROOT / "site.yml",
        *ROOT.glob("playbooks/*.yml"),
        *ROOT.glob("roles/*/tasks/*.yml"),
        *ROOT.glob("roles/*/handlers/*.yml"),
        *(path for path in ROOT.glob("molecule/*/*.yml") if path.name != "molecule.yml"),
        *ROOT.glob("molecule/*/tasks/*.yml"),
    )
)
# The first word of a name. Add one that everybody knows, rather than one that says it finer.
VERBS = set(re.findall(r"\w+", """
    Allow Apply Ask Benchmark Build Change Check Close Compare Compute Configure Confirm Converge Copy Create Discover
    Download Ensure Evaluate Exchange Fail Find Install Judge Kill List Load Log Measure Pin Ping Print Read
    Reboot Reconnect Record Reload Remove Restart Restore Run Serve Set Simulate Start Stop Undo Uninstall Unload
    Validate Verify Wait Write
"""))  # fmt: skip
# Words that made sense to their author only, whatever stands around them.
BANNED = re.compile(r"\b(await|hear|believe|leave|look|know|lend|tell|see that|take away|give back|have the)\b", re.I)


def names(node: Any) -> Iterator[str]:
    """The names of all plays, blocks and tasks of a file."""
    if isinstance(node, list):
        for item in node:
            yield from names(item)
    elif isinstance(node, dict):
        if isinstance(node.get("name"), str):
            yield node["name"]
        for part in ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"):
            yield from names(node.get(part))


def faults(name: str, prefix: str) -> list[str]:
    """What is wrong with a name. `prefix`: what it must begin with."""
    said = name.removeprefix(prefix)
    found = [] if name.startswith(prefix) else [f"does not begin with {prefix!r}"]
    if said.split()[0].strip(",") not in VERBS:
        found.append(f"{said.split()[0]} is not one of the verbs in {Path(__file__).name}")
    return found + [f"says {banned.group()!r}" for banned in BANNED.finditer(said)]


def prefix_of(path: Path) -> str:
    """Tasks of a file that another one includes begin with its name."""
    return f"{path.stem} | " if path.parent.name == "tasks" and path.stem != "main" else ""


@pytest.mark.parametrize("path", FILES, ids=str)
def test_names_begin_with_a_verb_and_the_file_s_prefix(path):
    found = list(names(yaml.safe_load((ROOT / path).read_text())))
    assert found
    assert {name: faults(name, prefix_of(path)) for name in found if faults(name, prefix_of(path))} == {}


@pytest.mark.parametrize("path", sorted((ROOT / "library").glob("*.py")), ids=lambda path: path.stem)
def test_examples_of_modules_are_named_so_too(path):
    found = re.findall(r"^- name: (.+)$", path.read_text(), re.MULTILINE)
    assert found
    assert {name: faults(name, "") for name in found if faults(name, "")} == {}


@pytest.mark.parametrize(
    ("name", "prefix", "fault"),
    [
        ("Have the tools", "", "Have is not one of the verbs in test_words.py"),
        ("state | Hear the canary", "state | ", "Hear is not one of the verbs in test_words.py"),
        ("Stop | Stop the head", "stop | ", "does not begin with 'stop | '"),
        ("Ensure that we know why", "", "says 'know'"),
    ],
)
def test_a_name_in_other_words_is_found(name, prefix, fault):
    assert fault in faults(name, prefix)
