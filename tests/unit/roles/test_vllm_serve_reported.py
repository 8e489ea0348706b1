"""What others are to see the pair by is looked at before anything is written; the role's own tasks, on this machine."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLAY = """
- hosts: localhost
  gather_facts: false
  vars: {twinspark_rank: 0}
  tasks:
    - ansible.builtin.include_tasks: TASKS
"""


@pytest.fixture
def verify(root, tmp_path):
    """What the tasks say to a folder and a program; empty where they go on."""

    def verify(folder="", program=()):
        (tmp_path / "play.yml").write_text(PLAY.replace("TASKS", str(root / "roles/vllm_serve/tasks/reported.yml")))
        given = {
            "vllm_serve_textfile": folder,
            "vllm_serve_given_up_hook": list(program),
            "ansible_python_interpreter": sys.executable,
        }
        argv = [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", "-c", "local", "play.yml"]
        done = subprocess.run(
            [*argv, "-e", json.dumps(given)], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.returncode == 0) is ("Nothing was changed" not in done.stdout), done.stdout + done.stderr
        return " ".join(done.stdout.split()) if done.returncode else ""

    return verify


def program(path, mode):
    shutil.copy("/bin/true", path)
    path.chmod(mode)
    return str(path)


def test_all_is_off_by_default_and_a_folder_that_is_there_is_taken(verify, tmp_path):
    assert verify() == ""
    assert verify(str(tmp_path)) == ""


def test_a_folder_that_is_not_there_is_told(verify, tmp_path):
    assert f"{tmp_path}/none is no folder on localhost" in verify(str(tmp_path / "none"))


@pytest.mark.skipif(os.geteuid() != 0, reason="a program of root's is needed")
def test_a_program_must_be_root_s_and_nobody_else_s_to_write(verify, tmp_path):
    assert verify(str(tmp_path), [program(tmp_path / "ok", 0o755), "--urgent"]) == ""
    assert "must be a program on localhost" in verify("", [program(tmp_path / "bad", 0o775)])
    assert "must be a program on localhost" in verify("", [str(tmp_path / "none")])
