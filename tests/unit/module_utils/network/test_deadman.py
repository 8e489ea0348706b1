"""The dead-man's switch: its scripts are run by a real sh in a real folder, with netplan and ip recorded."""

import json
import os
import subprocess
import time

import pytest
from ansible.module_utils.twinspark.network import deadman
from ansible.module_utils.twinspark.network.deadman import Manifest
from ansible.module_utils.twinspark.network.running import Running
from ansible.module_utils.twinspark_host.pending import live, locked

LINK = Running(
    mtu=1500,
    up=True,
    addresses=("10.0.0.1/24",),
    absent=("10.1.1.1/24",),
    sysctls={"arp_ignore": 0},
    routes=("default via 10.0.0.254",),
)


@pytest.fixture
def host(tmp_path):
    """A folder with the etc of a host, a pending change, and recorders in place of the commands."""
    for folder in ("etc", "network/pending/files", "network/pending/new", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "network/lock").touch()
    for name in ("netplan", "ip", "sysctl", "systemctl"):
        recorder(tmp_path, name, 'exit "${EXIT:-0}"')
    return tmp_path


def recorder(host, name, end):
    """A command that notes how it was called, and then does `end`."""
    command = host / "bin" / name
    command.write_text(f'#!/bin/sh\necho {name} "$@" >> {host}/calls\n{end}\n')
    command.chmod(0o755)


def run(host, script, *arguments, **environment):
    """The calls that an sh script of the change makes."""
    (host / "script.sh").write_text(script)
    path = f"{host}/bin:{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", str(host / "script.sh"), *arguments],
        env={"PATH": path, **environment}, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    calls = host / "calls"
    return calls.read_text().splitlines() if calls.exists() else []


def pending(host):
    return host / "network/pending"


def change(host, written=True):
    """One file that is there and is changed, one that is new, one that is taken away; `written`: it is done."""
    former = {"rival's.yaml": "rival\n", "40-cx7.yaml": None, "gone.yaml": "gone\n"}
    wanted = {"rival's.yaml": "ours\n", "40-cx7.yaml": "ours\n", "gone.yaml": None}
    for index, name in enumerate(former):
        for folder, texts in (("files", former), ("new", wanted)):
            if texts[name] is not None:
                copy = pending(host) / folder / str(index)
                copy.write_text(texts[name])
                copy.chmod(0o640)
        now = (wanted if written else former)[name]
        if now is not None:
            (host / "etc" / name).write_text(now)
    files = [(f"{host}/etc/{name}", former[name] is not None, wanted[name] is not None) for name in former]
    return deadman.Change(folder=str(pending(host)), files=files, links={"eth0": LINK})


def given_back(host):
    """Whether the files are the former ones, and nothing else is left beside them."""
    texts = {path.name: path.read_text() for path in (host / "etc").iterdir()}
    return texts == {"rival's.yaml": "rival\n", "gone.yaml": "gone\n"}


LINKS_SET = [
    "ip link set dev eth0 mtu 1500",
    "ip address del 10.1.1.1/24 dev eth0",
    "ip address replace 10.0.0.1/24 dev eth0",
    "sysctl -q -w net/ipv4/conf/eth0/arp_ignore=0",
    "ip link set dev eth0 up",
    "ip route replace default via 10.0.0.254 dev eth0",
]


def test_an_armed_change_is_undone_byte_for_byte(host):
    (pending(host) / "armed").touch()
    calls = run(host, change(host).undo_script())
    assert given_back(host)
    assert (host / "etc/rival's.yaml").stat().st_mode & 0o777 == 0o640
    stop = f"systemctl stop {deadman.APPLY_UNIT}.timer {deadman.APPLY_UNIT}.service"
    assert calls[:-1] == [stop, *LINKS_SET, "netplan apply", *LINKS_SET], "an apply that still runs is ended first"
    assert (pending(host) / "undone").exists()


def test_a_confirmed_change_stays(host):
    (pending(host) / "confirmed").touch()
    assert run(host, change(host).undo_script()) == []
    assert (host / "etc/rival's.yaml").read_text() == "ours\n"


def test_every_step_of_undoing_is_tried_whatever_fails(host):
    (pending(host) / "armed").touch()
    calls = run(host, change(host).undo_script(), EXIT="1")
    assert calls[-2].startswith("ip route replace")
    assert given_back(host)
    assert (pending(host) / "undone").exists()


@pytest.mark.parametrize("how", ["", "boot"])
def test_an_undo_that_died_midway_is_ended_by_the_next(host, how):
    (pending(host) / "undoing").touch()
    (host / "etc/rival's.yaml.twinspark").write_text("half a co")
    (host / "etc/40-cx7.yaml.twinspark").write_text("half a co")
    run(host, change(host).undo_script(), how)
    assert given_back(host)
    assert (pending(host) / "undone").exists()


