"""A site outside any checkout: what `twinspark init` writes, and that plain Ansible and the command work from it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from twinspark import init_cli, site

BIN = Path(sys.executable).parent
HOSTS = "sparks: {hosts: {spark1: {ansible_host: 192.0.2.1}, spark2: {ansible_host: 192.0.2.2}}}\n"


@pytest.fixture
def made(tmp_path: Path, root: Path) -> Path:
    """A fresh site; its folder."""
    init_cli.write(tmp_path / "site/inventory/hosts.yml", HOSTS, root)
    return tmp_path / "site"


def run(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the virtual environment in *folder*, as its owner would."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TWINSPARK_", "ANSIBLE_"))}
    environment = {**kept, "TWINSPARK_STATE_DIR": str(folder / "state")}
    program = str(BIN / argv[0])
    return subprocess.run(
        [program, *argv[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_it_has_the_settings_and_a_configuration_of_its_own(made: Path, root: Path) -> None:
    settings = made / "group_vars/all/settings.yml"
    ours, theirs = (yaml.safe_load(file.read_text()) for file in (root / "group_vars/all/settings.yml", settings))
    # Of the rails each host has its own in the inventory, over which these would have no power.
    assert theirs == {name: value for name, value in ours.items() if name != "twinspark_rails"}
    assert "# twinspark_rails:\n#   - {name: rail1, interface: enp1s0f1np1" in settings.read_text()
    assert "inventory/hosts.yml, which wins: change it there" in settings.read_text()
    assert not settings.is_symlink()
    assert os.readlink(made / "inventory/group_vars") == "../group_vars"
    told = run(made, "ansible-config", "dump", "--only-changed").stdout
    assert f"DEFAULT_ROLES_PATH({made}/ansible.cfg) = ['{root}/roles']" in told
    assert f"DEFAULT_HOST_LIST({made}/ansible.cfg) = ['{made}/inventory/hosts.yml']" in told


def test_the_owners_settings_and_configuration_stay(made: Path, root: Path) -> None:
    (made / "group_vars/all/settings.yml").write_text("twinspark_rail_mtu: 1500\n")
    (made / "ansible.cfg").write_text("[defaults]\nforks = 2\n")
    notes = init_cli.write(made / "inventory/hosts.yml", HOSTS, root)
    assert (made / "group_vars/all/settings.yml").read_text() == "twinspark_rail_mtu: 1500\n"
    assert (made / "ansible.cfg").read_text() == "[defaults]\nforks = 2\n"
    assert notes == [
        f"{made}/ansible.cfg is not by `twinspark init` and stays as it is: for plain Ansible, set ANSIBLE_CONFIG to "
        f"{root}/ansible.cfg"
    ]


def test_a_configuration_of_ours_follows_the_content(made: Path, root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").symlink_to(root)
    assert init_cli.write(made / "inventory/hosts.yml", HOSTS, tmp_path / "elsewhere") == []
    assert f"roles_path = {tmp_path}/elsewhere/roles\n" in (made / "ansible.cfg").read_text()


def test_settings_whose_checkout_is_gone_are_written_anew(tmp_path: Path, root: Path) -> None:
    beside = tmp_path / "group_vars"
    beside.mkdir()
    (beside / "all").symlink_to("/nowhere/group_vars/all")
    init_cli.write(tmp_path / "hosts.yml", HOSTS, root)
    assert (beside / "all/settings.yml").is_file()


def test_in_a_checkout_nothing_but_the_inventory_is_written(tmp_path: Path) -> None:
    (tmp_path / "inventory").mkdir()
    assert site.furnish(tmp_path / "inventory/hosts.yml", tmp_path) == []
    assert [path.name for path in tmp_path.rglob("*")] == ["inventory"]


@pytest.mark.parametrize(
    ("output", "target"), [(None, "inventory/hosts.yml"), ("x", "x/inventory/hosts.yml"), ("x/a.yml", "x/a.yml")]
)
def test_it_goes_into_the_working_directory_or_where_the_owner_says(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch, output: str | None, target: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert init_cli.target_of(Path(output) if output else None, root) == tmp_path / target


def test_from_a_checkout_it_goes_into_the_checkout(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root / "roles")
    assert init_cli.target_of(None, root) == root / "inventory/hosts.yml"


def test_the_path_is_the_contents(made: Path, root: Path) -> None:
    assert run(made, "twinspark", "path").stdout == f"{root}\n"


def test_an_unknown_profile_is_told_with_those_of_the_package_and_of_the_site(made: Path, root: Path) -> None:
    settings = made / "group_vars/all/settings.yml"
    settings.write_text(settings.read_text().replace("deepseek-v4-flash", "70b"))
    (made / "profiles").mkdir()
    (made / "profiles/mine.yml").write_text("name: mine\n")
    sentence = "twinspark_profile is '70b', but there is no profiles/70b.yml: there are deepseek-v4-flash, mine."
    by_ansible = run(made, "ansible-playbook", f"{root}/site.yml", "-i", "inventory", "--check")
    assert sentence in by_ansible.stdout, by_ansible.stdout + by_ansible.stderr
    by_us = run(made, "twinspark", "apply", "--check")
    assert by_us.returncode == 2
    assert sentence in by_us.stderr


@pytest.mark.parametrize("place", ["profiles", "inventory/profiles"])
def test_a_profile_of_the_site_comes_before_the_packages(made: Path, root: Path, tmp_path: Path, place: str) -> None:
    (made / place).mkdir()
    (made / place / "deepseek-v4-flash.yml").write_text(
        f"name: mine\nweights: {{repo: o/n, revision: {40 * 'a'}}}\n"
        f"image: {{tag: t, commit: {40 * 'b'}}}\nserve: {{served_name: s}}\n"
    )
    play = [
        {
            "hosts": "sparks",
            "gather_facts": False,
            "connection": "local",
            "vars": {"ansible_python_interpreter": sys.executable},
            "tasks": [
                {"ansible.builtin.import_role": {"name": "common"}},
                {"ansible.builtin.debug": {"var": "profile.name"}},
            ],
        }
    ]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(play))
    done = run(made, "ansible-playbook", str(tmp_path / "play.yml"), "-i", "inventory/hosts.yml")
    assert '"profile.name": "mine"' in done.stdout, done.stdout + done.stderr
