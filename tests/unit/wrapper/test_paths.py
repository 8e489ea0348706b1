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


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the environment says where things are."""
    for name in ("TWINSPARK_HOME", "TWINSPARK_INVENTORY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Another checkout than the one that these tests belong to."""
    folder = tmp_path / "checkout"
    (folder / "roles/deep/tasks").mkdir(parents=True)
    (folder / "inventory").mkdir()
    for name in ("site.yml", "inventory/hosts.yml"):
        (folder / name).write_text("")
    return folder


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An owner's folder, outside of any checkout."""
    folder = tmp_path / "site"
    (folder / "inventory").mkdir(parents=True)
    (folder / "inventory/hosts.yml").write_text("")
    return folder


@pytest.mark.usefixtures("no_settings")
def test_the_content_is_the_named_checkout_or_the_one_around_or_the_packages(
    checkout: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout / "roles/deep/tasks")
    assert paths.content_dir() == checkout
    monkeypatch.chdir(site)
    assert paths.content_dir() == ROOT
    monkeypatch.setenv("TWINSPARK_HOME", str(checkout))
    assert paths.content_dir() == checkout
    monkeypatch.setenv("TWINSPARK_HOME", str(checkout / "roles"))
    with pytest.raises(paths.PathError, match="point it at the checkout"):
        paths.content_dir()


def test_an_installed_package_has_its_content_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lib/python3.12/site-packages/twinspark"
    monkeypatch.setattr(paths, "PACKAGE", package)
    assert paths.packaged_content() == package / "content"
    assert not paths.is_checkout(package / "content")


@pytest.mark.usefixtures("no_settings")
def test_the_inventory_is_the_one_named_or_the_nearest(
    checkout: Path, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout / "roles")
    assert paths.inventory_path(None, checkout) == checkout / "inventory/hosts.yml"
    (site / "profiles").mkdir()
    monkeypatch.chdir(site / "profiles")
    assert paths.inventory_path(None, checkout) == site / "inventory/hosts.yml"
    monkeypatch.chdir("/")
    assert paths.inventory_path(None, checkout) == checkout / "inventory/hosts.yml"
    (tmp_path / "mine.yml").write_text("")
    monkeypatch.setenv("TWINSPARK_INVENTORY", str(tmp_path / "mine.yml"))
    assert paths.inventory_path(None, checkout) == tmp_path / "mine.yml"
    assert paths.inventory_path(site / "inventory", checkout) == site / "inventory"
    with pytest.raises(paths.PathError, match="there is no inventory"):
        paths.inventory_path(tmp_path / "gone.yml", checkout)


@pytest.mark.usefixtures("no_settings")
def test_a_checkout_without_an_inventory_does_not_take_the_one_of_a_site_around_it(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site / "twinspark/roles").mkdir(parents=True)
    (site / "twinspark/site.yml").write_text("")
    (site / "twinspark/inventory").mkdir()
    monkeypatch.chdir(site / "twinspark/roles")
    with pytest.raises(paths.PathError, match=r"there is no inventory .*/twinspark/inventory/hosts\.yml"):
        paths.inventory_path(None, paths.content_dir())


@pytest.mark.usefixtures("no_settings")
def test_without_a_checkout_the_owner_is_told_to_make_a_site_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(paths.PathError, match=f"no inventory {tmp_path}/inventory/hosts.yml: .* `twinspark init`"):
        paths.inventory_path(None, tmp_path / "package/content")


@pytest.mark.parametrize(
    ("inventory", "folder"),
    [("a/inventory/hosts.yml", "a"), ("a/inventory", "a"), ("a/hosts.yml", "a"), ("a/lab/hosts.yml", "a/lab")],
)
def test_a_site_is_above_a_folder_called_inventory(tmp_path: Path, inventory: str, folder: str) -> None:
    (tmp_path / "a/inventory").mkdir(parents=True)
    assert paths.site_of(tmp_path / inventory) == tmp_path / folder


def test_what_is_made_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINSPARK_STATE_DIR", str(tmp_path / "a/b"))
    site = paths.prepare_site(tmp_path / "hosts.yml")
    for folder in (site, *list(site.parents)[:3]):
        assert folder.stat().st_mode & 0o777 == 0o700
