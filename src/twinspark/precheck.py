"""What can be seen to be wrong before a playbook starts: options, and an inventory that Ansible can't read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.twinspark.inventory import host_keys
from ansible.module_utils.twinspark.inventory.explain import inventory_trouble
from ansible.module_utils.twinspark.inventory.rules import did_you_mean
from ansible.module_utils.twinspark.inventory.secret_names import named_in, secret_names
from ansible.module_utils.twinspark.proof.proofs import STAGES

from .errors import SealedError, UsageError
from .runstate import NO_HOST

# Ansible's words where it needs a vault's password and has none.
SEALED = "no vault secrets found"
__all__ = ["SealedError", "UsageError", "extra_vars", "inventory", "stages"]

# By these a variable would change the checking of host keys, whatever ansible.cfg and the environment say.
UNPINNED = re.compile(rf"host_key_(?:checking|auto_add)$|^(?:{'|'.join((host_keys.FIRST, *host_keys.EXECUTABLES))})$")
UNPINNED_OPTION = re.compile("|".join((*host_keys.OPTIONS, "GlobalKnownHostsFile")), re.IGNORECASE)


def stages(names: Sequence[str]) -> list[str]:
    """The names, each once, in the order of the line."""
    for name in names:
        if name not in STAGES:
            raise UsageError(f"there is no stage {name!r}{did_you_mean(name, STAGES)}")
    return [stage for stage in STAGES if stage in names]


def extra_vars(pairs: Sequence[str]) -> dict[str, Any]:
    """`k=v` pairs; a value that is JSON (true, 3, [..]) is taken as such, anything else as text.

    A secret is refused: it would be in the shell's history and in the process list.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        if pair.startswith(("{", "[", "@")):  # not quoted in the message: it may hold anything
            raise UsageError("-e takes name=value, not a mapping or a file: give each variable an -e of its own")
        name, separator, text = pair.partition("=")
        if not separator or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise UsageError(f"-e takes name=value, not {pair!r}")
        for secret in [*secret_names([name]), *named_in(text)]:
            inside = "" if secret == name else f" in {name}"
            raise UsageError(
                f"{secret}{inside} looks like a secret, which must not be on a command line: put it in a file or vault"
            )
        if UNPINNED.search(name) or (name.startswith("ansible_") and UNPINNED_OPTION.search(text)):
            raise UsageError(
                f"{name} would change how host keys are checked, which nothing on a command line may: "
                "log in once by hand, compare the fingerprint, and keep it pinned"
            )
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def inventory(path: Path, project: Path) -> dict[str, Any]:
    """Ansible itself must be able to read all of the inventory for some host; what it says is told in one sentence. And
    there must be a host: a play over none does nothing, and Ansible calls that a success. Gives what Ansible lists.

    It knows every format and what wins. ansible.cfg has it refuse a key that is set twice and a file that does not
    parse. What the hosts of sparks have in the end, the first task of every playbook judges. Raises UsageError, and
    SealedError for one that is encrypted.
    """
    said, listed = read_by_ansible(["-i", str(path), "--list"], project)
    if not said:
        groups: dict[str, Any] = json.loads(listed)
        if not has_hosts(groups, "sparks"):
            raise UsageError(NO_HOST)
        return groups
    trouble = inventory_trouble(said)
    for file in [] if trouble.file else variable_files(path):  # Ansible does not say which of them it was
        again = inventory_trouble(read_by_ansible(["-i", "localhost,", "--list", "-e", f"@{file}"], project)[0])
        if again.why == trouble.why:
            trouble = again
            break
    raise (SealedError if SEALED in said else UsageError)(trouble.sentence(str(path)))


def has_hosts(groups: Mapping[str, Any], name: str) -> bool:
    """Whether a group has a host of its own or by a group below it."""
    group = groups.get(name, {})
    return bool(group.get("hosts")) or any(has_hosts(groups, child) for child in group.get("children", []))


def read_by_ansible(words: Sequence[str], project: Path) -> tuple[str, str]:
    """What ansible-inventory complains of when it fails, in the surroundings that the playbooks get, else empty; and
    what it lists.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ANSIBLE_") or k.startswith("ANSIBLE_VAULT_")}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-inventory")), *words],
        cwd=project,
        env={**kept, "ANSIBLE_CONFIG": str(project / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "PYTHONUTF8": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    said = done.stderr.strip() or f"exit code {done.returncode}" if done.returncode else ""
    return said, done.stdout


def variable_files(path: Path) -> list[Path]:
    """Files of variables beside an inventory."""
    folder = path if path.is_dir() else path.parent
    return [
        Path(parent, name)
        for kind in ("group_vars", "host_vars")
        for parent, _, names in (folder / kind).walk(follow_symlinks=True)
        for name in sorted(names)
    ]
