"""A host's network as a module's JSON and as a value."""

import pytest
from ansible.module_utils.twinspark.network.state import Network
from ansible.module_utils.twinspark.proof.json_form import ShapeError, to_json

FOUND = {
    "links": [{"name": "enp1s0f1np1", "mac": "02:00:00:00:00:01", "mtu": 9000, "up": True, "carrier": True}],
    "owners": {"enp1s0f1np1": {"kind": "networkd", "file": "/run/systemd/network/10-netplan-enp1s0f1np1.network"}},
    "sysctls": {"enp1s0f1np1": {"arp_ignore": 1, "arp_announce": None}},
    "heard": {"enp1s0f1np1": [["spark2", "enp1s0f1np1"]]},
    "boot": {"same": True, "reason": "", "others": []},
}


def test_a_network_comes_back_from_its_json():
    network = Network.from_json(FOUND)
    assert network.by_name()["enp1s0f1np1"].mtu == 9000
    assert network.sysctls["enp1s0f1np1"]["arp_announce"] is None
    assert network.heard["enp1s0f1np1"] == (("spark2", "enp1s0f1np1"),)
    assert Network.from_json(to_json(network)) == network


def test_what_is_not_said_is_the_cautious_answer():
    network = Network.from_json({"links": []})
    assert not network.boot.same
    assert not network.netplan_installed


@pytest.mark.parametrize(
    ("found", "words"),
    [({}, "links is missing"), ({"links": [{"mtu": 9000}]}, "name is missing"), ({"links": 3}, "links must be a list")],
)
def test_a_wrong_part_is_named(found, words):
    with pytest.raises(ShapeError, match=words):
        Network.from_json(found)
