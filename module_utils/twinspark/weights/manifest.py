"""Manifests: which files a commit of a model repository has, how long each is, and what each must hash to.

The sums are the Hub's own: sha256 for files kept in LFS or Xet, Git's blob sum (SHA-1) for small ones. A manifest is
bound to repository, commit and patterns, none of which can change their meaning, so that one on disk stays true.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from ..proof.foreign import ForeignError, items, json_of, mapping
from ..proof.json_form import shown

SCHEMA = 1
COMMIT = re.compile(r"[0-9a-f]{40}\Z")
REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?\Z")
LONGEST_PATH = 4096  # PATH_MAX
SHA256 = re.compile(r"[0-9a-f]{64}\Z")


class ManifestError(ValueError):
    """Metadata or a file that can't be taken as a manifest; the message names what and the fix."""


@dataclass(frozen=True)
class Entry:
    """One file: path inside the repository, size in bytes, and the sums it must have (hex; empty when not known)."""

    path: str
    size: int
    sha256: str = ""
    git_sha1: str = ""

    @property
    def blob(self) -> str:
        """Name of its blob in a Hub cache, which is the Hub's ETag: sha256 for LFS, Git's blob sum otherwise."""
        return self.sha256 or self.git_sha1

    def accepts(self, sha256: str, git_sha1: str) -> bool:
        """Whether these sums are the file's. A file of which no sum is known accepts nothing."""
        wanted = [(self.sha256, sha256), (self.git_sha1, git_sha1)]
        known = [(mine, other) for mine, other in wanted if mine]
        return bool(known) and all(mine == other for mine, other in known)


