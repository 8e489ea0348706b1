"""A setting of the engine is added in two files: the defaults and the specs of vllm_serve."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

PLAY = """
- hosts: localhost
  gather_facts: false
  vars:
    profile: "{{ lookup('ansible.builtin.file', profile_file) | from_yaml }}"
    twinspark_state_dir: /var/lib/twinspark
    ansible_user: spark
    rail: {name: rail1, interface: e, hca: h, subnet: 10.0.0.0/24, address: 10.0.0.11, prefix: 24, cidr: 10.0.0.11/24}
    twinspark_me: {host: localhost, rank: 0, management: 10.1.1.1, user: spark, rails: ["{{ rail }}"]}
    twinspark_fabric: ["{{ twinspark_me }}", "{{ twinspark_me | combine({'host': 'other', 'rank': 1}) }}"]
    twinspark_peers: []
    twinspark_image: engine:0123456789ab
    __vllm_serve_image_found: {proved: {id: "", previous: ""}, id: "sha256:0123456789ab"}
  tasks:
    - ansible.builtin.include_role: {name: vllm_serve, tasks_from: show}
"""
# What every entry point of the role does first, and the role's own plan.
SHOW = """
- ansible.builtin.validate_argument_spec:
    argument_spec: "{{ (lookup('ansible.builtin.file', role_path ~ '/meta/argument_specs.yml') | from_yaml)
                       .argument_specs.main.options }}"
- ansible.builtin.include_tasks: plan.yml
- ansible.builtin.copy: {content: "{{ __vllm_serve_plan.argv | to_yaml }}", dest: "{{ argv_file }}", mode: "0600"}
"""


# Where a setting of the engine is spelt; the README is written from the specs.
PLACES = ["README.md", "defaults/main.yml", "meta/argument_specs.yml"]
CONTENT = ("roles", "library", "module_utils", "filter_plugins", "callback_plugins", "playbooks", "src")


def add(file: Path, text: str) -> None:
    file.write_text(
        file.read_text().replace("vllm_serve_flag_max_num_seqs:", f"{text}vllm_serve_flag_max_num_seqs:", 1)
    )


def argv_with(root: Path, folder: Path, spec: str, value: str) -> subprocess.CompletedProcess[str]:
    role = folder / "roles/vllm_serve"
    shutil.copytree(root / "roles/vllm_serve", role)
    # The settings of the role common, without its tasks and derived facts: the play gives these.
    shutil.copytree(root / "roles/common/defaults", folder / "roles/common/defaults")
    (role / "tasks/show.yml").write_text(SHOW)
    (folder / "play.yml").write_text(PLAY)
    add(role / "defaults/main.yml", f"vllm_serve_flag_swap_space: {value}\n")
    add(role / "meta/argument_specs.yml", f"vllm_serve_flag_swap_space: {spec}\n      ")
    (folder / "ansible.cfg").write_text(f"[defaults]\nfilter_plugins = {root}/filter_plugins\nroles_path = roles\n")
    told = {
        "ansible_python_interpreter": sys.executable,
        "profile_file": root / "lab/profiles/lab-smollm2.yml",
        "argv_file": folder / "argv.yml",
    }
    argv = [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", "-c", "local", "play.yml"]
    for name, given in told.items():
        argv += ["-e", f"{name}={given}"]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("value", "flag"), [("4", ["--swap-space", "4"]), ("null", [])])
def test_a_setting_in_defaults_and_specs_is_a_flag_of_the_engine(root: Path, tmp_path: Path, value: str, flag: Any):
    done = argv_with(root, tmp_path, '{type: int, description: "GiB of swap space."}', value)
    assert done.returncode == 0, done.stdout + done.stderr
    argv = yaml.safe_load((tmp_path / "argv.yml").read_text())
    at = argv.index("--swap-space") if flag else 0
    assert argv[at : at + len(flag)] == flag
    assert argv[argv.index("--max-num-seqs") + 1] == "4"
    assert ("--swap-space" in argv) is bool(flag)


def test_its_spec_is_what_refuses_a_wrong_value(root: Path, tmp_path: Path):
    done = argv_with(root, tmp_path, '{type: int, description: "GiB of swap space."}', "much")
    assert done.returncode != 0
    assert "vllm_serve_flag_swap_space" in done.stdout + done.stderr


def test_no_flag_is_spelt_in_a_third_file(root: Path):
    """What knows one by its name has to be changed with it."""
    role = root / "roles/vllm_serve"
    flags = [name for name in yaml.safe_load((role / PLACES[1]).read_text()) if name.startswith("vllm_serve_flag_")]
    assert flags
    texts = {
        file.relative_to(role, walk_up=True): file.read_text()
        for folder in CONTENT
        for file in (root / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    for flag in flags:
        assert sorted(str(file) for file, text in texts.items() if flag in text) == PLACES, flag
