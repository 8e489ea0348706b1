"""Every setting of a role and every key of a profile is read by somebody, and told in specs and README as it is."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.twinspark.evaluation import bench
from ansible.module_utils.twinspark.inventory import fabric, preflight, rules
from ansible.module_utils.twinspark.inventory.ranges import Range
from ansible.module_utils.twinspark.inventory.rules import STAGES, profile_keys
from ansible.module_utils.twinspark.rdma import plan
from ansible.module_utils.twinspark.serving import argv, door
from ansible.module_utils.twinspark_host.content import profile_paths

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.parent.name for path in (ROOT / "roles").glob("*/meta"))
PROFILES = sorted([*(ROOT / "profiles").glob("*.yml"), *(ROOT / "lab/profiles").glob("*.yml")])
CODE = ("tasks", "vars", "templates", "handlers")
JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
# What Ansible evaluates without braces around it.
BARE = ("when", "that", "until", "changed_when", "failed_when", "var")
# common itself reads them, for all roles.
FOR_ALL = {"twinspark_stage", "twinspark_profile"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def specs_of(role: str) -> dict[str, Any]:
    return load(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]


def settings_of(role: str) -> dict[str, Any]:
    return specs_of(role)["settings" if role == "common" else "main"]["options"]


def evaluated(value: Any, *, bare: bool = False) -> list[str]:
    """The expressions in a value of a YAML file; `bare`: under a key that takes one without braces."""
    if isinstance(value, dict):
        return [found for key, inner in value.items() for found in evaluated(inner, bare=key in BARE)]
    if isinstance(value, list):
        return [found for inner in value for found in evaluated(inner, bare=bare)]
    return [str(value)] if bare else JINJA.findall(str(value))


def text_of(role: str, *folders: str) -> str:
    """What Ansible evaluates there: a setting that only a comment, a message or a task's name mentions is not read."""
    files = [file for folder in folders for file in (ROOT / "roles" / role).glob(f"{folder}/**/*") if file.is_file()]
    found = [evaluated(load(file)) if file.suffix == ".yml" else JINJA.findall(file.read_text()) for file in files]
    return "\n".join(expression for expressions in found for expression in expressions)


def reads(text: str, name: str) -> bool:
    return re.search(rf"\b{name}\b", text) is not None