@dataclass(frozen=True)
class Manifest:
    """The files of one commit that the patterns select. `source` is `hub` or `directory`."""

    repo: str
    commit: str
    entries: tuple[Entry, ...]
    source: str = "hub"
    allow: tuple[str, ...] = ("*",)
    ignore: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Bytes of all its files."""
        return sum(entry.size for entry in self.entries)

    @property
    def complete(self) -> bool:
        """Whether every file has a sum. One taken from a directory has none until its files were hashed once."""
        return all(entry.blob for entry in self.entries)

    def bound_to(self, repo: str, commit: str, allow: Sequence[str], ignore: Sequence[str], source: str) -> bool:
        """Whether it answers for exactly this request."""
        mine = (self.repo, self.commit, self.allow, self.ignore, self.source)
        return mine == (repo, commit, tuple(allow), tuple(ignore), source)

    def with_sums(self, sums: Mapping[str, str]) -> Manifest:
        """The same with sha256 by path filled in where no sum was known."""
        entries = (e if e.blob else replace(e, sha256=sums.get(e.path, "")) for e in self.entries)
        return replace(self, entries=tuple(entries))

    def as_dict(self) -> dict[str, Any]:
        """Plain data, in the form of `from_dict`."""
        files = [
            {key: value for key, value in vars(entry).items() if value != "" or key == "path"} for entry in self.entries
        ]
        return {
            "schema": SCHEMA,
            "repo": self.repo,
            "commit": self.commit,
            "source": self.source,
            "allow": list(self.allow),
            "ignore": list(self.ignore),
            "files": files,
        }

    def dump(self) -> str:
        """The text of a manifest file; the same manifest always gives the same text."""
        return json.dumps(self.as_dict(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    def digest(self) -> str:
        """`sha256:HEX` of its text."""
        return "sha256:" + hashlib.sha256(self.dump().encode()).hexdigest()


def selected(path: str, allow: Sequence[str], ignore: Sequence[str]) -> bool:
    """Whether the patterns select a path, as huggingface_hub decides: `*` also matches `/`, `dir/` means `dir/*`."""

    def any_of(patterns: Sequence[str]) -> bool:
        return any(fnmatch.fnmatch(path, p + "*" if p.endswith("/") else p) for p in patterns)

    return any_of(allow) and not any_of(ignore)


def checked_path(path: Any) -> str:
    """A path that stays inside its folder; anything else is refused, since it would be written with."""
    parts = path.split("/") if isinstance(path, str) and len(path) < LONGEST_PATH else []
    if not parts or any(part in ("", ".", "..") for part in parts) or "\\" in path or not path.isprintable():
        raise ManifestError(f"the Hub names a file {shown(path)}, which is not a path inside a repository")
    return str(path)


def checked_entry(path: Any, size: Any, sha256: Any = "", git_sha1: Any = "") -> Entry:
    """An entry with every field looked at."""
    name = checked_path(path)
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 63:
        raise ManifestError(f"{name}: its size is given as {shown(size)}")
    if sha256 and not (isinstance(sha256, str) and SHA256.match(sha256)):
        raise ManifestError(f"{name}: {shown(sha256)} is not a sha256")
    if git_sha1 and not (isinstance(git_sha1, str) and COMMIT.match(git_sha1)):
        raise ManifestError(f"{name}: {shown(git_sha1)} is not a Git blob hash")
    return Entry(name, size, sha256 or "", git_sha1 or "")


def ordered(entries: Iterable[Entry], what: str) -> tuple[Entry, ...]:
    """Entries by path, each path once, at least one."""
    found = sorted(entries, key=lambda entry: entry.path)
    if not found:
        raise ManifestError(f"no file of {what} is selected; check hf_weights_allow and hf_weights_ignore")
    twice = {a.path for a, b in pairwise(found) if a.path == b.path}
    if twice:
        raise ManifestError(f"{what} names {', '.join(sorted(twice))} twice")
    # In the order of their folders, what is below a path comes right behind it.
    for above, path in pairwise(sorted((entry.path for entry in found), key=lambda path: path.split("/"))):
        if path.startswith(f"{above}/"):
            raise ManifestError(
                f"{what} names a file {above} and a file {path} below it, which can't both exist; "
                "leave one out with hf_weights_ignore"
            )
    return tuple(found)


def from_hub(
    info: Mapping[str, Any], repo: str, commit: str, allow: Sequence[str] = ("*",), ignore: Sequence[str] = ()
) -> Manifest:
    """The manifest from the Hub's model info at a commit (`/api/models/REPO/revision/COMMIT?blobs=true`)."""
    info = mapping(info)
    if info.get("sha") != commit:
        raise ManifestError(f"asked for commit {commit} of {repo}, the Hub answered with {shown(info.get('sha'))}")
    entries = []
    for sibling in map(mapping, items(info.get("siblings"))):
        path = checked_path(sibling.get("rfilename"))
        if not selected(path, allow, ignore):
            continue
        lfs = mapping(sibling.get("lfs"))
        size = lfs.get("size", sibling.get("size")) if lfs else sibling.get("size")
        entry = checked_entry(path, size, lfs.get("sha256"), "" if lfs else sibling.get("blobId"))
        if not entry.blob:
            raise ManifestError(f"the Hub gives no checksum for {path} of {repo} at {commit}, so it can't be verified")
        entries.append(entry)
    return Manifest(repo, commit, ordered(entries, f"{repo} at {commit}"), "hub", tuple(allow), tuple(ignore))


def from_directory(
    files: Mapping[str, int], repo: str, commit: str, allow: Sequence[str] = ("*",), ignore: Sequence[str] = ()
) -> Manifest:
    """The manifest of a directory that the owner vouches for: sizes by path; its sums come when it is first hashed."""
    entries = (checked_entry(path, size) for path, size in files.items() if selected(path, allow, ignore))
    return Manifest(repo, commit, ordered(entries, "the directory"), "directory", tuple(allow), tuple(ignore))


def from_dict(value: Any) -> Manifest:
    """A manifest from its plain data; ManifestError for anything else."""
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise ManifestError(f"this is not a manifest of schema {SCHEMA}; remove it and run the stage again")
    try:
        entries = [
            checked_entry(f["path"], f["size"], f.get("sha256", ""), f.get("git_sha1", "")) for f in value["files"]
        ]
        head = (str(value["repo"]), str(value["commit"]))
        patterns = (tuple(value["allow"]), tuple(value["ignore"]))
        return Manifest(*head, ordered(entries, head[0]), str(value["source"]), *patterns)
    except (KeyError, TypeError, AttributeError) as error:
        raise ManifestError(f"the manifest has no {error}; remove it and run the stage again") from error


def from_text(text: str) -> Manifest:
    """A manifest from the text of its file."""
    try:
        return from_dict(json_of(text))
    except ForeignError as error:
        raise ManifestError(f"the manifest is not JSON ({error}); remove it and run the stage again") from error


def git_blob_header(size: int) -> bytes:
    """What Git hashes before a blob's bytes."""
    return b"blob %d\0" % size
