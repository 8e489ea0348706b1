"""The way to the hosts: from the inventory's variables to ssh's command line, and when Ansible need not be asked."""

import json
import os
import time
from pathlib import Path

import pytest
import yaml

from twinspark import precheck, reach
from twinspark.errors import UsageError
from twinspark.place import Place
from twinspark.reach import Host, ReachError, argv, host

FIXED = ["-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none"]
TIMES = ["-o", "ConnectTimeout=7", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"]


def line(**variables: object) -> list[str]:
    return argv(host("spark1", 0, variables), "uptime", 7)


def test_a_host_of_which_only_the_name_is_known() -> None:
    assert line() == ["ssh", *FIXED, *TIMES, "-T", "--", "spark1", "uptime"]


def test_everything_that_the_inventory_says_reaches_ssh() -> None:
    given = line(
        ansible_host="192.168.1.20",
        ansible_port=2222,
        ansible_user="nvidia",
        ansible_ssh_private_key_file="/keys/my key",
        ansible_ssh_common_args="-F /dev/null -o UserKnownHostsFile='/a b'",
        ansible_ssh_extra_args=["-o", "Compression=yes"],
    )
    assert given == [
        *["ssh", *FIXED, *TIMES, "-F", "/dev/null", "-o", "UserKnownHostsFile=/a b", "-o", "Compression=yes"],
        *["-o", "Port=2222", "-o", 'IdentityFile="/keys/my key"', "-l", "nvidia", "-T", "--", "192.168.1.20", "uptime"],
    ]


def test_the_names_of_before_are_known_and_the_present_ones_win() -> None:
    found = host(
        "a", 1, {"ansible_ssh_host": "b", "ansible_ssh_user": "u", "ansible_ssh_port": 23, "ansible_user": "v"}
    )
    assert (found.address, found.user, found.port, found.rank) == ("b", "v", "23", 1)


def test_a_key_in_the_home_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert 'IdentityFile="/home/me/.ssh/id"' in line(ansible_ssh_private_key_file="~/.ssh/id")


def test_strict_checking_is_ahead_of_what_the_inventory_gives() -> None:
    given = line(ansible_ssh_args="-o StrictHostKeyChecking=yes -o ControlMaster=auto")
    assert given.index("StrictHostKeyChecking=yes") == 2
    assert given.index("ControlMaster=no") < given.index("ControlMaster=auto")  # ssh takes the first


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"ansible_ssh_common_args": "-o StrictHostKeyChecking=no"}, "lets any machine answer"),
        ({"ansible_ssh_executable": "/tmp/ssh"}, "runs another program than ssh"),
        ({"ansible_host": "{{ addresses.spark1 }}"}, "ansible_host is a template"),
        ({"ansible_connection": "community.docker.docker"}, "reached by community.docker.docker, not by ssh"),
    ],
)
def test_what_must_not_or_cant_be_is_said(variables: dict[str, object], why: str) -> None:
    with pytest.raises(ReachError, match=why):
        line(**variables)


def test_an_address_is_never_an_option() -> None:
    given = line(ansible_host="-oProxyCommand=reboot")
    assert given[-3:] == ["--", "-oProxyCommand=reboot", "uptime"]


def test_this_machine_itself_needs_no_ssh() -> None:
    assert line(ansible_connection="local") == ["sh", "-c", "uptime"]


def test_ranks_follow_the_inventory_through_groups_of_groups() -> None:
    listing = {
        "sparks": {"children": ["rack2", "rack1"], "hosts": ["z"]},
        "rack2": {"hosts": ["b", "z"]},
        "rack1": {"hosts": ["a"]},
    }
    assert reach.ranked(listing) == ["z", "b", "a"]


class Site:
    """An inventory on disk, and how often Ansible was asked for it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TWINSPARK_STATE_DIR", str(folder / "state"))
        self.asked = 0
        self.inventory = folder / "site/inventory/hosts.yml"
        self.inventory.parent.mkdir(parents=True)
        self.place = Place(folder, self.inventory)
        self.write(spark1={"ansible_host": "10.0.0.1", "ansible_user": "nvidia", "ansible_become_password": "hunter2"})

        def read(path: Path, project: Path) -> dict[str, object]:
            self.asked += 1
            given = yaml.safe_load(path.read_text())["sparks"]["hosts"]
            return {"sparks": {"hosts": list(given)}, "_meta": {"hostvars": given}}

        monkeypatch.setattr(precheck, "inventory", read)

    def write(self, **hosts: dict[str, object]) -> None:
        self.inventory.write_text(yaml.safe_dump({"sparks": {"hosts": hosts}}, sort_keys=False))

    def hosts(self) -> list[Host]:
        return reach.hosts(self.place)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(tmp_path, monkeypatch)


def test_ansible_is_asked_once(site: Site) -> None:
    first = site.hosts()
    assert first == site.hosts()
    assert (first[0].address, first[0].user, site.asked) == ("10.0.0.1", "nvidia", 1)


def test_no_secret_is_kept(site: Site) -> None:
    site.hosts()
    kept = site.place.site / reach.REMEMBERED
    assert "hunter2" not in kept.read_text()
    assert "10.0.0.1" in kept.read_text()


def test_a_changed_inventory_is_read_again(site: Site) -> None:
    site.hosts()
    site.write(spark1={"ansible_host": "10.0.0.2"}, spark2={})
    assert [found.address for found in site.hosts()] == ["10.0.0.2", "spark2"]


@pytest.mark.parametrize("folder", ["group_vars", "host_vars/spark1"])
def test_a_new_file_of_variables_is_noticed(site: Site, folder: str) -> None:
    site.hosts()
    path = site.inventory.parent / folder / "more.yml"
    path.parent.mkdir(parents=True)
    path.write_text("ansible_user: x\n")
    site.hosts()
    os.utime(path, ns=(time.time_ns(), 5))
    site.hosts()
    assert site.asked == 3


@pytest.mark.parametrize("live", ["program", "plugin"])
def test_an_inventory_that_is_made_anew_each_time_is_always_asked(site: Site, live: str) -> None:
    other = site.inventory
    if live == "program":
        other.chmod(0o755)
    else:
        other.write_text("plugin: ansible.builtin.constructed\n" + other.read_text())
    site.hosts()
    site.hosts()
    assert site.asked == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 0, "files": [], "hosts": {}}'])
def test_a_broken_memory_is_no_memory(site: Site, text: str) -> None:
    site.hosts()
    (site.place.site / reach.REMEMBERED).write_text(text)
    site.hosts()
    assert site.asked == 2


def test_an_inventory_that_cant_be_read_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, project: Path) -> None:
        raise UsageError("Ansible can't read it")

    monkeypatch.setattr(precheck, "inventory", refuse)
    with pytest.raises(UsageError, match="can't read it"):
        site.hosts()


def test_ansible_s_own_listing_has_the_form_that_is_read(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(
        "sparks:\n  children:\n    lab:\n      hosts:\n        z: {ansible_host: 10.0.0.9}\n        a: {}\n"
        "      vars: {ansible_user: spark}\n"
    )
    listing = precheck.inventory(tmp_path / "hosts.yml", tmp_path)
    assert json.loads(json.dumps(reach.reduced(listing))) == {
        "z": {"ansible_host": "10.0.0.9", "ansible_user": "spark"},
        "a": {"ansible_user": "spark"},
    }
