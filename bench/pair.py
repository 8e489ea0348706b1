"""The hosts of an inventory, for measurements and fault tests that talk to them without a play."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.twinspark.inventory.fabric import fabric

import twinspark  # noqa: F401 - puts the shared code where the next line finds it

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "roles/hf_weights/files/twinspark_weights"
CORE = ROOT / "module_utils"
TOOLS = Path(sys.executable).parent


def lab_inventory(name: str) -> Path:
    """The inventory that `twinspark lab up --name NAME` leaves."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local/state")
    return Path(state) / "twinspark/lab" / name / "inventory"


class Pair:
    """SSH into the hosts of an inventory, with its own key and pinned host keys."""

    def __init__(self, inventory: Path) -> None:
        argv = [str(TOOLS / "ansible-inventory"), "-i", str(inventory), "--list"]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        done = subprocess.run(argv, capture_output=True, text=True, check=True, env=environment)
        found = json.loads(done.stdout)
        self.settings: dict[str, dict[str, Any]] = found["_meta"]["hostvars"]
        groups = [found["sparks"]]
        names: list[str] = []
        while groups:
            group = groups.pop(0)
            names += group.get("hosts", [])
            groups += [found[child] for child in group.get("children", [])]
        self.names = names
        self.fabric = [host.to_json() for host in fabric(names, self.settings)]
        self._sockets = tempfile.TemporaryDirectory(prefix="pair-")

    def ssh(self, host: str) -> list[str]:
        """The command line that reaches a host."""
        told = self.settings[host]
        options = shlex.split(told.get("ansible_ssh_common_args", ""))
        key = told.get("ansible_ssh_private_key_file")
        identity = ["-i", key] if key else []
        shared = ["-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", f"ControlPath={self._sockets.name}/%C"]
        return ["ssh", *options, *shared, *identity, f"{told['ansible_user']}@{told['ansible_host']}"]

    def hang_up(self, host: str) -> None:
        """End the shared connection to a host, which a reboot would leave hanging."""
        argv = self.ssh(host)
        subprocess.run([*argv[:-1], "-O", "exit", argv[-1]], capture_output=True, check=False)

    def start(self, host: str, command: str, **popen: Any) -> subprocess.Popen[bytes]:
        """A shell command on a host, not waited for."""
        return subprocess.Popen([*self.ssh(host), command], **popen)

    def run(self, host: str, command: str, *, check: bool = True, stdin: bytes = b"") -> str:
        """A shell command on a host; its output, with stderr when unchecked. RuntimeError has its last words."""
        done = subprocess.run([*self.ssh(host), command], input=stdin, capture_output=True, check=False)
        if check and done.returncode:
            words = (done.stderr or done.stdout).decode(errors="replace").strip()[-2000:]
            raise RuntimeError(f"{host}: `{command[:80]}` ended with {done.returncode}: {words}")
        return done.stdout.decode() + ("" if check else done.stderr.decode())

    def put(self, host: str, folder: str, files: dict[str, bytes]) -> None:
        """Lay files down in a folder of the login user's."""
        text = io.BytesIO()
        with tarfile.open(fileobj=text, mode="w") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        where = shlex.quote(folder)
        self.run(host, f"mkdir -p {where} && tar -xf - -C {where}", stdin=text.getvalue())

    def install(self, host: str, folder: str) -> None:
        """The program that the role's jobs run, as this checkout has it."""
        files = {path.name: path.read_bytes() for path in PROGRAM.glob("*.py")}
        for package in ("twinspark", "twinspark/inventory", "twinspark/proof", "twinspark/weights", "twinspark_host"):
            files |= {f"core/{path.relative_to(CORE)}": path.read_bytes() for path in (CORE / package).glob("*.py")}
        self.put(host, folder, files)