def options_in(options: dict[str, Any], above: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every option and every part of one, with its dotted name."""
    found = []
    for name, spec in options.items():
        found += [(above + name, spec), *options_in(spec.get("options", {}), f"{above}{name}.")]
    return found


@pytest.mark.parametrize("role", [role for role in ROLES if role != "common"])
def test_every_setting_of_a_role_is_read_in_it(role):
    text = text_of(role, *CODE)
    if role == "vllm_serve":  # it collects its settings by their prefix; what becomes of them is in Engine and Door
        collected = [f"vllm_serve_{name}" for name in argv.Engine.__dataclass_fields__]
        collected += [f"vllm_serve_expose_{name}" for name in door.Door.__dataclass_fields__]
        flags = [name for name in settings_of(role) if name.startswith("vllm_serve_flag_")]
        text = " ".join([text, *collected, *flags])
    assert [name for name in settings_of(role) if not reads(text, name)] == []


def readers() -> dict[str, set[str]]:
    """For each setting of common the roles that read it, themselves or through what common derives from it."""
    derived = {name: str(value) for name, value in load(ROOT / "roles/common/vars/main.yml").items()}
    derived["twinspark_fabric"] += " twinspark_rails twinspark_rails_first_host twinspark_user"  # by twinspark_here
    found: dict[str, set[str]] = {name: set() for name in settings_of("common")}
    for role in ROLES:
        text = text_of(role, "defaults", *CODE) if role != "common" else text_of(role, "tasks")
        for _ in derived:  # as often as a chain of derived names can be long
            text = "\n".join(
                [text, *(value for name, value in derived.items() if reads(text, name) and value not in text)]
            )
        for name, roles in found.items():
            if reads(text, name):
                roles.add(role)
    return found


def test_what_common_declares_is_read_by_two_roles_or_for_all_of_them():
    """A setting that one role reads belongs to that role."""
    lonely = {name: roles for name, roles in readers().items() if len(roles) < 2 and name not in FOR_ALL}
    assert lonely == {}


def test_the_exceptions_are_settings_that_common_reads_for_all():
    assert {name for name, roles in readers().items() if roles == {"common"}} == FOR_ALL


@pytest.mark.parametrize("role", ROLES)
def test_every_option_has_a_type_and_says_what_it_is(role):
    for entry in specs_of(role).values():
        for name, spec in options_in(entry.get("options", {})):
            assert spec.get("type"), name
            assert spec.get("description"), name
            if spec["type"] == "list":
                assert spec.get("elements"), name


@pytest.mark.parametrize("role", ROLES)
def test_every_number_has_a_range(role):
    """Without one a value that can't be is refused late, by the program that meets it."""
    numbers = ("int", "float")
    without = [
        name
        for entry in specs_of(role).values()
        for name, spec in options_in(entry.get("options", {}))
        if {spec["type"], spec.get("elements")} & set(numbers) and not spec.get("choices") and Range.of(spec) is None
    ]
    assert without == []


def test_the_rules_of_their_own_know_the_same_range():
    """These two are judged by rules, which see them in a play's `vars:`, too."""
    for name, field, probes in (
        ("twinspark_rail_mtu", "mtu", (1279, 1280, 9978, 9979)),
        ("twinspark_rails_first_host", "first_host", (0, 1, 200)),
    ):
        told = Range.of(settings_of("common")[name])
        given = [rules.Inventory(addresses={"a": "192.0.2.1"}, **{field: value}) for value in probes]
        assert [not rules.bad_numbers(one) for one in given] == [told.holds(value) for value in probes]


@pytest.mark.parametrize("role", ROLES)
def test_a_literal_default_is_in_the_specs(role):
    """One that is computed has no literal, and a long list is in the defaults alone."""
    defaults = load(ROOT / "roles" / role / "defaults/main.yml") or {}
    literal = {name: value for name, value in defaults.items() if "{{" not in str(value) and len(str(value)) < 200}
    assert literal == {name: settings_of(role)[name].get("default", "none told") for name in literal}


def test_every_entry_point_that_is_called_has_a_spec():
    called: set[tuple[str, str]] = set()
    for path in [*(ROOT / "playbooks").glob("*.yml"), ROOT / "site.yml", *(ROOT / "roles").glob("*/tasks/*.yml")]:
        for role, tasks in re.findall(r"name: (\w+)\n\s+tasks_from: (\w+)", path.read_text()):
            called.add((role, tasks))
    assert len(called) > 10
    assert [(role, tasks) for role, tasks in sorted(called) if tasks not in specs_of(role)] == []


@pytest.mark.parametrize(
    ("role", "setting", "choices"),
    [
        ("preflight", "preflight_differences", preflight.PARITY),
        ("preflight", "preflight_known_bad.what", preflight.PARITY),
        ("rdma_verify", "rdma_verify_tests", plan.TESTS),
        ("vllm_bench", "vllm_bench_diversity", bench.DIVERSITIES),
        ("common", "twinspark_override", STAGES),
        ("inspect_eval", "inspect_eval_packages", [f.name for f in (ROOT / "roles/inspect_eval/files").glob("*.txt")]),
    ],
)
def test_choices_are_those_of_the_code(role, setting, choices):
    assert set(dict(options_in(settings_of(role)))[setting]["choices"]) == set(choices)


def test_a_rail_has_the_parts_that_the_code_knows():
    parts = settings_of("common")["twinspark_rails"]["options"]
    assert set(parts) == {*fabric.RAIL_KEYS, *fabric.RAIL_OPTIONAL_KEYS}
    assert {name for name, spec in parts.items() if spec.get("required")} == set(fabric.RAIL_KEYS)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_every_key_of_a_profile_is_read_by_a_role(profile):
    known = profile_paths(ROOT)
    assert profile_keys(load(profile), known) == []


def role_docs(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, root / "scripts/role-docs", *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for part in ("roles", "scripts"):
        shutil.copytree(ROOT / part, tmp_path / part)
    return tmp_path


def test_the_readmes_are_what_the_specs_say():
    done = role_docs(ROOT, "--check")
    assert (done.returncode, done.stderr) == (0, "")


PATH = "peer_ssh_config_path: /etc/ssh/ssh_config.d/40-twinspark.conf\n"


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (
            "meta/argument_specs.yml",
            "and rail addresses.",
            "and rails.",
            "write it anew with: .venv/bin/python",
        ),
        ("README.md", "40-twinspark.conf", "41-twinspark.conf", "roles/peer_ssh/README.md is not what the specs say"),
        (
            "defaults/main.yml",
            "40-twin",
            "41-twin",
            "the default of peer_ssh_config_path is '/etc/ssh/ssh_config.d/41-",
        ),
        ("defaults/main.yml", PATH, "", "defaults/main.yml lacks peer_ssh_config_path"),
        ("defaults/main.yml", PATH, f"{PATH}peer_ssh_new: 1\n", "lacks peer_ssh_new"),
    ],
)
def test_the_check_tells_what_disagrees(copy, file, old, new, told):
    path = copy / "roles/peer_ssh" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    done = role_docs(copy, "--check")
    assert done.returncode == 1
    assert told in done.stderr


def test_ansible_reads_every_spec():
    done = subprocess.run(
        ["ansible-doc", "--type", "role", "--json", *ROLES],
        capture_output=True, text=True, check=False, env={**os.environ, "ANSIBLE_ROLES_PATH": str(ROOT / "roles")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)) == set(ROLES)
