"""Attempts to break a network change on its way, on a lab: whatever is killed, the hosts come back as they were.

Each test tries a change of the rails' MTU and strikes in the middle of it; then files, addresses and the switch's own
traces must be what they were. Needs a lab that has passed `twinspark apply --to network`, named by TWINSPARK_INVENTORY.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

INVENTORY = os.environ.get("TWINSPARK_INVENTORY", "")
pytestmark = [pytest.mark.lab, pytest.mark.skipif(not INVENTORY, reason="TWINSPARK_INVENTORY names no lab")]
NAME = Path(INVENTORY).parent.name
HOSTS = ("spark1", "spark2")
TWINSPARK = str(Path(sys.executable).with_name("twinspark"))
PENDING = "/var/lib/twinspark/network/pending"
SECONDS = 20  # of the switch
ONCE = "[ ! -e /run/trap-sprung ] && : > /run/trap-sprung"  # sh: true the first time
PATIENCE = 240  # until all is as it was, on a busy machine; nothing is waited for longer than it takes
CHANGE = ["--stage", "network", "-e", "twinspark_rail_mtu=4000", "-e", f"cx7_network_confirm_seconds={SECONDS}"]
LOOK = f"""
sha256sum /etc/netplan/* /etc/sysctl.d/40-*
echo ---
ls -A {PENDING} /etc/systemd/system/multi-user.target.wants | grep -e armed -e undo -e confirmed -e deadman
echo ---
ip -json address show
"""


def on(host: str, command: str) -> str:
    """Run sh text as root on a host; its output."""
    argv = [TWINSPARK, "lab", "ssh", "--name", NAME, host, "sudo", "sh", "-s"]
    return subprocess.run(argv, input=command, capture_output=True, text=True, check=False, timeout=120).stdout


def state(host: str) -> dict[str, Any]:
    """All that a change may touch: files, links, and the traces of a switch that is armed."""
    files, traces, links = on(host, LOOK).split("---\n")
    return {
        "files": files.splitlines(),
        "traces": {line for line in traces.splitlines() if not line.startswith("undo.")},
        "links": {
            link["ifname"]: (
                link["mtu"],
                sorted(info["local"] for info in link["addr_info"] if info["family"] == "inet"),
            )
            for link in json.loads(links)
        },
    }


def states() -> dict[str, dict[str, Any]]:
    return {host: state(host) for host in HOSTS}


def apply(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TWINSPARK, "apply", *words], capture_output=True, text=True, check=False, timeout=600)


def until(holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(1)


def kill_tree(pid: int) -> None:
    """SIGKILL a process and all below it, from the top, as a controller that loses its power."""
    found, todo = [], [pid]
    while todo:
        current = todo.pop()
        found.append(current)
        children = Path(f"/proc/{current}/task/{current}/children")
        todo += [int(child) for child in children.read_text().split()] if children.exists() else []
    for member in found:
        if Path(f"/proc/{member}").exists():
            os.kill(member, signal.SIGKILL)


@pytest.fixture
def before() -> Iterator[dict[str, dict[str, Any]]]:
    """What the hosts are. At the end an ordinary apply must pass and find them so."""
    found = states()
    yield found
    done = apply("--stage", "network")
    assert done.returncode == 0, done.stderr
    assert states() == found


@pytest.fixture
def trap() -> Iterator[Callable[[str, str, str], None]]:
    """Put a program before the real one on a host's PATH; it is taken away at the end."""
    placed = []

    def place(host: str, name: str, text: str) -> None:
        path = f"/usr/local/sbin/{name}"
        placed.append((host, path))
        on(host, f"cat > {path} <<'TRAP'\n#!/bin/sh\n{text}\nTRAP\nchmod 0755 {path}")

    yield place
    for host, path in placed:
        on(host, f"rm -f {path} /run/trap-sprung")


@pytest.fixture
def unconfirmed(before):
    """A change that is applied on both hosts and whose controller was killed before it confirmed."""
    argv = [TWINSPARK, "apply", *CHANGE, "-e", "cx7_network_settle_seconds=15"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as controller:
        until(lambda: all(on(host, f"cat {PENDING}/apply.rc").strip() == "0" for host in HOSTS))
        kill_tree(controller.pid)
    return before


def settled(before: dict[str, dict[str, Any]], left: frozenset[str] = frozenset({"undone"})) -> bool:
    """Whether files and rails are as before. What the switch has undone may say so until the next apply."""
    now = states()
    return all({**now[host], "traces": now[host]["traces"] - left} == before[host] for host in HOSTS)


def test_a_controller_killed_between_apply_and_confirm(unconfirmed):
    assert not settled(unconfirmed)
    until(lambda: settled(unconfirmed))


def test_a_reboot_between_apply_and_confirm(unconfirmed):
    argv = [TWINSPARK, "lab", "reboot", "--name", NAME, "spark1"]
    assert subprocess.run(argv, capture_output=True, check=False, timeout=900).returncode == 0
    until(lambda: settled(unconfirmed))


@pytest.mark.parametrize(
    ("program", "real", "when"),
    [
        ("netplan", "/usr/sbin/netplan", '[ "$1" = generate ]'),  # before anything is saved
        ("sync", "/usr/bin/sync", "true"),  # armed, and no timer yet
        ("systemd-run", "/usr/bin/systemd-run", "true"),  # armed, and not applied
    ],
)
def test_a_module_killed_on_its_way(before, trap, program, real, when):
    trap("spark1", program, f'{real} "$@"\nrc=$?\nif {when} && {ONCE}; then kill -9 $PPID; fi\nexit $rc')
    assert apply(*CHANGE).returncode != 0
    assert on("spark1", "ls /run/trap-sprung").strip()
    # Armed without a timer, there is nothing to undo: no file was touched. The next apply or boot clears it away.
    unit = "twinspark-network-deadman-boot.service"
    until(lambda: settled(before, frozenset({"undone"} | ({"armed", unit} if program == "sync" else set()))))


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("sleep 300", f"netplan did not come up within {SECONDS // 2} s, and the former network was restored"),
        ("echo boom; exit 7", "The change failed, and the former network was restored: boom"),
    ],
)
def test_a_netplan_that_does_not_do_its_work(before, trap, fault, sentence):
    trap("spark1", "netplan", f'if [ "$1" = apply ] && {ONCE}; then {fault}; fi\nexec /usr/sbin/netplan "$@"')
    done = apply(*CHANGE)
    assert done.returncode == 5
    assert sentence in done.stderr
    until(lambda: settled(before))


def test_two_applies_at_once(before, tmp_path):
    """From two controllers: the hosts end whole, as one of them or as before, and can be reached."""
    pair = []
    for index in range(2):
        environment = {**os.environ, "TWINSPARK_STATE_DIR": str(tmp_path / str(index))}
        argv = [TWINSPARK, "apply", *CHANGE]
        pair.append(
            subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        )
        time.sleep(2)
    said = [controller.communicate(timeout=600)[1] for controller in pair]
    assert any(controller.returncode in (0, 3, 5) for controller in pair), said
    until(lambda: all(state(host)["traces"] <= {"undone"} for host in HOSTS))
    for host in HOSTS:
        mtu = state(host)["links"]["enp1s0f1np1"][0]
        assert on(host, "grep -o 'mtu: [0-9]*' /etc/netplan/40-cx7.yaml | sort -u").strip() == f"mtu: {mtu}"


def test_a_switch_too_short_is_refused(before):
    done = apply("--stage", "network", "-e", "twinspark_rail_mtu=4000", "-e", "cx7_network_confirm_seconds=3")
    assert done.returncode == 2
    assert "cx7_network_confirm_seconds (set by -e) must be at least 10, is 3" in done.stderr
    assert settled(before)
