"""Looking at a Hub cache: `stat`, `readlink` and JSON, nothing that changes anything."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ..twinspark.proof.foreign import json_of
from ..twinspark.weights.hubcache import Layout, freed_by
from ..twinspark.weights.manifest import Manifest, ManifestError, from_text
from ..twinspark.weights.state import OldCommit, State
from ..twinspark.weights.weights import Seen


def stamp_of(path: Path) -> tuple[int, int, int, int]:
    """What tells whether a file is the one that was hashed: size, mtime (ns), ctime (ns), inode."""
    found = path.stat()
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def look(path: Path) -> Seen:
    """One file of a snapshot, through its link."""
    try:
        stamp = stamp_of(path)
    except (FileNotFoundError, NotADirectoryError):
        return Seen("dangling" if path.is_symlink() else "absent")
    except OSError:  # a loop of links, a folder that may not be entered
        return Seen("dangling")
    return Seen("file", stamp) if path.is_file() else Seen("dangling")


def look_at(layout: Layout, manifest: Manifest) -> dict[str, Seen]:
    """Every file of a manifest, in the snapshot of its commit."""
    folder = layout.snapshot(manifest.commit)
    return {entry.path: look(folder / entry.path) for entry in manifest.entries}


def read_state(path: Path) -> State:
    """What the host remembers of its last hashing; empty when that is nothing or nonsense: all is hashed again."""
    try:
        return State.from_json(json_of(path.read_text()))
    except (OSError, ValueError):
        return State()


def read_manifest(path: Path) -> Manifest | None:
    """A manifest on disk, None when there is none or it is not one (it is then made anew)."""
    try:
        return from_text(path.read_text())
    except (OSError, ManifestError, UnicodeDecodeError):
        return None


def free_bytes(folder: Path) -> int:
    """Bytes that may still be written where `folder` is, or will be."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def used_bytes(folder: Path) -> int:
    """Bytes that the files of a folder take on disk, links not followed."""
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(base) / name).lstat().st_blocks * 512
            except OSError:
                continue
    return total


def blob_sizes(layout: Layout) -> dict[str, int]:
    """Bytes of every blob there is."""
    try:
        return {entry.name: entry.stat().st_size for entry in os.scandir(layout.blobs) if entry.is_file()}
    except OSError:
        return {}


def snapshots(layout: Layout) -> dict[str, list[str]]:
    """Commits in the cache, with the names of the blobs that each links to."""
    found: dict[str, list[str]] = {}
    base = layout.root / "snapshots"
    for folder in sorted(base.iterdir()) if base.is_dir() else []:
        links = [Path(root) / name for root, _, names in os.walk(folder) for name in names]
        found[folder.name] = [link.readlink().name for link in links if link.is_symlink()]
    return found


def old_commits(layout: Layout, keep: str) -> tuple[OldCommit, ...]:
    """Commits other than `keep`, each with the bytes that removing it alone would free."""
    there, sizes = snapshots(layout), blob_sizes(layout)
    return tuple(
        OldCommit(commit, sum(freed_by(there, sizes, [commit]).values())) for commit in there if commit != keep
    )
