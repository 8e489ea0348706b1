"""The standard Hub cache on disk: where a repository's blobs, snapshots and refs lie, and what pruning would free.

`HUB/models--ORG--NAME/{blobs/SUM, refs/NAME, snapshots/COMMIT/PATH -> ../../blobs/SUM}`; ours beside them is
`.twinspark/` (manifests and what is still on its way), in the same folder so that a rename is enough to publish.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """The paths of one repository in the cache of one host. `home` is what HF_HOME means."""

    home: str
    repo: str

    @property
    def folder(self) -> str:
        """Name of the repository's folder."""
        return "models--" + self.repo.replace("/", "--")

    @property
    def root(self) -> Path:
        """The repository's folder."""
        return Path(self.home) / "hub" / self.folder

    @property
    def blobs(self) -> Path:
        """Files under the names of their sums."""
        return self.root / "blobs"

    @property
    def own(self) -> Path:
        """What twinspark keeps: manifests, and files on their way."""
        return self.root / ".twinspark"

    @property
    def staging(self) -> Path:
        """Where bytes stay until they are verified."""
        return self.own / "staging"

    def snapshot(self, commit: str) -> Path:
        """The folder that a reader of the model is given."""
        return self.root / "snapshots" / commit

    def manifest(self, commit: str) -> Path:
        """The manifest of a commit."""
        return self.own / f"{commit}.manifest.json"

    def ref(self, name: str) -> Path:
        """The file that says which commit a branch name stands for."""
        return self.root / "refs" / name


def link_target(path: str, blob: str) -> str:
    """What the snapshot's link at `path` holds: relative, so that the cache may be moved or mounted elsewhere."""
    return "../" * (path.count("/") + 2) + f"blobs/{blob}"


def state_path(state_dir: str, repo: str, commit: str) -> Path:
    """Where a host remembers what it hashed."""
    return Path(state_dir) / "weights" / Layout("", repo).folder / f"{commit}.json"


def freed_by(snapshots: Mapping[str, Iterable[str]], sizes: Mapping[str, int], doomed: Iterable[str]) -> dict[str, int]:
    """Blobs, with their bytes, that nothing needs once the `doomed` commits are gone.

    `snapshots` gives the blobs of each commit, `sizes` the bytes of each blob there is. A blob that no snapshot names
    is somebody else's business and stays.
    """
    gone = set(doomed)
    needed = {blob for commit, blobs in snapshots.items() if commit not in gone for blob in blobs}
    dropped = {blob for commit in gone for blob in snapshots.get(commit, ())}
    return {blob: sizes[blob] for blob in sorted(dropped - needed) if blob in sizes}
