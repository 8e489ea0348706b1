"""What iproute2, ping, ARP and sshd's environment say. Recorded output: cases/ping.yaml."""

import socket
from pathlib import Path

import pytest
from ansible.module_utils.twinspark.network.state import Link
from ansible.module_utils.twinspark_host import kernel
from hypothesis import given
from hypothesis import strategies as st

from tests.support import cases

# `ip -json address show` of a lab host (iproute2 6.15), shortened to one link.
ADDRESS = """[{"ifindex":2,"link_index":2,"ifname":"enp1s0f1np1","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],
"mtu":9000,"qdisc":"noqueue","operstate":"UP","group":"default","txqlen":1000,"link_type":"ether",
"address":"02:55:4e:9b:35:69","broadcast":"ff:ff:ff:ff:ff:ff","link_netnsid":1,"addr_info":[
{"family":"inet","local":"192.168.177.11","prefixlen":24,"broadcast":"192.168.177.255","scope":"global"},
{"family":"inet6","local":"fe80::55:4eff:fe9b:3569","prefixlen":64,"scope":"link","protocol":"kernel_ll"}]},
{},{"ifname":"enP2p1s0f1np1","flags":["BROADCAST","MULTICAST"],"mtu":1500,"master":"bond0","addr_info":[{}]}]"""


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases" / "ping.yaml"))
def test_ping(case):
    assert kernel.ping(case["output"]) == case["expect"]


@given(st.text())
def test_no_output_of_ping_is_an_exception(text):
    assert set(kernel.ping(text)) == {"sent", "received", "rtt_ms", "problem"}


def test_links():
    first, second = kernel.links(ADDRESS)
    assert first == Link(
        name="enp1s0f1np1",
        mac="02:55:4e:9b:35:69",
        mtu=9000,
        up=True,
        carrier=True,
        addresses=("192.168.177.11/24",),
    )
    assert (second.up, second.carrier, second.master, second.addresses) == (False, False, "bond0", ())


def test_routes_by_gateway_come_last_and_lose_their_flags():
    text = "default via 10.0.0.1 linkdown \n10.0.0.0/24 proto kernel scope link src 10.0.0.2 \n"
    assert kernel.routes(text) == ["10.0.0.0/24 proto kernel scope link src 10.0.0.2", "default via 10.0.0.1"]


@pytest.mark.parametrize(
    ("text", "device", "source"),
    [
        ('[{"dst":"192.168.177.12","dev":"enp1s0f1np1","prefsrc":"192.168.177.11"}]', "enp1s0f1np1", "192.168.177.11"),
        ("", "", ""),
        ("RTNETLINK answers: Network is unreachable", "", ""),
    ],
)
def test_route_device(text, device, source):
    assert kernel.route_device(text) == {"device": device, "source": source}


def test_an_arp_probe_is_answered_by_its_owner_only():
    me, other = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
    probe = kernel.arp_probe(me, "192.168.177.11")
    assert len(probe) == 42
    assert kernel.arp_owner(probe, "192.168.177.11", me) == ""
    reply = probe[:20] + b"\0\2" + other + socket.inet_aton("192.168.177.11") + me + b"\0" * 4
    assert kernel.arp_owner(reply, "192.168.177.11", me) == "02:00:00:00:00:02"
    assert kernel.arp_owner(reply, "192.168.177.12", me) == ""
    assert kernel.arp_owner(reply[:20], "192.168.177.11", me) == ""


@pytest.mark.parametrize(
    ("environ", "expect"),
    [
        (b"PATH=/bin\0SSH_CONNECTION=10.0.0.9 5522 10.0.0.1 22\0", ("10.0.0.9", "10.0.0.1")),
        (b"SSH_CONNECTION=fe80::1%eth0 1 fe80::2%eth0 22\0", ("fe80::1", "fe80::2")),
        (b"SSH_CONNECTION=UNKNOWN\0", None),
        (b"", None),
    ],
)
def test_the_management_connection_is_told_by_sshd(environ, expect):
    assert kernel.ssh_connection(environ) == expect
