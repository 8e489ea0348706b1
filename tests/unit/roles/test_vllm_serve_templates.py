"""The files of vllm_serve: its templates, rendered by Ansible itself with the role's own defaults, vars and plan."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

FILES = ("twinspark-vllm.service", "twinspark-vllm.nft", "vllm.env", "twinspark-serve.service")
IMAGE = "sha256:0123456789ab" + "c" * 52
NONE = {"proved": {"id": "", "previous": ""}, "id": ""}
PROVED = {"proved": {"id": IMAGE, "previous": ""}, "id": "sha256:" + "e" * 64}
PROFILE = {
    "name": "tiny 100%",
    "serve": {"command": ["vllm", "serve"], "tensor_parallel": 2, "args": [], "env": {"B": "2", "A": "x y"}},
}
RAIL = {"name": "rail1", "interface": "e", "hca": "h", "subnet": "10.0.0.0/24", "address": "10.0.0.11", "prefix": 24}
PLAY = """
- hosts: localhost
  gather_facts: false
  vars:
    rank: 0
    rails: ["{{ rail }}", "{{ rail | combine({'name': 'rail2', 'interface': 'f'}) }}"]
    twinspark_state_dir: /var/lib/twinspark
    twinspark_proofs_dir: /var/lib/twinspark/proofs
    twinspark_me: {host: localhost, rank: "{{ rank | int }}", management: 10.1.1.1, user: spark, rails: "{{ rails }}"}
    twinspark_fabric: ["{{ twinspark_me }}", "{{ twinspark_me | combine({'host': 'other', 'rank': 1 - rank | int}) }}"]
  tasks:
    - ansible.builtin.include_role: {name: vllm_serve, tasks_from: show}
"""
SHOW = """
- ansible.builtin.include_tasks: plan.yml
- ansible.builtin.template: {src: "{{ item }}.j2", dest: "{{ out }}/{{ item }}", mode: "0600"}
  loop: "{{ files }}"
  check_mode: false
- ansible.builtin.copy: {content: "{{ __vllm_serve_plan | to_json }}", dest: "{{ out }}/plan", mode: "0600"}
  check_mode: false
