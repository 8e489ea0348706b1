"""What a verb works on: the content, the inventory, and what the controller keeps about it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from . import paths
from .errors import UsageError


@dataclass(frozen=True)
class Place:
    """The content (playbooks, roles), the inventory, and what is kept about it."""

    content: Path
    inventory: Path

    @property
    def site(self) -> Path:
        return paths.site_dir(self.inventory)

    @property
    def proofs(self) -> Path:
        return self.site / "proofs"

    @classmethod
    def find(cls, inventory: str | Path | None) -> Place:
        """Both, seen to exist."""
        content = paths.content_dir()
        return cls(content, paths.inventory_path(inventory, content))

    @property
    def workdir(self) -> Path:
        """Where Ansible runs, and so what relative paths in settings mean: the checkout, else the site."""
        return self.content if paths.is_checkout(self.content) else paths.site_of(self.inventory)

    def login_of(self, host: str) -> tuple[str, str]:
        """User and port by which the inventory says that a host is logged in to; "" for what it doesn't say."""
        argv = [str(Path(sys.executable).with_name("ansible-inventory")), "-i", str(self.inventory), "--host", host]
        done = subprocess.run(argv, cwd=self.workdir, capture_output=True, text=True, check=False, timeout=60)
        told = json.loads(done.stdout) if done.returncode == 0 else {}
        return str(told.get("ansible_user", "")), str(told.get("ansible_port", ""))

    def playbook(self, verb: str) -> Path:
        """The playbook of a verb or a stage."""
        found = self.content / f"playbooks/{verb}.yml"
        if not found.is_file():
            raise UsageError(f"{self.content} has no {found.relative_to(self.content)}: update it")
        return found


@dataclass(frozen=True)
class Options:
    """How playbooks are run."""

    check: bool = False
    diff: bool = False
    verbosity: int = 0
    expect_unchanged: bool = False
    become_password: str = field(default="", repr=False)
