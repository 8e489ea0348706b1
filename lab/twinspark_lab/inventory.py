"""The lab's inventory: hosts with pinned keys, the checkout's settings, and the lab's overrides with their reasons."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import yaml

from .access import ssh_options
from .hosts import Placement
from .names import USER, Lab, checkout

HEADER = "# Written by `twinspark lab up`; the next one writes it anew.\n"


def hosts_yaml(lab: Lab, places: Sequence[Placement], extra: Mapping[str, Any] | None = None) -> str:
    """The inventory file: group sparks holds the child group lab, which holds the hosts in rank order.

    `extra` are connection variables besides the usual ones.
    """
    hosts = {place.host: {"ansible_host": place.address} for place in places}
    variables: dict[str, Any] = {
        "ansible_user": USER,
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": str(lab.key),
        "ansible_ssh_common_args": " ".join(["-F", "/dev/null", *ssh_options(lab)]),
        **(extra or {}),
    }
    tree = {"sparks": {"children": {"lab": {"hosts": hosts, "vars": variables}}}}
    return HEADER + yaml.safe_dump(tree, sort_keys=False, width=1000)


def lab_yaml(template: str, values: Mapping[str, Any]) -> str:
    """group_vars of the group lab from lab/inventory/lab.yml.j2; an unknown name in the template is an error."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True,
        # What stands in {{ }} is Ansible's own; the lab's values are in << >>.
        variable_start_string="<<", variable_end_string=">>", autoescape=False,  # noqa: S701
    )  # fmt: skip
    return HEADER + environment.from_string(template).render(**values)


def write(
    lab: Lab,
    places: Sequence[Placement],
    values: Mapping[str, Any],
    template: str = "lab.yml.j2",
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Write the inventory folder, with group_vars from `template` of lab/inventory and the lab's profiles; its path."""
    group_vars = lab.inventory / "group_vars"
    group_vars.mkdir(parents=True, exist_ok=True)
    point(group_vars / "all", checkout() / "group_vars" / "all")
    point(lab.state / "profiles", checkout() / "lab" / "profiles")
    (lab.inventory / "hosts.yml").write_text(hosts_yaml(lab, places, extra))
    text = (checkout() / "lab" / "inventory" / template).read_text()
    (group_vars / "lab.yml").write_text(lab_yaml(text, {"lab": lab.name, **values}))
    return lab.inventory


def point(link: Path, target: Path) -> None:
    """Make *link* a link to *target*, whichever checkout it pointed into before."""
    if not link.is_symlink() or link.readlink() != target:
        link.unlink(missing_ok=True)
        link.symlink_to(target)
