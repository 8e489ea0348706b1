"""Promises between the files of a role, and between roles and playbooks."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.twinspark.proof import proofs

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if (path / "tasks/main.yml").exists())
STAGE_ROLES = {
    "preflight": "preflight",
    "network": "cx7_network",
    "rdma": "rdma_verify",
    "weights": "hf_weights",
    "image": "vllm_image",
    "serve": "vllm_serve",
    "evaluate": "inspect_eval",
    "benchmark": "vllm_bench",
}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def options(role: str) -> dict[str, Any]:
    specs = read(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]
    return specs["settings" if role == "common" else "main"].get("options", {})


@pytest.mark.parametrize("role", ROLES)
def test_defaults_and_argument_specs_name_the_same_variables(role):
    defaults = read(ROOT / "roles" / role / "defaults/main.yml") or {}
    specs = options(role)
    required = {name for name, spec in specs.items() if spec.get("required")}
    assert set(defaults) == set(specs) - required


@pytest.mark.parametrize("role", ROLES)
def test_a_default_told_in_the_specs_is_the_one_in_force(role):
    defaults = read(ROOT / "roles" / role / "defaults/main.yml") or {}
    told = {name: spec["default"] for name, spec in options(role).items() if "default" in spec}
    assert told == {name: defaults[name] for name in told}


@pytest.mark.parametrize("role", ROLES)
def test_public_variables_carry_the_role_s_name_and_a_description(role):
    for name, spec in options(role).items():
        assert name.startswith("twinspark_" if role == "common" else f"{role}_")
        assert spec.get("description")


@pytest.mark.parametrize("role", [role for role in ROLES if role != "common"])
def test_every_role_depends_on_common(role):
    assert read(ROOT / "roles" / role / "meta/main.yml")["dependencies"] == [{"role": "common"}]


@pytest.mark.parametrize("role", [role for role in ROLES if role != "common"])
def test_a_role_has_a_molecule_scenario_with_a_verification(role):
    scenario = ROOT / "molecule" / role
    assert (scenario / "converge.yml").exists()
    assert list((scenario / "tests").glob("test_*.py"))


def test_make_test_runs_the_roles_alone_once():
    assert re.findall(r"^\t@.*scripts/aside scripts/molecule (\w+)", (ROOT / "Makefile").read_text(), re.MULTILINE) == [
        "roles_alone"
    ]
    assert (ROOT / "tests/lab/test_roles_alone.py").exists()


# What shows in more than one role: two of them at work at once.
ACROSS = ["apply_beside_evaluation"]


def test_make_test_runs_every_role_s_scenario_once():
    found = re.findall(r"^(?:NETWORK|SERVICE)_ROLES := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert sorted(" ".join(found).split()) == sorted([role for role in ROLES if role != "common"] + ACROSS)


@pytest.mark.parametrize(("stage", "role"), STAGE_ROLES.items())
def test_a_stage_binds_its_proof_and_its_gate_to_the_same_inputs(stage, role):
    folder = ROOT / "roles" / role
    assert f"__{role}_inputs" in read(folder / "vars/main.yml")
    require = (folder / "tasks/require.yml").read_text()
    tasks = "".join(path.read_text() for path in folder.glob("tasks/**/*.yml"))
    for text in (require, tasks):
        assert f"__{role}_inputs" in text
        assert f"stage: {stage}" in text


@pytest.mark.parametrize(("stage", "role"), STAGE_ROLES.items())
def test_a_stage_s_playbook_requires_the_stage_before_and_runs_its_role(stage, role):
    text = (ROOT / "playbooks" / f"{stage}.yml").read_text()
    assert f"twinspark_stage: {stage}" in text
    assert f"name: {role}\n" in text
    before = proofs.previous_stage(stage)
    if before:
        assert f"name: {STAGE_ROLES[before]}\n        tasks_from: require" in text


def test_site_runs_the_stages_in_order():
    imported = [play.get("ansible.builtin.import_playbook") for play in read(ROOT / "site.yml")]
    wanted = [f"playbooks/{stage}.yml" for stage in proofs.STAGES if stage != "benchmark"]
    assert [path for path in imported if path] == wanted


def test_the_owner_s_settings_arrive_in_playbooks_of_another_folder():
    """`group_vars` beside site.yml is not read for imported playbooks: the link from inventory/ is what carries it."""
    done = subprocess.run(
        ["ansible-inventory", "-i", str(ROOT / "inventory/hosts.yml"), "--host", "spark1"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    seen = json.loads(done.stdout)
    assert set(read(ROOT / "group_vars/all/settings.yml")) <= set(seen)


@pytest.mark.parametrize("playbook", sorted(p.name for p in (ROOT / "playbooks").glob("*.yml")))
def test_syntax(playbook):
    done = subprocess.run(
        ["ansible-playbook", "--syntax-check", f"playbooks/{playbook}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_readme_of_rdma_verify_says_what_only_the_playbook_does():
    """The role alone would neither ask for the proofs before it nor stop what is served."""
    playbook = (ROOT / "playbooks/rdma.yml").read_text()
    assert "tasks_from: require" in playbook
    assert "tasks_from: stop" in playbook
    readme = " ".join((ROOT / "roles/rdma_verify/README.md").read_text().split())
    assert "Two things are the playbook's" in readme


def test_units_are_templates():
    """A unit stands in a file of its own, as systemd reads it."""
    texts = [
        path
        for folder in ("roles", "library", "module_utils", "src", "playbooks")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".yml", ".py", ".j2") and re.search(r"\[(Service|Unit|Timer|Socket)\]", path.read_text())
    ]
    # The network's dead-man's switch is laid down by a module in the midst of its change, with its scripts.
    own = ROOT / "module_utils/twinspark/network/deadman.py"
    assert [
        str(path.relative_to(ROOT)) for path in texts if path != own and not path.match("templates/*.service.j2")
    ] == []
    assert len(texts) > 1