def test_an_undo_waits_for_whoever_holds_the_lock(host):
    (pending(host) / "armed").touch()
    (host / "undo.sh").write_text(change(host).undo_script())
    path = {"PATH": f"{host}/bin:{os.environ['PATH']}"}
    with locked(str(host)):
        second = subprocess.Popen(["/bin/sh", str(host / "undo.sh")], env=path)
        time.sleep(0.5)
        assert second.poll() is None
        assert (pending(host) / "armed").exists()
        # What has the lock confirms: then there is nothing to undo.
        (pending(host) / "armed").rename(pending(host) / "confirmed")
    assert second.wait(timeout=10) == 0
    assert (host / "etc/rival's.yaml").read_text() == "ours\n"


def test_a_netplan_that_hangs_does_not_stop_an_undo(host, monkeypatch):
    monkeypatch.setattr(deadman, "HANG_SECONDS", 1)
    (pending(host) / "armed").touch()
    recorder(host, "netplan", "exec sleep 25")
    calls = run(host, change(host).undo_script())
    assert calls.index("netplan apply") > calls.index(LINKS_SET[-1]), "the links are set before netplan is asked"
    assert calls[-2] == LINKS_SET[-1]
    assert (pending(host) / "undone").exists()


def test_a_full_disk_does_not_keep_the_former_file_away(host):
    (pending(host) / "armed").touch()
    recorder(host, "cp", "exit 1")  # as on a disk without room for a second copy
    run(host, change(host).undo_script())
    assert given_back(host)


def test_at_boot_files_are_given_back_before_the_network_starts(host):
    (pending(host) / "armed").touch()
    calls = run(host, change(host).undo_script(), "boot")
    assert calls[:2] == ["netplan generate", "sysctl -q -w net/ipv4/conf/eth0/arp_ignore=0"]
    assert not any(call.startswith("ip ") for call in calls)
    assert given_back(host)


def test_applying_writes_the_files_and_asks_netplan(host):
    (pending(host) / "armed").touch()
    script = change(host, written=False).apply_script(first=[["ip", "a"]], after=[["ip", "b"]])
    assert run(host, script) == ["ip a", "netplan apply", "ip b"]
    texts = {path.name: path.read_text() for path in (host / "etc").iterdir()}
    assert texts == {"rival's.yaml": "ours\n", "40-cx7.yaml": "ours\n"}
    assert (host / "etc/40-cx7.yaml").stat().st_mode & 0o777 == 0o640
    assert (pending(host) / "apply.rc").read_text().strip() == "0"


def test_a_netplan_that_fails_is_told(host):
    (pending(host) / "armed").touch()
    assert run(host, change(host, written=False).apply_script(after=[["ip", "b"]]), EXIT="3") == [
        "netplan apply",
        "ip b",
    ]
    assert (pending(host) / "apply.rc").read_text().strip() == "3"


def test_a_file_that_can_t_be_written_stops_before_netplan(host):
    (pending(host) / "armed").touch()
    recorder(host, "cp", "echo no space >&2; exit 1")
    calls = run(host, change(host, written=False).apply_script())
    assert not any(call.startswith("netplan") for call in calls)
    assert (pending(host) / "apply.rc").read_text().strip() == "1"
    assert "no space" in (pending(host) / "apply.log").read_text()


def test_what_was_undone_meanwhile_is_not_applied(host):
    (pending(host) / "undone").touch()
    assert run(host, change(host, written=False).apply_script()) == []
    assert given_back(host)


def test_the_boot_unit_runs_before_any_network_and_only_when_something_is_to_be_undone(host):
    unit = change(host).boot_unit()
    assert f"ConditionPathExists=|{pending(host)}/armed\nConditionPathExists=|{pending(host)}/undoing\n" in unit
    assert "Before=network-pre.target systemd-networkd.service NetworkManager.service" in unit


def test_what_is_remembered_for_uninstall():
    ours, foreign = "/etc/netplan/40-cx7.yaml", "/etc/netplan/99.yaml"
    pending = Manifest(files={ours: False, foreign: True}, links={"a": Running(mtu=1500)}, own_paths=(ours,))
    first, fresh = deadman.remember(Manifest(), pending)
    assert fresh == [ours, foreign]
    pending = Manifest(files={ours: True, foreign: True}, links={"a": Running(mtu=9000)}, own_paths=(ours,))
    again, fresh = deadman.remember(first, pending)
    assert again == first, "of our own file the first memory stays"
    assert fresh == [foreign], "a foreign file that came again is kept in its newest form"


def test_a_manifest_comes_back_from_the_disk_as_it_was():
    kept = Manifest(files={"/etc/netplan/99.yaml": True}, links={"eth0": LINK})
    assert Manifest.from_json(json.loads(json.dumps(kept.to_json()))) == kept
    assert set(kept.to_json()) == {"files", "links"}
    assert set(kept.to_json()["links"]["eth0"]) == {"mtu", "up", "addresses", "absent", "sysctls", "routes"}


def test_the_lock_is_waited_for_and_says_who_has_it(tmp_path):
    with locked(str(tmp_path)) as folder:
        assert folder == tmp_path / "network/pending"
        assert live(folder) == ""
        with pytest.raises(TimeoutError, match="another change of this host's network"), locked(str(tmp_path), 0.3):
            pass
