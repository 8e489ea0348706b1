"""The container hosts for real: `pytest -m lab tests/lab` (root, about a minute). Not part of a plain run."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from twinspark_lab.down import down
from twinspark_lab.names import lab as named

pytestmark = pytest.mark.lab
NAME = "selftest"
LAB = named(NAME)
NETPLAN = """network:
  version: 2
  ethernets:
    enp1s0f1np1:
      {{dhcp4: no, dhcp6: no, link-local: [], mtu: 9000, addresses: [192.168.177.{octet}/24]}}
    enP2p1s0f1np1:
      {{dhcp4: no, dhcp6: no, link-local: [], mtu: 9000, addresses: [192.168.178.{octet}/24]}}
"""


def twinspark(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    argv = [str(Path(sys.executable).with_name("twinspark")), "lab", words[0], "--name", NAME, *words[1:]]
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)


def on(host: str, command: str, stdin: str = "") -> str:
    done = twinspark("ssh", host, command, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def status() -> dict[str, Any]:
    return json.loads(twinspark("status", "--json").stdout)


def pings(host: str, address: str) -> bool:
    """Whether a full jumbo frame arrives, given a few tries: networkd may still be at it."""
    command = (
        f"for i in 1 2 3 4 5 6 7 8 9 10; do ping -M do -s 8972 -c 1 -W 1 {address} && exit; sleep 0.5; done; exit 1"
    )
    return twinspark("ssh", host, command).returncode == 0


def things() -> list[str]:
    listings = (["ps", "--all"], ["network", "ls"], ["volume", "ls"])
    label = f"label={LAB.label}"
    found = [
        subprocess.run(["docker", *words, "--quiet", "--filter", label], capture_output=True, text=True, check=True)
        for words in listings
    ]
    return [line for done in found for line in done.stdout.split()]


@pytest.fixture(scope="module", autouse=True)
def hosts(request) -> Iterator[None]:
    if "lab" not in request.config.option.markexpr:
        pytest.skip("takes a lab of its own: pytest -m lab")
    done = twinspark("up", "--no-engine")
    assert done.returncode == 0, done.stderr
    yield
    down(LAB, lambda text: None)
    assert things() == []
    assert not LAB.state.exists()


def test_up_again_changes_nothing():
    on("spark1", "echo ssh-ed25519 AAAAotherkey >> .ssh/authorized_keys")
    before = status()
    ids = things()
    assert twinspark("up", "--no-engine").returncode == 0
    assert status() == before
    assert before["up"]
    assert things() == ids
    assert "otherkey" in on("spark1", "cat .ssh/authorized_keys")


def test_hosts_are_machines_of_their_own():
    identities = [on(host, "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub") for host in LAB.hosts]
    assert identities[0] != identities[1]


def test_the_articles_netplan_applies_and_jumbo_frames_pass_on_both_rails():
    for octet, host in enumerate(LAB.hosts, start=11):
        write = "sudo tee /etc/netplan/40-cx7.yaml >/dev/null && sudo chmod 600 /etc/netplan/40-cx7.yaml"
        on(host, f"{write} && sudo netplan apply", stdin=NETPLAN.format(octet=octet))
    for rail in (177, 178):
        assert pings("spark1", f"192.168.{rail}.12")
        assert pings("spark2", f"192.168.{rail}.11")


def test_a_reboot_gives_a_new_boot_id_and_the_rails_come_back():
    before = on("spark2", "cat /run/twinspark-lab/boot_id")
    assert twinspark("reboot", "spark2").returncode == 0
    assert on("spark2", "cat /run/twinspark-lab/boot_id") != before
    assert status()["up"]
    assert pings("spark1", "192.168.177.12")


def test_a_cable_fault_takes_the_carrier_of_both_ends_and_up_mends_it():
    port = "cat /var/lib/twinspark-lab/sysfs/sys/class/infiniband/rocep1s0f1/ports/1/state"
    assert twinspark("link", "spark1", "enp1s0f1np1", "down").returncode == 0
    assert on("spark2", "cat /sys/class/net/enp1s0f1np1/carrier") == "0"
    assert on("spark2", port) == "1: DOWN"
    assert twinspark("status").returncode == 1
    assert twinspark("up", "--no-engine").returncode == 0
    assert on("spark2", port) == "4: ACTIVE"
    assert status()["up"]


def test_up_mends_a_stopped_host_and_a_removed_one():
    subprocess.run(["docker", "kill", LAB.container("spark1")], check=True, capture_output=True)
    subprocess.run(["docker", "rm", "--force", LAB.container("spark2")], check=True, capture_output=True)
    assert not status()["up"]
    assert twinspark("up", "--no-engine").returncode == 0
    assert status()["up"]


def test_docker_inside_runs_and_builds():
    make = (
        "mkdir -p t/usr/bin t/lib/x86_64-linux-gnu t/lib64 && cp /usr/bin/echo t/usr/bin &&"
        " cp -L /lib/x86_64-linux-gnu/libc.so.6 t/lib/x86_64-linux-gnu && cp -L /lib64/ld-linux-* t/lib64 &&"
        " tar -C t -c . | docker import - tiny >/dev/null && docker run --rm --network host tiny /usr/bin/echo hello"
    )
    assert on("spark1", make) == "hello"
