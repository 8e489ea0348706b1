"""`fetch`, on the head: bring a commit into the cache, from the Hub by its own client or from a directory."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from client import Client
from core.twinspark.weights.hubcache import Layout
from core.twinspark.weights.manifest import Entry
from core.twinspark.weights.state import Transfer
from core.twinspark.weights.weights import duplicates
from core.twinspark_host import snapshot
from core.twinspark_host.progress import Progress
from directory import copy_all
from hashing import Sums, sums_of
from job import Failure, only_one, say, say_replaced
from spec import Fetch
from store import Store


class Verifier:
    """Hashes files as they arrive in staging and publishes the good ones. A bad file may be fetched again, once."""

    def __init__(self, store: Store, needed: list[Entry], threads: int) -> None:
        self.store = store
        self.waiting = duplicates(needed)
        self.total = sum(entries[0].size for entries in self.waiting.values())
        self.refetched: list[str] = []
        self._pool = ThreadPoolExecutor(threads)
        self._running: dict[str, tuple[Entry, Path, Future[Sums]]] = {}

    @property
    def published(self) -> int:
        """Bytes that are verified and have their final name."""
        return self.total - sum(entries[0].size for entries in self.waiting.values())

    def wanted(self) -> list[Entry]:
        """One entry for each blob that is still to come."""
        return [entries[0] for entries in self.waiting.values()]

    def offer(self, entry: Entry, path: Path) -> None:
        """A file that is complete, by its length; hashed once."""
        if entry.blob in self.waiting and entry.blob not in self._running:
            self._running[entry.blob] = (entry, path, self._pool.submit(sums_of, path, entry, sync=True))

    def settle(self, *, wait: bool) -> None:
        """Publish what was hashed since the last call. Wrong files are thrown away, and so must come again."""
        for blob, (entry, path, future) in list(self._running.items()):
            if not (wait or future.done()):
                continue
            sums = future.result()
            del self._running[blob]
            if entry.accepts(sums.sha256, sums.git_sha1):
                self.store.publish(self.waiting.pop(blob), path, sums)
                continue
            path.unlink()
            if entry.path in self.refetched:
                raise Failure(
                    f"{entry.path} came twice with the wrong bytes (sha256 {sums.sha256}, {sums.size} bytes); nothing "
                    "was published under its name. Try another hf_weights_endpoint, or wait for the Hub to be mended"
                )
            say(f"{entry.path}: wrong bytes (sha256 {sums.sha256}); fetching it again")
            self.refetched.append(entry.path)

    def close(self) -> None:
        """Stop hashing."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def download(store: Store, needed: list[Entry], spec: Fetch) -> Transfer:
    """Everything that is needed, by the Hub's client."""
    client = Client(store.layout.staging / "hub", store.manifest, spec)
    verifier = Verifier(store, needed, spec.threads)
    before = client.bytes_on_disk()
    store.require_space(max(0, verifier.total - before), spec.reserve_gib)
    started = time.monotonic()
    with Progress(verifier.total, "B", "download") as progress:
        try:
            while verifier.waiting:
                client.run_once(verifier, progress)
        finally:
            verifier.close()
    client.clear()
    return Transfer(
        bytes=max(0, verifier.total - before),
        seconds=round(time.monotonic() - started, 3),
        refetched=tuple(verifier.refetched),
        source=spec.endpoint,
    )


def run(spec: Fetch) -> None:
    """Bring the snapshot of a manifest into the cache, verified."""
    layout = Layout(spec.home, spec.repo)
    path = layout.manifest(spec.commit)
    manifest = snapshot.read_manifest(path)
    if manifest is None:
        raise Failure(f"{path} is missing or no manifest. Run the stage again, which makes it")
    with only_one(layout.own / "lock"):
        store = Store(spec.home, spec.state_dir, manifest)
        needed, wrong = store.adopt(rehash=spec.rehash, repair=True, threads=spec.threads)
        if needed:
            figures = (copy_all if spec.source_dir else download)(store, needed, spec)
            store.finish(spec.ref, download=replace(figures, replaced=tuple(wrong)))
            say_replaced(wrong)
        else:
            store.finish(spec.ref)
        say(f"verified: {len(manifest.entries)} files, {manifest.total} bytes, commit {manifest.commit}")
