"""What names and the tools' output say of RDMA devices. Read from sysfs: host/test_rdma_sysfs.py."""

import pytest
from ansible.module_utils.twinspark.rdma import facts as rdma_facts


@pytest.mark.parametrize(
    ("name", "pci"),
    [
        ("rocep1s0f1", "0000:01:00.1"),
        ("roceP2p1s0f0", "0002:01:00.0"),
        ("ibp193s0", "0000:c1:00.0"),
        ("mlx5_0", None),
        ("rxe0", None),
    ],
)
def test_a_persistent_name_is_its_pci_function(name, pci):
    assert rdma_facts.pci_of(name) == pci


@pytest.mark.parametrize(("netdev", "roce"), [(9000, 4096), (1500, 1024), (4200, 4096), (2300, 2048), (68, None)])
def test_the_roce_mtu_follows_the_netdev(netdev, roce):
    assert rdma_facts.mtu_of(netdev) == roce


@pytest.mark.parametrize(
    ("speed", "width", "gbit"), [(32.0, 4, 126.03), (32.0, 2, 63.02), (16.0, 4, 63.02), (5.0, 8, 32.0)]
)
def test_what_pcie_lanes_carry(speed, width, gbit):
    assert rdma_facts.pcie_bit_s(speed, width) == pytest.approx(gbit * 1e9, rel=1e-3)
    assert rdma_facts.pcie_bit_s(None, width) is None


DEVINFO = """\
hca_id:	rocep1s0f1
	transport:			InfiniBand (0)
	fw_ver:				28.45.4028
	phys_port_cnt:			1
		port:	1
			state:			PORT_ACTIVE (4)
			max_mtu:		4096 (5)
			active_mtu:		1024 (3)
			link_layer:		Ethernet

hca_id:	roceP2p1s0f1
		port:	1
			active_mtu:		4096 (5)
"""
LINK = (
    '[{"ifindex":0,"ifname":"rocep1s0f1","port":1,"state":"ACTIVE","physical_state":"LINK_UP",'
    '"netdev":"enp1s0f1np1","netdev_index":4}]'
)


def test_the_tools_know_the_active_mtu_better():
    found = rdma_facts.HostFacts(devices={"rocep1s0f1": rdma_facts.Device(present=True, active_mtu=4096)})
    facts = rdma_facts.with_tools(found, DEVINFO, LINK)
    assert facts.devices["rocep1s0f1"].active_mtu == 1024


@pytest.mark.parametrize("text", ["", "noise", "{}", "[1]", '[{"port":1}]'])
def test_tools_that_say_nothing_change_nothing(text):
    assert rdma_facts.links(text) == {}
    assert rdma_facts.active_mtus(text) == {}
