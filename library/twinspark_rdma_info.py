#!/usr/bin/python
"""Ansible module: the RDMA facts of a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_rdma_info
short_description: Read the RDMA facts of a host
description:
  - Devices with netdev, driver, firmware, port state, rate, active MTU, PCIe width and speed and RoCE GIDs, from sysfs
    and from C(ibv_devinfo) and C(rdma). Which perftest tools there are, and whether a package owns them.
  - Changes nothing.
options:
  devices: {description: Devices to look for; a missing one is told., type: list, elements: str, default: []}
  tools: {description: Programs to look for on the PATH., type: list, elements: str, default: []}
  packages: {description: Packages whose versions are asked for., type: list, elements: str, default: []}
  sysfs_root: {description: Folder that holds C(sys/class/infiniband); the lab has its own., type: path, default: /}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Read the RDMA facts
  twinspark_rdma_info:
    devices: [rocep1s0f1, roceP2p1s0f1]
    tools: [ib_write_bw, ib_write_lat]
    packages: [perftest, rdma-core]
  register: rdma
"""

RETURN = r"""
devices: {description: Facts by device name., type: dict, returned: always}
functions: {description: PCI functions of the vendor by address., type: dict, returned: always}
tools: {description: "By name: path, and the package that owns it or null.", type: dict, returned: always}
packages: {description: Installed version by package, null where it is not installed., type: dict, returned: always}
missing: {description: Packages that are not installed., type: list, elements: str, returned: always}
"""

import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.proof.json_form import to_json
from ansible.module_utils.twinspark.rdma import facts as rdma_facts
from ansible.module_utils.twinspark_host import rdma_sysfs

ARGUMENTS: dict[str, Any] = {
    "devices": {"type": "list", "elements": "str", "default": []},
    "tools": {"type": "list", "elements": "str", "default": []},
    "packages": {"type": "list", "elements": "str", "default": []},
    "sysfs_root": {"type": "path", "default": "/"},
}


def output(module: AnsibleModule, argv: list[str]) -> str:
    """What a program prints; nothing when it is not installed or fails."""
    if not shutil.which(argv[0]):
        return ""
    code, out, _ = module.run_command(argv)
    return str(out) if code == 0 else ""


def owner(module: AnsibleModule, path: str) -> str | None:
    """The package that owns a file, also where /bin is a link to /usr/bin."""
    for candidate in dict.fromkeys((path, str(Path(path).resolve()), path.removeprefix("/usr"))):
        found = output(module, ["dpkg-query", "--search", candidate])
        if found:
            return found.split(":", 1)[0]
    return None


def tool(module: AnsibleModule, name: str) -> dict[str, str | None]:
    """Where a program is, and whose it is."""
    path = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    return {"path": path, "package": owner(module, path) if path else None}


def version(module: AnsibleModule, package: str) -> str | None:
    """The installed version of a package."""
    found = output(module, ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Version}", package])
    status, _, number = found.partition(" ")
    return number.strip() or None if status == "installed" else None


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    params = module.params
    root = Path(params["sysfs_root"])
    facts = rdma_sysfs.read(root, params["devices"])
    if root == Path("/"):  # the tools speak of the running kernel, not of a recorded tree
        facts = rdma_facts.with_tools(
            facts, output(module, ["ibv_devinfo"]), output(module, ["rdma", "-j", "link", "show"])
        )
    packages = {name: version(module, name) for name in params["packages"]}
    module.exit_json(
        changed=False,
        devices=to_json(facts.devices),
        functions=to_json(facts.functions),
        tools={name: tool(module, name) for name in params["tools"]},
        packages=packages,
        missing=[name for name, number in packages.items() if number is None],
    )


if __name__ == "__main__":
    main()