"""


@pytest.fixture(scope="module")
def render(root: Path, tmp_path_factory: pytest.TempPathFactory):
    """render(rank, check, settings): the files' texts by name, and the plan."""
    folder = tmp_path_factory.mktemp("role")
    shutil.copytree(root / "roles/vllm_serve", folder / "roles/vllm_serve")
    # The settings of the role common, without its tasks and derived facts: the play gives these.
    shutil.copytree(root / "roles/common/defaults", folder / "roles/common/defaults")
    (folder / "roles/vllm_serve/tasks/show.yml").write_text(SHOW)
    (folder / "play.yml").write_text(PLAY)
    (folder / "ansible.cfg").write_text(f"[defaults]\nfilter_plugins = {root}/filter_plugins\nroles_path = roles\n")

    def rendered(rank: int, check: bool = False, **settings: Any) -> dict[str, Any]:
        given = {
            "ansible_python_interpreter": sys.executable,
            "profile": PROFILE,
            "rail": {**RAIL, "cidr": "10.0.0.11/24"},
            "twinspark_image": "engine:0123456789ab",
            "__vllm_serve_image_found": PROVED,
            "twinspark_hub_home": "/home/spark/.cache/huggingface",
            "twinspark_weights_repo": "owner/model",
            "twinspark_weights_revision": "0" * 40,
            "twinspark_served_name": "tiny",
            "twinspark_gpu_memory_utilization": 0.8,
            "rank": rank,
            "files": list(FILES),
            "out": str(folder),
            **settings,
        }
        (folder / "given.yml").write_text(yaml.safe_dump(given))
        argv = [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", "-c", "local", "play.yml"]
        argv += ["--check"] if check else []
        done = subprocess.run([*argv, "-e", "@given.yml"], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return {name: (folder / name).read_text() for name in FILES} | {
            "plan": yaml.safe_load((folder / "plan").read_text())
        }

    return rendered


def test_the_files_of_the_head(render):
    args = ['--config={"a":"$HOME"}', "100%", "two words"]
    made = render(0, vllm_serve_args=args)
    unit, rules = made["twinspark-vllm.service"], made["twinspark-vllm.nft"]
    assert "Description=twinspark vLLM (tiny 100%%), rank 0 of 2\n" in unit
    assert f"    io.twinspark.engine={made['plan']['digest']} \\\n" in unit
    # Nothing but the supervisor starts it.
    assert "Restart=no\n" in unit
    assert "[Install]" not in unit
    assert '    --entrypoint \\\n    "" \\\n    ' + IMAGE + " \\\n" in unit
    assert '    "--config={\\"a\\":\\"$$HOME\\"}" \\\n    100%% \\\n    "two words" \\\n' in unit
    assert "    --port \\\n    8000\nExecStop=" in unit
    assert "\nExecStartPre=/usr/sbin/nft --file /etc/twinspark/vllm.nft\n" in unit
    assert "ExecStartPre=-/usr/sbin/sysctl --quiet --write vm.drop_caches=3\nExecStart=/usr/bin/docker" in unit
    assert '    iifname != { "lo", "e", "f" } tcp dport 29501 reject with tcp reset\n' in rules
    assert "table inet twinspark_vllm\ndelete table inet twinspark_vllm\ntable inet twinspark_vllm {\n" in rules


def test_the_files_of_a_worker(render):
    made = render(1, vllm_serve_drop_page_cache=False)
    assert "rank 1 of 2\n" in made["twinspark-vllm.service"]
    assert "nft" not in made["twinspark-vllm.service"]
    assert "drop_caches" not in made["twinspark-vllm.service"]
    assert "--headless" in made["twinspark-vllm.service"]


@pytest.mark.parametrize(
    ("found", "check", "image", "key"),
    [
        (PROVED, False, IMAGE, "0123456789ab"),  # whatever the name has come to mean
        ({**NONE, "id": "sha256:" + "e" * 64}, False, "sha256:" + "e" * 64, "e" * 12),
        (NONE, True, "engine:0123456789ab", "image-not-built-yet"),
        (NONE, False, None, "image-not-built-yet"),
    ],
)
def test_the_image_is_run_by_its_id_and_has_caches_of_its_own(render, found, check, image, key):
    made = render(0, check=check, vllm_serve_caches=["/root/.triton"], __vllm_serve_image_found=found)
    run, told = made["plan"]["run"], made["plan"]["problems"]
    assert f"/var/lib/twinspark/cache/tiny 100%/{key}/root/.triton:/root/.triton" in run
    assert run[run.index("--entrypoint") + 2] == (image or "")
    assert told == ([] if image else ["the head does not have the image: run `twinspark apply --stage image`"])


def test_nft_takes_the_rules(render, tmp_path):
    if not shutil.which("nft"):
        pytest.skip("no nft here")
    (tmp_path / "rules.nft").write_text(render(0)["twinspark-vllm.nft"])
    argv = ["nft", "--check", "--file", str(tmp_path / "rules.nft")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if "Operation not permitted" in done.stderr:
        pytest.skip("nft is not for this user")
    assert done.returncode == 0, done.stderr


def test_the_environment_file_is_unquoted_lines_in_order(render):
    lines = render(0)["vllm.env"].splitlines()
    assert lines[0].startswith("# Managed by twinspark")
    assert lines[1:3] == ["A=x y", "B=2"]
    assert all("=" in line for line in lines[1:])


def test_what_needs_no_restart_is_not_in_the_digest(render):
    plain, other = render(0), render(0, vllm_serve_close_rendezvous=False)
    assert plain["twinspark-vllm.service"] != other["twinspark-vllm.service"]
    assert plain["plan"]["digest"] == other["plan"]["digest"]


def test_opening_a_door_restarts_no_engine(render):
    door = {"vllm_serve_expose": True, "vllm_serve_expose_addresses": ["10.1.1.1"], "vllm_serve_expose_port": 1}
    plain, exposed = render(0), render(0, **door, vllm_serve_expose_keys={"alice": "/nowhere"})
    assert plain == exposed


def test_the_supervisor_s_unit_is_one_and_stops_no_rank(render, tmp_path):
    unit = tmp_path / "twinspark-serve.service"
    unit.write_text(render(0)["twinspark-serve.service"])
    assert "supervisor of tiny 100%% on 2 host(s)\n" in unit.read_text()
    assert not re.search(r"^(Requires|BindsTo|PartOf|Conflicts)=", unit.read_text(), re.MULTILINE)
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd here")
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    # What it says of other units of the machine, and of programs that are not on it, is no fault of this one.
    assert not [line for line in done.stderr.splitlines() if unit.name in line and "not executable" not in line]
