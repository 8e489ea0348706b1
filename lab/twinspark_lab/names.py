"""What the lab's things are called and where they live."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from .shell import LabUsage

LABEL = "io.twinspark.lab"
IMAGE_LABEL = "io.twinspark.image"
HOSTS = ("spark1", "spark2")
USER = "spark"


@dataclass(frozen=True)
class Lab:
    """One lab by name: every container, network and volume of it carries `label`."""

    name: str
    hosts: tuple[str, ...] = HOSTS

    @property
    def label(self) -> str:
        return f"{LABEL}={self.name}"

    @property
    def network(self) -> str:
        return f"ts-{self.name}"

    @property
    def services(self) -> str:
        return f"ts-{self.name}-services"

    @property
    def state(self) -> Path:
        return state_home() / "lab" / self.name

    @property
    def inventory(self) -> Path:
        return self.state / "inventory"

    @property
    def key(self) -> Path:
        return self.state / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.state / "known_hosts"

    def container(self, host: str) -> str:
        return f"ts-{self.name}-{host}"

    def volume(self, host: str) -> str:
        return f"ts-{self.name}-{host}-docker"


def lab(name: str) -> Lab:
    """The lab called *name*; LabError for a name that Docker or a path would not take."""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?", name):
        raise LabUsage(f"{name!r} is no name for a lab: use up to 24 of a-z, 0-9 and inner dashes")
    return Lab(name)


def _home(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / default) / "twinspark"


def state_home() -> Path:
    return _home("XDG_STATE_HOME", ".local/state")


def cache_home() -> Path:
    return _home("XDG_CACHE_HOME", ".cache")


def checkout() -> Path:
    """The repository that this lab lies in."""
    return Path(__file__).resolve().parents[2]
