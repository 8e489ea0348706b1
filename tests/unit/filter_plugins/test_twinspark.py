"""The filters, as a plain ansible-playbook meets them: a real inventory, template and refusal."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = """
sparks:
  hosts:
    spark1: {{ansible_host: 10.0.0.1}}
    spark2: {{ansible_host: {second}}}
  vars:
    ansible_user: spark
    twinspark_rails_first_host: 11
    twinspark_rails: [{{name: rail1, interface: eth1, hca: mlx5_0, subnet: 192.168.177.0/24}}]
    twinspark_fabric: "{{{{ groups['sparks'] | twinspark_fabric(hostvars) }}}}"
"""
PLAY = """
- hosts: sparks
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: "{{ (twinspark_fabric | twinspark_paths(inventory_hostname))[0].source }}"}
"""


@pytest.fixture
def play(tmp_path):
    def run(second):
        (tmp_path / "hosts.yml").write_text(INVENTORY.format(second=second))
        (tmp_path / "play.yml").write_text(PLAY)
        files = ["-i", tmp_path / "hosts.yml", tmp_path / "play.yml"]
        command = [sys.executable, "-m", "ansible", "playbook", *files]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)

    return run


def test_every_host_reads_its_own_address(play):
    done = play("10.0.0.2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "192.168.177.11" in done.stdout
    assert "192.168.177.12" in done.stdout


def test_a_wrong_inventory_is_one_sentence(play):
    done = play("10.0.0.1")
    assert done.returncode != 0
    assert "spark1 and spark2 have the same management address 10.0.0.1" in done.stdout + done.stderr
