"""Caches of older images, removed by vllm_serve's own tasks: root's own folders only, and never on a guess."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CURRENT, BEFORE, OLD = "a" * 12, "b" * 12, "c" * 12
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: vllm_serve, tasks_from: caches}
"""


@pytest.fixture
def prune(root: Path, tmp_path: Path):
    """prune(previous, arguments): what is in the folder of the caches once the tasks have run."""
    shutil.copytree(root / "roles/vllm_serve", tmp_path / "roles/vllm_serve")
    # The settings of the role common, without its tasks and derived facts.
    shutil.copytree(root / "roles/common/defaults", tmp_path / "roles/common/defaults")
    (tmp_path / "play.yml").write_text(PLAY)
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\nfilter_plugins = {root}/filter_plugins\nroles_path = roles\n")
    caches = tmp_path / "cache"

    def pruned(previous: str, *arguments: str) -> set[str]:
        found = {"id": f"sha256:{CURRENT}{'0' * 52}", "previous": previous}
        given = {
            "ansible_python_interpreter": sys.executable,
            "vllm_serve_cache_dir": str(caches),
            "__vllm_serve_image_found": {"proved": found, "id": ""},
        }
        (tmp_path / "given.yml").write_text(yaml.safe_dump(given))
        argv = [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", "-c", "local", "play.yml"]
        argv += ["-e", "@given.yml", *arguments]
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return set(os.listdir(caches)) if caches.exists() else set()

    return pruned


def test_only_root_s_own_folders_of_older_images_go(prune, tmp_path):
    caches, elsewhere = tmp_path / "cache", tmp_path / "elsewhere"
    previous = f"sha256:{BEFORE}{'0' * 52}"
    assert prune(previous) == set()  # there is no folder yet
    kept = {CURRENT, BEFORE, "root", "d" * 12, "e" * 12}  # the last two: a link and, for root, another user's
    for name in {*kept, OLD} - {"d" * 12}:
        (caches / name / "root/.triton").mkdir(parents=True)
    elsewhere.mkdir()
    (caches / ("d" * 12)).symlink_to(elsewhere)
    as_root = os.geteuid() == 0
    if as_root:
        os.chown(caches / ("e" * 12), 1000, 1000)
    assert prune("") == {*kept, OLD}  # which image was before is not known
    assert prune(previous, "--check") == {*kept, OLD}
    caches.chmod(0o777)
    assert prune(previous) == {*kept, OLD}  # anybody could have put them there
    caches.chmod(0o755)
    assert prune(previous) == (kept if as_root else {*kept, OLD})
    assert elsewhere.exists()
