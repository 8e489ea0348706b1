"""The Hub's repositories on disk: DATA/ORG/NAME/COMMIT/FILES, with what `main` means in DATA/ORG/NAME/main.

Without a `main` file the only commit is main. A file DATA/ORG/NAME/token makes the repository a gated one: whoever
does not show that token is refused.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qs

COMMIT = re.compile(r"[0-9a-f]{40}")
LFS_SUFFIXES = (".safetensors", ".bin", ".gguf", ".pt")
LFS_BYTES = 10 * 1024 * 1024  # the Hub stores every larger file as LFS
CHUNK = 1024 * 1024


class UnknownRepo(LookupError):
    """No such repository here."""


class UnknownRevision(LookupError):
    """The repository has no such commit, branch or tag."""


@dataclass(frozen=True)
class Entry:
    """One file of a snapshot, as the Hub knows it."""

    path: str
    file: Path
    size: int
    blob_id: str  # Git's own sum: of the file, or of its LFS pointer
    sha256: str | None  # LFS files only

    @property
    def etag(self) -> str:
        return self.sha256 or self.blob_id

    def tree_item(self) -> dict[str, object]:
        """What /api/models/REPO/tree/REV says of it. There is no xetHash: this server speaks plain HTTP only."""
        item: dict[str, object] = {"type": "file", "path": self.path, "size": self.size, "oid": self.blob_id}
        if self.sha256:
            item["lfs"] = {"oid": self.sha256, "size": self.size, "pointerSize": len(pointer(self.sha256, self.size))}
        return item

    def sibling(self, blobs: bool) -> dict[str, object]:
        """What /api/models/REPO says of it."""
        item: dict[str, object] = {"rfilename": self.path}
        if blobs:
            item |= {"size": self.size, "blobId": self.blob_id}
            if self.sha256:
                item["lfs"] = {
                    "sha256": self.sha256,
                    "size": self.size,
                    "pointerSize": len(pointer(self.sha256, self.size)),
                }
        return item


def pointer(sha256: str, size: int) -> bytes:
    """The text that Git holds in place of an LFS file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def blob_sum(size: int, *chunks: bytes) -> str:
    """Git's sum of a blob."""
    digest = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


@lru_cache(maxsize=4096)
def _entry(root: str, path: str, size: int, _mtime_ns: int) -> Entry:
    file = Path(root, path)
    if not (file.name.endswith(LFS_SUFFIXES) or size >= LFS_BYTES):
        return Entry(path, file, size, blob_sum(size, file.read_bytes()), None)
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    text = pointer(digest.hexdigest(), size)
    return Entry(path, file, size, blob_sum(len(text), text), digest.hexdigest())


class Repositories:
    """All repositories below one folder. Nothing is remembered but sums, so files may be added while it serves."""

    def __init__(self, data: Path) -> None:
        self.data = data.resolve()

    def folder(self, repo: str) -> Path:
        parts = repo.split("/")
        folder = self.data.joinpath(*parts)
        if len(parts) != 2 or any(part.startswith(".") for part in parts) or not folder.is_dir():
            raise UnknownRepo(repo)
        return folder

    def token(self, repo: str) -> str | None:
        """The token that a gated repository wants, None for an open one."""
        file = self.folder(repo) / "token"
        return file.read_text().strip() if file.is_file() else None

    def commits(self, repo: str) -> list[str]:
        return sorted(x.name for x in self.folder(repo).iterdir() if x.is_dir() and COMMIT.fullmatch(x.name))

    def commit(self, repo: str, revision: str) -> str:
        """The full commit that a revision names."""
        commits = self.commits(repo)
        if revision in commits:
            return revision
        if revision == "main":
            main = self.folder(repo) / "main"
            if main.is_file():
                return main.read_text().strip()
            if len(commits) == 1:
                return commits[0]
        raise UnknownRevision(revision)

    def entries(self, repo: str, revision: str) -> list[Entry]:
        """Every file of a snapshot, sorted by path."""
        root = self.folder(repo) / self.commit(repo, revision)
        files = sorted(x for x in root.rglob("*") if x.is_file())
        return [self._read(root, str(x.relative_to(root))) for x in files]

    def entry(self, repo: str, revision: str, path: str) -> Entry | None:
        root = self.folder(repo) / self.commit(repo, revision)
        file = (root / path).resolve()
        if not file.is_relative_to(root.resolve()) or not (root / path).is_file():
            return None
        return self._read(root, path)

    @staticmethod
    def _read(root: Path, path: str) -> Entry:
        stat = (root / path).stat()
        return _entry(str(root), path, stat.st_size, stat.st_mtime_ns)


def paths_of(body: bytes, content_type: str) -> list[str]:
    """The paths of a paths-info request: JSON or a form."""
    if "json" in content_type:
        paths = json.loads(body or b"{}").get("paths", [])
        return [paths] if isinstance(paths, str) else list(paths)
    return parse_qs(body.decode()).get("paths", [])
