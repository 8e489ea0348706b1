"""The VM hosts as QEMU gets to see them."""

import ipaddress
import os
from contextlib import closing
from pathlib import Path

import pytest

from twinspark_lab.shell import LabError
from twinspark_lab.vm import machines, plan, up

FORCES = pytest.mark.skipif(os.geteuid() != 0, reason="a buffer beyond the machine's limit is root's to have")
BOOT = Path("/boot-folder")
CABLES = dict(zip(plan.RAIL_PORTS, (7, 8), strict=True))


def pair(lab="lab"):
    return plan.vms(lab, ["spark1", "spark2"], Path("/state"))


def options(argv, flag):
    return [argv[index + 1] for index, word in enumerate(argv) if word == flag]


@FORCES
def test_the_rails_meet_back_to_back():
    first, second = pair()
    with (
        closing(machines._cable_end(first, second, 7901)) as one,
        closing(machines._cable_end(second, first, 7901)) as two,
    ):
        assert (one.getsockname(), one.getpeername()) == (two.getpeername(), two.getsockname())
        one.send(b"there")
        two.send(b"and back")
        assert (two.recv(9), one.recv(9)) == (b"there", b"and back")


@FORCES
def test_a_cable_holds_what_soft_roce_has_under_way():
    """64 packets for each of four queue pairs, of 4 KiB that take twice that in the kernel, in both directions."""
    first, second = pair()
    with (
        closing(machines._cable_end(first, second, 7902)) as one,
        closing(machines._cable_end(second, first, 7902)) as two,
    ):
        for _ in range(2 * 4 * 64):
            one.send(bytes(4200))
        two.setblocking(False)
        assert sum(len(two.recv(5000)) for _ in range(2 * 4 * 64)) == 2 * 4 * 64 * 4200


def test_each_rail_s_card_hangs_on_its_own_cable():
    netdevs = options(plan.qemu_argv(pair()[0], BOOT, plan.TCG, CABLES), "-netdev")[1:]
    assert netdevs == [f"dgram,id={name},local.type=fd,local.str={number}" for name, number in CABLES.items()]


def test_every_card_is_the_one_that_the_root_names():
    """The root's .link files name the cards by these addresses: a card they don't know would keep a kernel's name."""
    folder = Path(__file__).resolve().parents[3] / "lab/vm/rootfs/etc/systemd/network"
    named = {path.stem.removeprefix("10-"): path.read_text() for path in folder.glob("*.link")}
    assert set(named) == {"mgmt0", *plan.RAIL_PORTS}
    for vm in pair():
        for card, name in enumerate(["mgmt0", *plan.RAIL_PORTS]):
            assert vm.mac(card) in named[name]
            assert f"Name={name}\n" in named[name]


def test_every_address_is_on_loopback_and_no_two_hosts_or_labs_share_one():
    addresses = [vm.address for name in ("lab", "other") for vm in pair(name)]
    assert len(set(addresses)) == 4
    assert all(ipaddress.ip_address(address).is_loopback for address in addresses)


def test_ssh_is_forwarded_from_that_address_only():
    first, _ = pair()
    argv = plan.qemu_argv(first, BOOT, plan.TCG, CABLES)
    assert f"hostfwd=tcp:{first.address}:2222-:22" in options(argv, "-netdev")[0]


def test_the_accelerator_brings_its_processor():
    first, _ = pair()
    argv = plan.qemu_argv(first, BOOT, plan.KVM, CABLES)
    assert options(argv, "-machine") == ["q35,accel=kvm"]
    assert options(argv, "-cpu") == ["max,-arch-capabilities"]


def test_a_back_to_back_cable_joins_two():
    with pytest.raises(LabError, match="are two, not 3"):
        plan.vms("lab", ["a", "b", "c"], Path("/state"))


def test_another_architecture_is_told_in_a_sentence(monkeypatch):
    monkeypatch.setattr(plan.platform, "machine", lambda: "riscv64")
    with pytest.raises(LabError, match="use container hosts"):
        plan.qemu_command()


def test_a_machine_without_room_for_two_hosts_is_told_so(monkeypatch):
    monkeypatch.setattr(up, "ensure_commands", lambda names, log: None)
    monkeypatch.setattr(up, "available_mib", lambda text: 2000)
    with pytest.raises(LabError, match="take 3000 MiB of memory and 2000 MiB are available"):
        up.check()


@pytest.mark.parametrize(("text", "mib"), [("MemTotal: 9 kB\nMemAvailable:  4194304 kB\n", 4096), ("", 0)])
def test_what_is_available_is_read_from_meminfo(text, mib):
    assert up.available_mib(text) == mib
