"""What weakens the checking of host keys: cases/host_keys.yaml; and what ssh makes of it."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.twinspark.inventory import host_keys

from tests.support import cases

ROOT = Path(__file__).resolve().parents[4]
ANY = (
    "lets any machine answer for the host: remove it, log in once by hand, compare the fingerprint, and keep it pinned"
)


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases/host_keys.yaml"))
def test_weakness(case: dict[str, Any]) -> None:
    found = host_keys.weakness(case["variable"], case["value"])
    assert found.startswith(case["weak"])
    assert bool(found) == bool(case["weak"])


def test_a_host_whose_key_is_not_to_be_checked_is_named() -> None:
    strict = {"ansible_ssh_args": "-C -o StrictHostKeyChecking=yes"}
    weak = {"ansible_host_key_checking": False}
    assert host_keys.unpinned(["spark1", "spark2"], {"spark1": weak, "spark2": strict}, {}) == [
        f"spark1: ansible_host_key_checking=False {ANY}"
    ]
    assert host_keys.unpinned(["spark1", "spark2"], {"spark1": {}, "spark2": {}}, weak | strict) == [
        f"ansible.cfg or the environment: ansible_host_key_checking=False {ANY}"
    ]
    assert host_keys.unpinned(["spark1"], {"spark1": weak, "spark2": {}}, weak) == [
        f"spark1: ansible_host_key_checking=False {ANY}",
        f"ansible.cfg or the environment: ansible_host_key_checking=False {ANY}",
    ]


def test_molecule_gives_ssh_the_same_first_arguments() -> None:
    shared = yaml.safe_load((ROOT / ".config/molecule/config.yml").read_text())
    first = re.findall(r"^ssh_args = (.+)$", (ROOT / "ansible.cfg").read_text(), re.MULTILINE)
    assert first == [shared["ansible"]["cfg"]["ssh_connection"]["ssh_args"]]
    assert host_keys.weakness("ansible_ssh_args", first[0]) == ""


@pytest.mark.parametrize(
    "arguments", ["", "-F {lax}", "-F {lax} -o StrictHostKeyChecking=no"], ids=["none", "a file", "an option"]
)
@pytest.mark.parametrize("variable", ["ansible_ssh_common_args", "ansible_ssh_extra_args"])
def test_the_checking_of_ansible_cfg_wins(tmp_path: Path, variable: str, arguments: str) -> None:
    """Ansible's own command line, and what ssh makes of it: `ssh -G` in ssh's place tells the settings that hold."""
    lax = tmp_path / "lax"
    lax.write_text("Host *\n  StrictHostKeyChecking no\n")
    inventory = tmp_path / "hosts.yml"
    given = {"ansible_host": "192.0.2.1", variable: arguments.format(lax=lax)}
    inventory.write_text(yaml.safe_dump({"sparks": {"hosts": {"spark1": given}}}))
    stand_in = tmp_path / "bin/ssh"
    stand_in.parent.mkdir()
    stand_in.write_text(f'#!/bin/sh\nPATH=${{PATH#*:}} exec ssh -G "$@" >>{tmp_path}/held\n')
    stand_in.chmod(0o755)
    subprocess.run(
        [str(Path(sys.executable).parent / "ansible"), "sparks", "-i", str(inventory), "-m", "raw", "-a", "true"],
        cwd=ROOT,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "PATH": f"{stand_in.parent}:{os.environ['PATH']}",
        },
        capture_output=True,
        check=False,
    )
    held = (tmp_path / "held").read_text()
    assert set(re.findall(r"^stricthostkeychecking (.+)$", held, re.MULTILINE)) == {"true"}
