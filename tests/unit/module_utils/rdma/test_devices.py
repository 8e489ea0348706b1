"""How much a device can carry by what it says of itself. The verdicts on a whole fabric: test_verdicts.py."""

from dataclasses import replace

import pytest
from ansible.module_utils.twinspark.rdma import devices
from ansible.module_utils.twinspark.rdma.facts import MELLANOX, Device, pcie_bit_s

CONNECTX = Device(vendor=MELLANOX, rate_bit_s=200e9, pcie_bit_s=pcie_bit_s(32.0, 4))


@pytest.mark.parametrize(
    ("device", "gbit"),
    [
        (CONNECTX, 126.0),  # Gen5 x4 carries less than the link
        (replace(CONNECTX, pcie_bit_s=pcie_bit_s(32.0, 8)), 200.0),
        (replace(CONNECTX, pcie_bit_s=pcie_bit_s(32.0, 2)), 63.0),
        (replace(CONNECTX, pcie_bit_s=None), 200.0),
    ],
)
def test_the_narrower_of_link_and_lanes_counts(device, gbit):
    assert devices.capacity(device) / 1e9 == pytest.approx(gbit, abs=0.1)


@pytest.mark.parametrize("device", [Device(), replace(CONNECTX, vendor=None), replace(CONNECTX, rate_bit_s=None)])
def test_what_is_not_known_to_tell_the_truth_has_no_capacity(device):
    assert devices.capacity(device) is None
