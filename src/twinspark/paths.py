"""Where things are: twinspark's content (playbooks, roles), the owner's site (inventory, settings, profiles), and what
the controller keeps about one inventory.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KEPT_RUNS = 10
PACKAGE = Path(__file__).resolve().parent
INVENTORY = Path("inventory/hosts.yml")  # in a site
STATE_FIX = "make room and see whose it is, or set TWINSPARK_STATE_DIR to a folder of yours"


class PathError(ValueError):
    """Something named is not there; the message says what and the fix."""


def is_content(folder: Path) -> bool:
    """Whether twinspark's playbooks and roles are in a folder."""
    return (folder / "site.yml").is_file() and (folder / "roles").is_dir()


def packaged_content() -> Path:
    """The content that belongs to this package: the checkout around it, else the folder that its wheel carries."""
    checkout = PACKAGE.parents[1]
    return checkout if is_content(checkout) else PACKAGE / "content"


def content_dir() -> Path:
    """Playbooks, roles, modules: $TWINSPARK_HOME, else the checkout around the working directory, else the package's.

    Raises PathError where TWINSPARK_HOME names a folder without them.
    """
    home = os.environ.get("TWINSPARK_HOME")
    if home:
        folder = Path(home).expanduser().absolute()
        if not is_content(folder):
            raise PathError(
                f"TWINSPARK_HOME is {folder}, which has no site.yml and roles: point it at the checkout, or unset it"
            )
        return folder
    return next(filter(is_content, cwd_and_above()), packaged_content())


def is_checkout(content: Path) -> bool:
    """Whether content is a checkout, which has an inventory and settings of its own; what a wheel carries has none."""
    return (content / "inventory").is_dir()


def lab_dir() -> Path | None:
    """The lab's folder, which only a checkout has."""
    folder = content_dir() / "lab"
    return folder if (folder / "twinspark_lab").is_dir() else None


def cwd_and_above() -> Iterator[Path]:
    """The working directory, then each folder above it."""
    cwd = Path.cwd()
    yield from (cwd, *cwd.parents)


def inventory_path(given: str | Path | None, content: Path) -> Path:
    """The inventory, absolute: the one given, else $TWINSPARK_INVENTORY, else the nearest inventory/hosts.yml."""
    if given == "":
        raise PathError("-i names no inventory: give its path, or leave -i out")
    named = given or os.environ.get("TWINSPARK_INVENTORY") or nearest_inventory(content)
    path = Path(os.path.abspath(Path(named).expanduser()))  # noqa: PTH100 - links are not followed, as in Ansible
    if not path.exists():
        raise PathError(f"there is no inventory {path}: write one, make one with `twinspark init`, or name it with -i")
    return path


def nearest_inventory(content: Path) -> Path:
    """inventory/hosts.yml of the working directory or a folder above; where there is none, of the checkout, if any."""
    for folder in cwd_and_above():
        if (folder / INVENTORY).is_file():
            return folder / INVENTORY
        if is_content(folder):
            break
    return (content if is_checkout(content) else Path.cwd()) / INVENTORY


def new_site(content: Path) -> Path:
    """Where a new site goes: into the checkout if it is around the working directory, else into the latter."""
    return content if content in cwd_and_above() else Path.cwd()


def site_of(inventory: Path) -> Path:
    """The folder of an inventory's settings and profiles: the one above, if the inventory's own is called inventory."""
    folder = inventory if inventory.is_dir() else inventory.parent
    return folder.parent if folder.name == INVENTORY.parent.name else folder


def state_base() -> Path:
    """Where everything that twinspark remembers on the controller lies."""
    given = os.environ.get("TWINSPARK_STATE_DIR")
    if given:
        if Path(given).exists() and not Path(given).is_dir():
            raise PathError(f"TWINSPARK_STATE_DIR is {given}, which is a file: name a folder, or unset it")
        return Path(given)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "twinspark"


def site_dir(inventory: Path) -> Path:
    """What is kept about one inventory. roles/common/vars/main.yml computes the same (held by a test)."""
    absolute = Path(os.path.abspath(inventory))  # noqa: PTH100 - as above
    folder = absolute if absolute.is_dir() else absolute.parent
    return state_base() / "sites" / hashlib.sha256(str(folder).encode()).hexdigest()[:12]


def proofs_in(folder: Path) -> Path:
    """A folder of proofs that was named. Raises PathError where it has none."""
    if not any(folder.glob("*.json")):
        raise PathError(f"{folder} has no proof: name a folder with files like rdma.json, as /var/lib/twinspark/proofs")
    return folder


def prepare_site(inventory: Path) -> Path:
    """The site's folder, made for its owner's eyes only, with a note of which inventory it is for."""
    site = site_dir(inventory)
    with writing(site, STATE_FIX):
        private(site)
        (site / "inventory.txt").write_text(f"{inventory}\n")
    return site


def new_run_dir(site: Path) -> Path:
    """A fresh folder for one run; the oldest beyond the last few are removed."""
    runs = site / "runs"
    with writing(runs, STATE_FIX):
        return made_run_dir(runs)


def made_run_dir(runs: Path) -> Path:
    """A fresh folder in `runs`."""
    private(runs)
    for old in sorted(runs.iterdir())[: -(KEPT_RUNS - 1)]:
        shutil.rmtree(old, ignore_errors=True)
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    run = runs / f"{stamp}-{os.getpid()}"
    private(run)
    return run


@contextmanager
def writing(target: Path, fix: str) -> Iterator[None]:
    """What the machine does not let us write is told in one sentence."""
    try:
        yield
    except OSError as error:
        raise PathError(f"{target} can't be written ({error.strerror or error}): {fix}") from error


def private(folder: Path) -> None:
    """Make a folder, and each one above that is missing, with mode 0700."""
    for missing in reversed([folder, *missing_above(folder)]):
        missing.mkdir(mode=0o700, exist_ok=True)


def missing_above(folder: Path) -> Iterator[Path]:
    """Ancestors that do not exist yet, the nearest first."""
    for parent in folder.parents:
        if parent.exists():
            return
        yield parent
