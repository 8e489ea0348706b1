"""The dead-man's switch: its scripts are run by a real sh in a real folder, with netplan and ip recorded."""

import os
import subprocess

import pytest

from twinspark.core import deadman

LINK = {
    "mtu": 1500,
    "up": True,
    "addresses": ["10.0.0.1/24"],
    "absent": ["10.1.1.1/24"],
    "sysctls": {"arp_ignore": 0},
    "routes": ["default via 10.0.0.254"],
}


@pytest.fixture
def host(tmp_path):
    """A folder with the etc of a host, a pending change, and recorders in place of the commands."""
    for folder in ("etc", "pending/files", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("netplan", "ip", "sysctl", "systemctl"):
        command = tmp_path / "bin" / name
        command.write_text(f'#!/bin/sh\necho {name} "$@" >> {tmp_path}/calls\nexit "${{EXIT:-0}}"\n')
        command.chmod(0o755)
    return tmp_path


def run(host, script, *arguments, **environment):
    (host / "script.sh").write_text(script)
    path = f"{host}/bin:{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", str(host / "script.sh"), *arguments],
        env={"PATH": path, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    calls = host / "calls"
    return calls.read_text().splitlines() if calls.exists() else []


def change(host):
    """One file that was there and is changed, one that is new, one that was taken away."""
    (host / "etc/rival's.yaml").write_text("ours\n")
    (host / "pending/files/0").write_text("rival\n")
    (host / "pending/files/0").chmod(0o640)
    (host / "etc/40-cx7.yaml").write_text("ours\n")
    (host / "pending/files/2").write_text("gone\n")
    files = [(f"{host}/etc/rival's.yaml", True), (f"{host}/etc/40-cx7.yaml", False), (f"{host}/etc/gone.yaml", True)]
    return deadman.Change(folder=str(host / "pending"), files=files, links={"eth0": LINK})


def test_an_armed_change_is_undone_byte_for_byte(host):
    (host / "pending/armed").touch()
    calls = run(host, change(host).undo_script())
    assert (host / "etc/rival's.yaml").read_text() == "rival\n"
    assert (host / "etc/rival's.yaml").stat().st_mode & 0o777 == 0o640
    assert (host / "etc/gone.yaml").read_text() == "gone\n"
    assert sorted(os.listdir(host / "etc")) == ["gone.yaml", "rival's.yaml"]
    assert calls[:7] == [
        "netplan apply",
        "ip link set dev eth0 mtu 1500",
        "ip address del 10.1.1.1/24 dev eth0",
        "ip address replace 10.0.0.1/24 dev eth0",
        "sysctl -q -w net/ipv4/conf/eth0/arp_ignore=0",
        "ip link set dev eth0 up",
        "ip route replace default via 10.0.0.254 dev eth0",
    ]
    assert (host / "pending/undone").exists()


def test_a_confirmed_change_stays(host):
    (host / "pending/confirmed").touch()
    assert run(host, change(host).undo_script()) == []
    assert (host / "etc/rival's.yaml").read_text() == "ours\n"


def test_every_step_of_undoing_is_tried_whatever_fails(host):
    (host / "pending/armed").touch()
    calls = run(host, change(host).undo_script(), EXIT="1")
    assert any(call.startswith("ip route replace") for call in calls)
    assert (host / "pending/undone").exists()


def test_at_boot_files_are_given_back_before_the_network_starts(host):
    (host / "pending/armed").touch()
    calls = run(host, change(host).undo_script(), "boot")
    assert calls[0] == "netplan generate"
    assert not any(call.startswith("ip ") for call in calls)
    assert (host / "etc/rival's.yaml").read_text() == "rival\n"


@pytest.mark.parametrize("code", ["0", "1"])
def test_applying_leaves_netplan_s_exit_code_and_goes_on(host, code):
    script = change(host).apply_script(first=[["ip", "a"]], after=[["ip", "link", "set", "dev", "rail", "up"]])
    assert run(host, script, EXIT=code) == ["ip a", "netplan apply", "ip link set dev rail up"]
    assert (host / "pending/apply.rc").read_text().strip() == code


def test_the_boot_unit_runs_before_any_network_and_only_when_armed(host):
    unit = change(host).boot_unit()
    assert f"ConditionPathExists={host}/pending/armed" in unit
    assert "Before=network-pre.target systemd-networkd.service NetworkManager.service" in unit


def test_what_is_remembered_for_uninstall():
    ours, foreign = "/etc/netplan/40-cx7.yaml", "/etc/netplan/99.yaml"
    first, fresh = deadman.remember({}, {"files": {ours: False, foreign: True}, "links": {"a": {"mtu": 1500}}}, [ours])
    assert fresh == [ours, foreign]
    again, fresh = deadman.remember(
        first, {"files": {ours: True, foreign: True}, "links": {"a": {"mtu": 9000}}}, [ours]
    )
    assert again == first, "of our own file the first memory stays"
    assert fresh == [foreign], "a foreign file that came again is kept in its newest form"


def test_releasing_takes_the_rails_addresses_away_and_gives_the_rest_back():
    former = {"rail": {"mtu": 1500, "up": True, "addresses": [], "absent": [], "sysctls": {"arp_ignore": 0}}}
    links = {"rail": {"addresses": ["192.168.177.11/24"]}}
    given = deadman.released(former, links, {"rail": "192.168.177.11/24", "unplugged": "192.168.178.11/24"})
    assert given == {"rail": {"mtu": 1500, "up": True, "sysctls": {"arp_ignore": 0}, "absent": ["192.168.177.11/24"]}}


def test_an_interface_that_is_no_rail_any_more_loses_its_address():
    links = {"old": {"addresses": ["192.168.177.11/24", "10.9.9.9/24"]}}
    given = deadman.left(links, {"old": ["192.168.177.11/24"], "unplugged": ["192.168.178.11/24"]})
    assert given == {"old": {"absent": ["192.168.177.11/24"]}}


def test_configuring_deletes_what_does_not_belong():
    links = {"rail": {"addresses": ["192.168.177.11/24", "10.9.9.9/24"]}}
    wanted = deadman.desired(links, {"rail": "192.168.177.11/24"}, 9000, {"arp_ignore": 1})
    assert deadman.runtime_commands(wanted) == [
        ["ip", "link", "set", "dev", "rail", "mtu", "9000"],
        ["ip", "address", "del", "10.9.9.9/24", "dev", "rail"],
        ["sysctl", "-q", "-w", "net/ipv4/conf/rail/arp_ignore=1"],
        ["ip", "link", "set", "dev", "rail", "up"],
    ]
