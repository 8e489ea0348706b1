"""The recorded /sys: kernel formats, and links that lead somewhere."""

import io
import tarfile

import pytest

from twinspark_lab import furnish, rails, sysfs

MACS = {"enp1s0f1np1": "02:11:22:33:44:55", "enP2p1s0f1np1": "02:11:22:33:44:66"}


@pytest.fixture
def unpacked(tmp_path):
    tree = sysfs.tree(rails.DEFAULT, MACS, 11)
    with tarfile.open(fileobj=io.BytesIO(furnish.archive({}, tree, "root"))) as tar:
        tar.extractall(tmp_path, filter="tar")
    return tmp_path / "root"


def test_cage_and_pci_function_of_a_rail(unpacked):
    for rail in rails.DEFAULT:
        net = unpacked / "sys/class/net" / rail.interface
        assert (net / "phys_port_name").read_text() == "p1\n"
        assert (net / "device").resolve().name == rail.pci
        assert (net / "device" / "infiniband").is_dir()


def test_roce_device_of_a_rail(unpacked):
    device = unpacked / "sys/class/infiniband/roceP2p1s0f1"
    assert [path.name for path in (device / "device/net").iterdir()] == ["enP2p1s0f1np1"]
    port = device / "ports/1"
    assert (port / "state").read_text() == "4: ACTIVE\n"
    assert (port / "rate").read_text() == "200 Gb/sec (4X HDR)\n"
    assert (port / "link_layer").read_text() == "Ethernet\n"
    assert (port / "gids/3").read_text() == "0000:0000:0000:0000:0000:ffff:c0a8:b20b\n"
    assert (port / "gid_attrs/types/3").read_text() == "RoCE v2\n"
    assert (port / "gids/0").read_text() == "fe80:0000:0000:0000:0011:22ff:fe33:4466\n"


def test_every_link_leads_somewhere(unpacked):
    links = [path for path in unpacked.rglob("*") if path.is_symlink()]
    assert links
    assert all(path.exists() for path in links)


def test_a_port_that_is_down():
    assert sysfs.port_state(False)["state"] == "1: DOWN\n"
