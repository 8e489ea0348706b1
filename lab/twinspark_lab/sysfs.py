"""A recorded /sys for the facts that a veth cannot give: cage, PCI function, RoCE device, as the kernel prints them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import PurePosixPath

from .rails import Rail

ROOT = "var/lib/twinspark-lab/sysfs"


@dataclass(frozen=True)
class Link:
    """A symbolic link, relative as sysfs has them."""

    target: str


Tree = dict[str, str | Link]


def gid(address: IPv4Address) -> str:
    """The RoCE GID of an IPv4 address, as ports/1/gids/N prints it."""
    high, low = divmod(int(address), 1 << 16)
    return f"0000:0000:0000:0000:0000:ffff:{high:04x}:{low:04x}\n"


def link_local_gid(mac: str) -> str:
    """The default GID, made from the port's MAC (EUI-64)."""
    octets = [int(part, 16) for part in mac.split(":")]
    eui = [octets[0] ^ 2, octets[1], octets[2], 0xFF, 0xFE, *octets[3:]]
    groups = [f"{eui[i] << 8 | eui[i + 1]:04x}" for i in range(0, 8, 2)]
    return f"fe80:0000:0000:0000:{':'.join(groups)}\n"


def guid(mac: str) -> str:
    octets = mac.split(":")
    flat = "".join([*octets[:3], "03", "00", *octets[3:]])
    return ":".join(flat[i : i + 4] for i in range(0, 16, 4)) + "\n"


def port_state(up: bool) -> dict[str, str]:
    """The two files that follow the link."""
    if up:
        return {"state": "4: ACTIVE\n", "phys_state": "5: LinkUp\n"}
    return {"state": "1: DOWN\n", "phys_state": "3: Disabled\n"}


def pci_folder(rail: Rail) -> str:
    """The function's folder; both functions of a cage hang off root ports of their own."""
    domain = rail.pci.split(":", 1)[0]
    return f"sys/devices/pci{domain}:00/{domain}:00:00.0/{rail.pci}"


def port_folder(rail: Rail) -> str:
    return f"{pci_folder(rail)}/infiniband/{rail.hca}/ports/1"


def _up(path: str) -> str:
    """The way from the folder of *path* back to the tree's sys/."""
    return "../" * (len(PurePosixPath(path).parent.parts) - 1)


def tree(rails: Sequence[Rail], macs: Mapping[str, str], host_number: int) -> Tree:
    """The stand-in tree of one host: *macs* by interface, *host_number* the last octet of its rail addresses."""
    files: Tree = {
        # The wiring of the roles reads <root>/sys/class; a bare <root>/class leads to the same place.
        "class": Link("sys/class"),
        "sys/class/dmi/id/product_name": "NVIDIA_DGX_Spark\n",
        "sys/class/dmi/id/sys_vendor": "NVIDIA\n",
    }
    for rail in rails:
        files.update(_function(rail, macs[rail.interface], rail.subnet[host_number]))
    return files


def _function(rail: Rail, mac: str, address: IPv4Address) -> Tree:
    pci = pci_folder(rail)
    netdev, hca = f"{pci}/net/{rail.interface}", f"{pci}/infiniband/{rail.hca}"
    cage = f"p{rail.pci[-1]}\n"
    files: Tree = {
        f"{pci}/vendor": "0x15b3\n",
        f"{pci}/device": "0x1021\n",
        f"{pci}/class": "0x020000\n",
        f"{pci}/current_link_speed": "32.0 GT/s PCIe\n",
        f"{pci}/current_link_width": "4\n",
        f"{pci}/max_link_speed": "32.0 GT/s PCIe\n",
        f"{pci}/max_link_width": "16\n",
        f"{pci}/numa_node": "-1\n",
        f"{netdev}/phys_port_name": cage,
        f"{netdev}/phys_switch_id": mac.replace(":", "") + "0000\n",
        f"{netdev}/dev_port": "0\n",
        f"{netdev}/address": f"{mac}\n",
        f"{netdev}/speed": "200000\n",
        f"{netdev}/device": Link("../../../" + rail.pci),
        f"{hca}/node_type": "1: CA\n",
        f"{hca}/hca_type": "MT4129\n",
        f"{hca}/board_id": "NVD0000000087\n",
        f"{hca}/fw_ver": "28.45.4028\n",
        f"{hca}/hw_rev": "0\n",
        f"{hca}/node_guid": guid(mac),
        f"{hca}/sys_image_guid": guid(mac),
        f"{hca}/device": Link("../../../" + rail.pci),
    }
    port = port_folder(rail)
    values = {
        **port_state(True),
        "rate": "200 Gb/sec (4X HDR)\n",
        "link_layer": "Ethernet\n",
        "lid": "0x0\n",
        "sm_lid": "0x0\n",
        "cap_mask": "0x04010000\n",
    }
    files.update({f"{port}/{name}": value for name, value in values.items()})
    for index, value in enumerate([link_local_gid(mac)] * 2 + [gid(address)] * 2):
        files[f"{port}/gids/{index}"] = value
        files[f"{port}/gid_attrs/types/{index}"] = "RoCE v2\n" if index % 2 else "IB/RoCE v1\n"
        files[f"{port}/gid_attrs/ndevs/{index}"] = f"{rail.interface}\n"
    for name, target in ((f"sys/class/net/{rail.interface}", netdev), (f"sys/class/infiniband/{rail.hca}", hca)):
        files[name] = Link(_up(name) + target.removeprefix("sys/"))
    files[f"sys/bus/pci/devices/{rail.pci}"] = Link("../../../" + pci.removeprefix("sys/"))
    return files
