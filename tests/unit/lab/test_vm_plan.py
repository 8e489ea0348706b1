"""The VM hosts as QEMU gets to see them."""

import ipaddress
from pathlib import Path

import pytest

from twinspark.lab.shell import LabError
from twinspark.lab.vm import plan

BOOT = Path("/boot-folder")


def pair(lab="lab"):
    return plan.vms(lab, ["spark1", "spark2"], Path("/state"))


def options(argv, flag):
    return [argv[index + 1] for index, word in enumerate(argv) if word == flag]


def test_the_rails_meet_back_to_back():
    first, second = pair()
    ends = [
        options(plan.qemu_argv(vm, peer, BOOT, plan.TCG), "-netdev")[1:]
        for vm, peer in ((first, second), (second, first))
    ]
    for interface, port in plan.RAIL_PORTS.items():
        one, other = (next(end for end in vm if f"id={interface}," in end) for vm in ends)
        assert f"udp={second.address}:{port},localaddr={first.address}:{port}" in one
        assert f"udp={first.address}:{port},localaddr={second.address}:{port}" in other


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
    first, second = pair()
    argv = plan.qemu_argv(first, second, BOOT, plan.TCG)
    assert f"hostfwd=tcp:{first.address}:2222-:22" in options(argv, "-netdev")[0]


def test_the_accelerator_brings_its_processor():
    first, second = pair()
    argv = plan.qemu_argv(first, second, BOOT, plan.KVM)
    assert options(argv, "-machine") == ["q35,accel=kvm"]
    assert options(argv, "-cpu") == ["max,-arch-capabilities"]


def test_a_back_to_back_cable_joins_two():
    with pytest.raises(LabError, match="are two, not 3"):
        plan.vms("lab", ["a", "b", "c"], Path("/state"))


def test_another_architecture_is_told_in_a_sentence(monkeypatch):
    monkeypatch.setattr(plan.platform, "machine", lambda: "riscv64")
    with pytest.raises(LabError, match="use container hosts"):
        plan.qemu_command()
