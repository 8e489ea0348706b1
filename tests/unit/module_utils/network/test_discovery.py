"""What `twinspark init` makes of the hosts' reports. Cases: cases/discovery.yaml."""

from pathlib import Path

import pytest
import yaml
from ansible.module_utils.twinspark.inventory import fabric
from ansible.module_utils.twinspark.network import discovery
from ansible.module_utils.twinspark.network.state import Link, Network
from hypothesis import given
from hypothesis import strategies as st

from tests.support import cases

LINK = {"mac": "", "driver": "", "pci": "", "hca": "", "phys_port_name": "", "mtu": 1500, "up": True, "carrier": True}
MAC = bytes.fromhex("020000000001")


def report(given):
    return Network.from_json(
        {
            "model": "NVIDIA DGX Spark",
            "files": [],
            "foreign": [],
            "management": {"interface": "enP7s7", "address": "10.0.0.1"},
            **given,
            "links": [{**LINK, "master": "", "addresses": [], **link} for link in given["links"]],
        }
    )


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases" / "discovery.yaml"))
def test_discover(case):
    found = discovery.discover({address: report(given) for address, given in case["hosts"].items()})
    expect = case["expect"]
    if "rails" in expect:
        rails = {host.name: [r["interface"] for r in discovery.rails_of(host, found.subnets)] for host in found.hosts}
        assert rails == expect["rails"]
    if "cages" in expect:
        assert {host.name: host.cage for host in found.hosts} == expect["cages"]
    if "subnets" in expect:
        assert found.subnets == expect["subnets"]
    assert len(found.notes) == len(expect["notes"])
    for note, part in zip(found.notes, expect["notes"], strict=True):
        assert part in note


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases" / "discovery.yaml"))
@pytest.mark.parametrize("group", ["", "lab"])
def test_the_inventory_is_one_that_the_fabric_accepts(case, group):
    found = discovery.discover({address: report(given) for address, given in case["hosts"].items()})
    tree = yaml.safe_load(discovery.inventory(found, {"ansible_user": "spark", "x": 'a "b" # c'}, group))["sparks"]
    tree = tree["children"][group] if group else tree
    assert tree["vars"] == {"ansible_user": "spark", "x": 'a "b" # c'}
    rails = [host["twinspark_rails"] for host in tree["hosts"].values()]
    if len({len(entry) for entry in rails}) == 1 and rails[0]:
        entries = fabric.fabric(list(tree["hosts"]), {name: {**tree["vars"], **v} for name, v in tree["hosts"].items()})
        assert [entry.management for entry in entries] == list(case["hosts"])


NETPLAN = [{"path": "/etc/netplan/99.yaml", "mode": "0600", "text": "network: {ethernets: {enp1s0f1np1: {}}}"}]
MANAGER = {"enp1s0f1np1": {"kind": "NetworkManager", "file": "/run/NetworkManager/system-connections/x.nmconnection"}}


@pytest.mark.parametrize(
    ("laid_over", "line"),
    [
        ({"files": NETPLAN}, "10.1.1.1/24; configured by /etc/netplan/99.yaml"),
        (
            {"files": NETPLAN, "owners": MANAGER},
            "10.1.1.1/24; configured by /etc/netplan/99.yaml, run by NetworkManager",
        ),
        ({"owners": MANAGER}, f"10.1.1.1/24; configured by {MANAGER['enp1s0f1np1']['file']} (NetworkManager)"),
        ({}, "10.1.1.1/24; set by hand"),
    ],
)
def test_the_inventory_says_whose_an_address_is(laid_over, line):
    host = report({"hostname": "a", "links": [{"name": "enp1s0f1np1", "addresses": ["10.1.1.1/24"]}], **laid_over})
    text = discovery.inventory(discovery.discover({"10.0.0.1": host}), {})
    assert f"# enp1s0f1np1 now: {line}\n" in text


def test_the_inventory_keeps_a_host_s_own_port():
    host = report({"hostname": "a", "links": [], "endpoint": {"ansible_host": "10.0.0.1", "ansible_port": 2222}})
    tree = yaml.safe_load(discovery.inventory(discovery.discover({"10.0.0.1_2222": host}), {}))["sparks"]
    assert tree["hosts"]["a"] == {"ansible_host": "10.0.0.1", "ansible_port": 2222, "twinspark_rails": []}


@pytest.mark.parametrize(
    ("name", "hca"),
    [("enp1s0f1np1", "rocep1s0f1"), ("enP2p1s0f0np0", "roceP2p1s0f0"), ("eth0", "")],
)
def test_the_roce_device_is_named_after_its_function(name, hca):
    assert discovery.hca_of(Link(name)) == hca
    assert discovery.hca_of(Link(name, hca="mlx5_0")) == "mlx5_0"


def test_a_beacon_tells_where_it_comes_from():
    frame = discovery.beacon("10.0.0.1", "enp1s0f1np1", MAC)
    assert len(frame) >= 60
    assert discovery.read_beacon(frame) == ("10.0.0.1", "enp1s0f1np1")


@given(st.binary(max_size=100))
def test_no_other_frame_is_a_beacon(frame):
    assert discovery.read_beacon(frame) is None
    assert discovery.read_beacon(discovery.beacon("a", "b", MAC)[:31] + frame) is None


def test_avahi():
    text = (
        "+;enP7s7;IPv4;spark-b;_ssh._tcp;local\n"
        '=;enP7s7;IPv4;spark-b;_ssh._tcp;local;spark-b.local;192.168.1.12;22;""\n'
        '=;enP7s7;IPv6;spark-b;_ssh._tcp;local;spark-b.local;fe80::1;22;""\n'
        '=;enP7s7;IPv4;spark-a;_ssh._tcp;local;Spark-a.local;192.168.1.11;22;""\n'
        '=;wlan0;IPv4;spark-a;_ssh._tcp;local;Spark-a.local;192.168.1.11;22;""\n'
        '=;enP7s7;IPv4;nas;_ssh._tcp;local;nas.local;192.168.1.2;22;""\n'
    )
    assert discovery.avahi(text, "spark") == ["192.168.1.11", "192.168.1.12"]
