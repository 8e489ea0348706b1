"""One repository in one host's Hub cache: take over what is good, publish what was verified, remember both."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from core.twinspark.proof.values import sentence
from core.twinspark.weights import hubcache, weights
from core.twinspark.weights.manifest import Entry, Manifest
from core.twinspark.weights.state import SCHEMA, Record, Transfer
from core.twinspark.weights.verdicts import space_verdict
from core.twinspark_host import snapshot
from core.twinspark_host.files import write_atomically
from core.twinspark_host.progress import Progress
from hashing import Sums, sums_of
from job import Failure, say

MODE = 0o644  # containers and other users read the weights; nobody but the owner writes


def now() -> str:
    """UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Store:
    """The cache's view of one manifest. Methods may be called from several threads."""

    def __init__(self, home: str, state_dir: str, manifest: Manifest) -> None:
        self.manifest = manifest
        self.layout = hubcache.Layout(home, manifest.repo)
        self.state_file = hubcache.state_path(state_dir, manifest.repo, manifest.commit)
        self.state = snapshot.read_state(self.state_file)
        self.records = dict(self.state.files)
        self._lock = threading.Lock()
        for folder in (self.layout.blobs, self.layout.staging, self.layout.root / "refs"):
            folder.mkdir(parents=True, exist_ok=True)

    def staged(self, name: str) -> Path:
        """A path in staging for a file on its way. What lies there and is no file is not written through."""
        path = self.layout.staging / name
        with contextlib.suppress(FileNotFoundError):
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                raise Failure(f"{path} is a folder, where a file on its way must lie. Remove it, and run again")
            if not stat.S_ISREG(mode):
                path.unlink()
        return path

    def open_staged(self, name: str) -> FileIO:
        """The same path, open to be read and to be written at its end."""

        def no_link(path: str, flags: int) -> int:
            return os.open(path, flags | os.O_NOFOLLOW, 0o666)

        return open(self.staged(name), "a+b", buffering=0, opener=no_link)

    def staged_bytes(self, sizes: Mapping[str, int]) -> int:
        """Bytes that lie in staging already of the files on their way. `sizes`: name there to length when whole."""
        found = 0
        for name, size in sizes.items():
            with contextlib.suppress(FileNotFoundError):
                found += min(size, self.staged(name).stat().st_size)
        return found

    def resting_place(self, entry: Entry) -> Path:
        """Where the file's bytes lie now, if anywhere: its blob, else whatever the snapshot shows at its path."""
        blob = self.layout.blobs / entry.blob
        path = blob if blob.is_file() else self.layout.snapshot(self.manifest.commit) / entry.path
        return path.resolve()

    def known_good(self, entry: Entry, path: Path) -> bool:
        """Whether the bytes at `path` are, by inode and time, the ones that were hashed and found right."""
        record = self.records.get(entry.path)
        if record is None or record.bad or not entry.accepts(record.sha256, record.git_sha1):
            return False
        return record.stamp == snapshot.stamp_of(path)

    def adopt(self, *, rehash: bool, repair: bool, threads: int) -> tuple[list[Entry], list[str]]:
        """Look at every file that is already there.

        Returns the entries that must still be fetched, and the paths of files that were wrong. Wrong files are taken
        away with `repair`, else they are remembered as bad.
        """
        needed: list[Entry] = []
        to_hash: list[tuple[Entry, Path]] = []
        wrong: list[str] = []
        for entry in self.manifest.entries:
            path = self.resting_place(entry)
            if not entry.blob or not path.is_file():  # nobody knows yet what the directory's own file is
                needed.append(entry)
            elif path.stat().st_size != entry.size:
                self._condemn(entry, path, None, repair)
                wrong.append(entry.path)
                needed.append(entry)
            elif rehash or not self.known_good(entry, path):
                to_hash.append((entry, path))
            else:
                self._settle(entry, path)
        with Progress(sum(entry.size for entry, _ in to_hash), "B", "hashing") as progress:

            def work(item: tuple[Entry, Path]) -> Sums:
                return sums_of(item[1], item[0], count=progress.add)

            with ThreadPoolExecutor(threads) as pool:
                found = list(pool.map(work, to_hash))
        # Only now that all are hashed: two paths may share a blob, and a wrong one is thrown away.
        for (entry, path), sums in zip(to_hash, found, strict=True):
            if entry.accepts(sums.sha256, sums.git_sha1):
                self._settle(entry, path)
                self.record(entry, sums)
            else:
                self._condemn(entry, path, sums, repair)
                wrong.append(entry.path)
                needed.append(entry)
        self.save()
        for path_name in wrong:
            say(f"wrong: {path_name} is not what the manifest says")
        return needed, wrong

    def _settle(self, entry: Entry, path: Path) -> None:
        """Make a good file a real file at its blob's name, wherever a tool had put it."""
        blob = self.layout.blobs / entry.blob
        if path == blob and not blob.is_symlink():
            return
        temporary = self.layout.staging / f"{blob.name}.link"
        temporary.unlink(missing_ok=True)
        try:
            os.link(path, temporary)
        except OSError as error:
            raise Failure(f"{path} can't be linked into {self.layout.blobs} ({error.strerror})") from error
        temporary.replace(blob)

    def _condemn(self, entry: Entry, path: Path, sums: Sums | None, repair: bool) -> None:
        """A file with the wrong bytes: away with it and its link, or a note that it is bad."""
        if repair:
            (self.layout.snapshot(self.manifest.commit) / entry.path).unlink(missing_ok=True)
            (self.layout.blobs / entry.blob).unlink(missing_ok=True)
            self.records.pop(entry.path, None)
        else:
            sha256 = sums.sha256 if sums else ""
            self.records[entry.path] = Record(sha256=sha256, stamp=snapshot.stamp_of(path), bad=True)

    def record(self, entry: Entry, sums: Sums) -> None:
        """Remember that the bytes now lying there were hashed."""
        stamp = snapshot.stamp_of(self.resting_place(entry))
        self.records[entry.path] = Record(sums.sha256, sums.git_sha1, sums.size, stamp, now())

    def publish(self, entries: Iterable[Entry], staged: Path, sums: Sums) -> None:
        """Give verified bytes their final name. `entries` are all the paths that share them."""
        with self._lock:
            entries = list(entries)
            blob = entries[0].blob or sums.sha256
            staged.chmod(MODE)
            staged.replace(self.layout.blobs / blob)
            if not entries[0].blob:
                self.manifest = self.manifest.with_sums({entry.path: sums.sha256 for entry in entries})
                # At once: who is interrupted now must know next time that this file is there.
                write_atomically(self.layout.manifest(self.manifest.commit), self.manifest.dump())
            wanted = {entry.path for entry in entries}
            for entry in self.manifest.entries:
                if entry.path in wanted:
                    self.record(entry, sums)
            self.save()

    def link(self, ref: str) -> None:
        """Show the snapshot, now that every file of it is verified. Existing good links stay as they are."""
        folder = self.layout.snapshot(self.manifest.commit)
        for entry in self.manifest.entries:
            path, target = folder / entry.path, hubcache.link_target(entry.path, entry.blob)
            if path.is_symlink() and str(path.readlink()) == target:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.twinspark")
            temporary.unlink(missing_ok=True)
            try:
                temporary.symlink_to(target)
            except OSError:  # a file system without links: a second name for the same bytes
                os.link(self.layout.blobs / entry.blob, temporary)
            temporary.replace(path)
        if ref:
            self._write_ref(ref)

    def _write_ref(self, ref: str) -> None:
        path = self.layout.ref(ref)
        with contextlib.suppress(OSError):
            if path.read_text() == self.manifest.commit:
                return
        write_atomically(path, self.manifest.commit)

    def finish(self, ref: str, *, download: Transfer | None = None, copy: Transfer | None = None) -> None:
        """Link, remember, and check once more by looking that the whole is verified.

        download, copy: what this one took; without, the figures of the last one stay.
        """
        self.link(ref)
        # Linking may have touched a blob's change time.
        for entry in self.manifest.entries:
            stamp = snapshot.stamp_of(self.resting_place(entry))
            self.records[entry.path] = replace(self.records[entry.path], stamp=stamp)
        last = self.state
        self.state = replace(last, verified=now(), download=download or last.download, copy=copy or last.copy)
        self.save()
        judgement = weights.judge(self.manifest, self.state, snapshot.look_at(self.layout, self.manifest))
        if judgement.state != "verified":
            raise Failure(f"{self.layout.root}: {weights.complaint(judgement)}. Run again")

    def save(self) -> None:
        """Write the state file."""
        self.state = replace(
            self.state,
            schema=SCHEMA,
            repo=self.manifest.repo,
            commit=self.manifest.commit,
            manifest=self.manifest.digest(),
            files=dict(self.records),
        )
        write_atomically(self.state_file, json.dumps(self.state.to_json(), indent=1, sort_keys=True) + "\n")

    def require_space(self, needed: int, reserve_gib: float) -> None:
        """Refuse to start what can't end."""
        free = snapshot.free_bytes(self.layout.root)
        verdict = space_verdict(os.uname().nodename, needed, free, self.layout.home, reserve_gib)
        if not verdict.ok:
            raise Failure(sentence(verdict).rstrip("."))

    def clear_staging(self, keep: Iterable[str] = ()) -> None:
        """Remove what is left of earlier attempts at files that are no longer wanted."""
        wanted = set(keep)
        for path in self.layout.staging.iterdir():
            if path.name not in wanted and (path.is_symlink() or not path.is_dir()):
                path.unlink()
