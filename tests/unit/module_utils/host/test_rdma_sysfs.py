"""RDMA facts read from a sysfs tree like a Spark's."""

from pathlib import Path

import pytest
from ansible.module_utils.twinspark.rdma import facts as rdma_facts
from ansible.module_utils.twinspark_host import rdma_sysfs


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def spark(root: Path, **changes: str) -> Path:
    """One ConnectX-7 function with its RoCE device, as the kernel lays it out."""
    pci = "sys/devices/pci0000:00/0000:00:00.0/0000:01:00.1"
    port = f"{pci}/infiniband/rocep1s0f1/ports/1"
    files = {
        f"{pci}/vendor": "0x15b3\n",
        f"{pci}/current_link_speed": "32.0 GT/s PCIe\n",
        f"{pci}/current_link_width": "4\n",
        f"{pci}/infiniband/rocep1s0f1/fw_ver": "28.45.4028\n",
        f"{port}/state": "4: ACTIVE\n",
        f"{port}/phys_state": "5: LinkUp\n",
        f"{port}/rate": "200 Gb/sec (4X HDR)\n",
        f"{port}/link_layer": "Ethernet\n",
        f"{port}/gids/0": "fe80:0000:0000:0000:4ebb:47ff:fe2a:0001\n",
        f"{port}/gids/3": "0000:0000:0000:0000:0000:ffff:c0a8:b10b\n",
        f"{port}/gids/9": "0000:0000:0000:0000:0000:0000:0000:0000\n",
        **{f"{port}/gid_attrs/types/{n}": kind for n, kind in ((0, "IB/RoCE v1\n"), (3, "RoCE v2\n"))},
        **{f"{port}/gid_attrs/ndevs/{n}": "enp1s0f1np1\n" for n in (0, 3)},
        "sys/class/net/enp1s0f1np1/mtu": "9000\n",
        "sys/bus/pci/drivers/mlx5_core/module": "",
    }
    write(root, files | {f"{port}/{name}": text for name, text in changes.items()})
    (root / f"{pci}/driver").symlink_to("../../../../bus/pci/drivers/mlx5_core")
    (root / f"{pci}/infiniband/rocep1s0f1/device").symlink_to("../../../0000:01:00.1")
    for link, target in (
        ("sys/class/infiniband/rocep1s0f1", "../../devices/pci0000:00/0000:00:00.0/0000:01:00.1/infiniband/rocep1s0f1"),
        ("sys/bus/pci/devices/0000:01:00.1", "../../../devices/pci0000:00/0000:00:00.0/0000:01:00.1"),
    ):
        (root / link).parent.mkdir(parents=True, exist_ok=True)
        (root / link).symlink_to(target)
    return root


def test_a_soft_device_has_no_function_and_no_firmware_to_tell_of(tmp_path):
    """As Soft-RoCE shows in the VM hosts' sysfs: no link to a PCI function, an empty fw_ver, the netdev as parent."""
    port = "sys/class/infiniband/rocep1s0f1/ports/1"
    write(
        tmp_path,
        {
            "sys/class/infiniband/rocep1s0f1/fw_ver": "\n",
            "sys/class/infiniband/rocep1s0f1/parent": "enp1s0f1np1\n",
            f"{port}/state": "1: DOWN\n",
            f"{port}/phys_state": "3: Disabled\n",
            f"{port}/rate": "2.5 Gb/sec (1X SDR)\n",
            f"{port}/link_layer": "Ethernet\n",
            "sys/class/net/enp1s0f1np1/mtu": "9000\n",
        },
    )
    device = rdma_sysfs.read(tmp_path).devices["rocep1s0f1"]
    assert [getattr(device, name) for name in ("pci", "driver", "vendor", "firmware")] == [None] * 4
    assert (device.state, device.netdev, device.active_mtu) == ("DOWN", "enp1s0f1np1", 4096)


def test_a_device_is_read_whole(tmp_path):
    device = rdma_sysfs.read(spark(tmp_path)).devices["rocep1s0f1"]
    assert device.state == "ACTIVE"
    assert device.physical_state == "LinkUp"
    assert device.rate_bit_s == 200e9
    assert (device.pcie_speed_gt, device.pcie_width) == (32.0, 4)
    assert device.pcie_bit_s == pytest.approx(126.03e9, rel=1e-4)
    assert (device.netdev, device.netdev_mtu, device.active_mtu) == ("enp1s0f1np1", 9000, 4096)
    assert (device.pci, device.driver, device.vendor) == ("0000:01:00.1", "mlx5_core", "0x15b3")
    assert device.firmware == "28.45.4028"
    assert device.other_cage == "rocep1s0f0"


def test_gids_have_type_netdev_and_address_and_empty_slots_are_left_out(tmp_path):
    gids = rdma_sysfs.read(spark(tmp_path)).devices["rocep1s0f1"].gids
    assert [(gid.index, gid.type, gid.address) for gid in gids] == [
        (0, "IB/RoCE v1", None), (3, "RoCE v2", "192.168.177.11"),
    ]  # fmt: skip


def test_a_device_that_is_not_there_says_so(tmp_path):
    device = rdma_sysfs.read(spark(tmp_path), ["roceP2p1s0f1"]).devices["roceP2p1s0f1"]
    assert device == rdma_facts.Device(pci="0002:01:00.1", other_cage="roceP2p1s0f0")


def test_a_machine_without_rdma_has_no_devices(tmp_path):
    assert rdma_sysfs.read(tmp_path) == rdma_facts.HostFacts()
