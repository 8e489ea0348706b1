"""Where the controller keeps things, and that Ansible computes the same folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from twinspark import paths

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    "environment",
    [{"TWINSPARK_STATE_DIR": "/var/tmp/state"}, {"XDG_STATE_HOME": "/var/tmp/xdg"}, {"HOME": "/var/tmp/home"}],
    ids=lambda environment: next(iter(environment)),
)
def test_ansible_computes_the_same_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict) -> None:
    for name in ("TWINSPARK_STATE_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("sparks: {hosts: {spark1: {ansible_host: 192.0.2.1}}}\n")
    playbook = tmp_path / "play.yml"
    playbook.write_text(
        "- hosts: spark1\n  gather_facts: false\n  vars_files: [" + str(ROOT / "roles/common/vars/main.yml") + "]\n"
        "  tasks: [{ansible.builtin.debug: {msg: 'told={{ twinspark_controller_dir }}='}}]\n"
    )
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), str(playbook)],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp")},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    told = done.stdout.split("told=")[1].split("=")[0]
    assert told == str(paths.site_dir(inventory))


def test_a_folder_and_a_file_in_it_are_one_site(tmp_path: Path) -> None:
    assert paths.site_dir(tmp_path) == paths.site_dir(tmp_path / "hosts.yml")


def test_the_checkout_is_found_from_below_and_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWINSPARK_HOME", raising=False)
    (tmp_path / "roles/deep/tasks").mkdir(parents=True)
    (tmp_path / "site.yml").write_text("[]")
    monkeypatch.chdir(tmp_path / "roles/deep/tasks")
    assert paths.project_dir() == tmp_path
    monkeypatch.chdir("/")
    assert paths.project_dir() == ROOT
    monkeypatch.setenv("TWINSPARK_HOME", str(tmp_path / "roles"))
    with pytest.raises(paths.PathError, match="point it at the checkout"):
        paths.project_dir()


def test_the_inventory_is_the_one_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory/hosts.yml").write_text("")
    (tmp_path / "mine.yml").write_text("")
    monkeypatch.delenv("TWINSPARK_INVENTORY", raising=False)
    assert paths.inventory_path(None, tmp_path) == tmp_path / "inventory/hosts.yml"
    monkeypatch.setenv("TWINSPARK_INVENTORY", str(tmp_path / "mine.yml"))
    assert paths.inventory_path(None, tmp_path) == tmp_path / "mine.yml"
    with pytest.raises(paths.PathError, match="there is no inventory"):
        paths.inventory_path(tmp_path / "gone.yml", tmp_path)


def test_what_is_made_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINSPARK_STATE_DIR", str(tmp_path / "a/b"))
    site = paths.prepare_site(tmp_path / "hosts.yml")
    for folder in (site, *list(site.parents)[:3]):
        assert folder.stat().st_mode & 0o777 == 0o700
