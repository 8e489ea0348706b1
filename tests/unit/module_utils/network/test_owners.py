"""Who configures a link beside netplan. Cases: cases/owners.yaml."""

from pathlib import Path

import pytest
from ansible.module_utils.twinspark.network import owners
from ansible.module_utils.twinspark.network.state import Link

from tests.support import cases

LINKS = [
    Link("lo", mac="00:00:00:00:00:00"),
    Link("eth0", mac="02:00:00:00:00:01", driver="r8127"),
    Link("enp1s0f1np1", mac="02:00:00:00:00:02", driver="mlx5_core"),
    Link("enP2p1s0f1np1", mac="02:00:00:00:00:03", driver="mlx5_core"),
]


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases" / "owners.yaml"))
def test_claims(case):
    if "networkd" in case:
        found = owners.networkd_links(case["networkd"]["file"], case["networkd"]["text"], LINKS)
    else:
        found = owners.profile_links(case["profile"], LINKS)
    assert found == case["expect"]


def test_networkd_tells_by_which_file_it_has_configured_a_link():
    text = "# private\nADMIN_STATE=configured\nNETWORK_FILE=/run/systemd/network/10-netplan-eth0.network\n"
    assert owners.networkd_runtime(text) == "/run/systemd/network/10-netplan-eth0.network"
    assert owners.networkd_runtime("ADMIN_STATE=unmanaged\n") == ""
    assert owners.networkd_runtime("") == ""


def test_networkmanager_tells_which_profile_is_active_on_a_link():
    text = "eth0:/run/NetworkManager/system-connections/netplan-eth0.nmconnection\n:\nlo:/run/a\\:b.nmconnection\n"
    assert owners.manager_runtime(text) == {
        "eth0": "/run/NetworkManager/system-connections/netplan-eth0.nmconnection",
        "lo": "/run/a:b.nmconnection",
    }
