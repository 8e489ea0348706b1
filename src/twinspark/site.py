"""What `twinspark init` writes beside an inventory: the settings to edit, and an ansible.cfg for plain Ansible."""

from __future__ import annotations

import re
from pathlib import Path

from .paths import is_checkout, site_of

HEADER = "# Written by `twinspark init`, so that plain Ansible finds the roles and plugins of twinspark.\n"
RENEWED = "# Where those lie somewhere else by now: `twinspark init --force` writes this file again.\n"
# Settings of ansible.cfg that are paths in twinspark's content.
PATHS = re.compile(r"^(roles_path|library|module_utils|filter_plugins|callback_plugins) = (.+)$", re.MULTILINE)
RAILS = re.compile(r"^twinspark_rails:\n(?: +.*\n)+", re.MULTILINE)
OWN_RAILS = (
    "# Each host has its own list under its name in inventory/hosts.yml, which wins: change it there. A list here\n"
    "# holds for a host that has none there.\n"
)
INVENTORY = re.compile(r"^inventory = .+$", re.MULTILINE)


def furnish(inventory: Path, content: Path) -> list[str]:
    """Write what is missing beside *inventory*; notes for the owner. A checkout has all of it already."""
    site = site_of(inventory)
    if site.resolve() == content.resolve():
        return []
    settings(inventory.parent, site, content)
    return configuration(site / "ansible.cfg", inventory.relative_to(site), content)


def settings(folder: Path, site: Path, content: Path) -> None:
    """group_vars/ of the site, with a link to it beside the inventory, where Ansible looks. What is there stays."""
    beside = folder / "group_vars"
    if folder != site and not beside.exists():
        (site / "group_vars").mkdir(exist_ok=True)
        beside.unlink(missing_ok=True)  # a link to nowhere
        beside.symlink_to("../group_vars")
    general = beside / "all"
    if not general.exists():
        general.unlink(missing_ok=True)  # of a checkout that is somewhere else by now
        general.mkdir(parents=True)
    templates = content / ("group_vars/all" if is_checkout(content) else "site/group_vars/all")
    for template in sorted(templates.iterdir()):
        if not (general / template.name).exists():
            (general / template.name).write_text(RAILS.sub(commented, template.read_text()))


def commented(found: re.Match[str]) -> str:
    """The rails as a comment: the inventory gives each host its own, over which a list in group_vars has no power."""
    return OWN_RAILS + "".join(f"# {line}\n" for line in found[0].splitlines())


def configuration(target: Path, inventory: Path, content: Path) -> list[str]:
    """ansible.cfg of the site; one that is the owner's own is left alone, which a note tells."""
    if target.exists() and not target.read_text(errors="replace").startswith(HEADER):
        return [
            f"{target} is not by `twinspark init` and stays as it is: for plain Ansible, set ANSIBLE_CONFIG to "
            f"{content / 'ansible.cfg'}"
        ]
    own = (content / "ansible.cfg").read_text()
    absolute = PATHS.sub(lambda found: f"{found[1]} = {content / found[2]}", own)
    target.write_text(HEADER + RENEWED + INVENTORY.sub(lambda _: f"inventory = {inventory}", absolute))
    return []
