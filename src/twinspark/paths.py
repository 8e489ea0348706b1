"""Where things are: the checkout, the inventory, and what the controller keeps about one inventory (its site)."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KEPT_RUNS = 10
STATE_CURE = "make room and see whose it is, or set TWINSPARK_STATE_DIR to a folder of yours"


class PathError(ValueError):
    """Something named is not there; the message says what and the fix."""


def is_checkout(folder: Path) -> bool:
    """Whether a folder is a checkout of twinspark."""
    return (folder / "site.yml").is_file() and (folder / "roles").is_dir()


def project_dir() -> Path:
    """The checkout: $TWINSPARK_HOME, else the working directory or a folder above, else where this package lies."""
    home = os.environ.get("TWINSPARK_HOME")
    if home:
        folder = Path(home).expanduser().absolute()
        if not is_checkout(folder):
            raise PathError(f"TWINSPARK_HOME is {folder}, which has no site.yml and roles: point it at the checkout")
        return folder
    cwd = Path.cwd()
    for folder in (cwd, *cwd.parents, Path(__file__).resolve().parents[2]):
        if is_checkout(folder):
            return folder
    raise PathError("no checkout of twinspark found: run inside it, or set TWINSPARK_HOME to it")


def inventory_path(given: str | Path | None, project: Path) -> Path:
    """The inventory, absolute: the one given, else $TWINSPARK_INVENTORY, else inventory/hosts.yml of the checkout."""
    if given == "":
        raise PathError("-i names no inventory: give its path, or leave -i out")
    named = given or os.environ.get("TWINSPARK_INVENTORY") or project / "inventory/hosts.yml"
    path = Path(os.path.abspath(Path(named).expanduser()))  # noqa: PTH100 - links are not followed, as in Ansible
    if not path.exists():
        raise PathError(f"there is no inventory {path}: write one, make one with `twinspark init`, or name it with -i")
    return path


def state_base() -> Path:
    """Where everything that twinspark remembers on the controller lies."""
    given = os.environ.get("TWINSPARK_STATE_DIR")
    if given:
        if Path(given).exists() and not Path(given).is_dir():
            raise PathError(f"TWINSPARK_STATE_DIR is {given}, which is a file: name a folder, or unset it")
        return Path(given)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "twinspark"


def site_dir(inventory: Path) -> Path:
    """What is kept about one inventory. group_vars/all/derived.yml computes the same (held by a test)."""
    absolute = Path(os.path.abspath(inventory))  # noqa: PTH100 - as above
    folder = absolute if absolute.is_dir() else absolute.parent
    return state_base() / "sites" / hashlib.sha256(str(folder).encode()).hexdigest()[:12]


def prepare_site(inventory: Path) -> Path:
    """The site's folder, made for its owner's eyes only, with a note of which inventory it is for."""
    site = site_dir(inventory)
    with writing(site, STATE_CURE):
        private(site)
        (site / "inventory.txt").write_text(f"{inventory}\n")
    return site


def new_run_dir(site: Path) -> Path:
    """A fresh folder for one run; the oldest beyond the last few are removed."""
    runs = site / "runs"
    with writing(runs, STATE_CURE):
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
