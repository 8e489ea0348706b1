"""The one pending network change of a host on its disk, and the lock under which it is made, ended and undone."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..twinspark.network.deadman import Manifest
from ..twinspark.proof.foreign import json_of

# A change is armed, then confirmed or undone; `undoing` is an undo at work, or one that died.
LIVE = ("armed", "undoing", "confirmed")


def folder(state_dir: str) -> Path:
    """Where a change is kept while it is pending."""
    return Path(state_dir) / "network" / "pending"


def backup(state_dir: str) -> Path:
    """Where the originals are kept for uninstall."""
    return Path(state_dir) / "backup" / "network"


def live(pending: Path) -> str:
    """Which of LIVE the change is, "" when there is none, or what is there never got as far as being armed."""
    return next((state for state in LIVE if (pending / state).exists()), "")


def read_manifest(folder: Path) -> Manifest:
    """What is kept of the change in this folder; an empty manifest when there is none, or half of one."""
    try:
        return Manifest.from_json(json_of((folder / "manifest.json").read_text()))
    except (OSError, ValueError):
        return Manifest()


@contextmanager
def locked(state_dir: str, seconds: float = 150) -> Iterator[Path]:
    """Hold the lock that undo.sh takes, too, and give the pending folder. Raises TimeoutError after so many seconds."""
    pending = folder(state_dir)
    pending.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    end = time.monotonic() + seconds
    with os.fdopen(os.open(pending.parent / "lock", os.O_RDWR | os.O_CREAT, 0o600)) as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise TimeoutError(
                        f"another change of this host's network has been running for {seconds:.0f} s"
                    ) from None
                time.sleep(0.2)
        yield pending
