"""The Hub's own client, `hf download`, run under watch: resumed after what passes, given up on after what won't."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.twinspark.weights.hubcache import Layout
from core.twinspark.weights.manifest import Entry, Manifest
from core.twinspark_host import hubapi
from core.twinspark_host.progress import Progress
from job import Failure, say

if TYPE_CHECKING:
    from fetch import Verifier
    from spec import Fetch

POLL = 0.5  # seconds between two looks at a running client
BATCH = 400  # files named on one command line


Process = subprocess.Popen[bytes]


def stop(process: Process) -> None:
    """End a client that may still run."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def literal(path: str) -> str:
    """A file name as a pattern that matches nothing else."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)


class Client:
    """Downloads into a cache of its own in staging, so that nothing has its final name before it is verified."""

    def __init__(self, folder: Path, manifest: Manifest, spec: Fetch) -> None:
        self.home, self.manifest, self.spec = folder, manifest, spec
        self.layout = Layout(str(folder), manifest.repo)
        self.failures = 0
        folder.mkdir(parents=True, exist_ok=True)

    def argv(self, names: Sequence[str]) -> list[str]:
        """The client's command line. Named files are patterns to it when there are several."""
        files = list(names) if len(names) == 1 else [literal(name) for name in names]
        return [
            self.spec.client, "download", self.manifest.repo, *files, "--revision", self.manifest.commit,
            "--cache-dir", str(self.layout.root.parent), "--max-workers", str(self.spec.workers), "--quiet",
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        """The client's environment: no settings of the owner's, the token only as a path to its file."""
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.home),
            "HF_HOME": str(self.home),
            "HF_ENDPOINT": self.spec.endpoint,
            "HF_TOKEN_PATH": self.spec.token_file or str(self.home / "no-token"),
            "HF_HUB_DISABLE_XET": "0" if self.spec.xet else "1",
            "HF_HUB_DOWNLOAD_TIMEOUT": str(self.spec.stall_seconds),
            "HF_HUB_ETAG_TIMEOUT": str(self.spec.stall_seconds),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "DO_NOT_TRACK": "1",
            **{name: str(value) for name, value in self.spec.environment.items()},
        }

    def bytes_on_disk(self) -> int:
        """Bytes in staging, whole files and parts."""
        total = 0
        for path in self.layout.blobs.iterdir() if self.layout.blobs.is_dir() else []:
            try:
                total += path.stat().st_size
            except OSError:
                continue
        return total

    def clear(self) -> None:
        """Throw the client's cache away; every file in it was published."""
        shutil.rmtree(self.home, ignore_errors=True)

    def drop_overlong(self, entries: Sequence[Entry]) -> None:
        """A part as long as its file or longer can't be resumed: the server would answer 416 for ever."""
        for entry in entries:
            part = self.layout.blobs / f"{entry.blob}.incomplete"
            if part.is_file() and part.stat().st_size >= entry.size:
                part.unlink()

    def run_once(self, verifier: Verifier, progress: Progress) -> None:
        """Run the client until it ends; returns to be called again while files are missing."""
        batch = verifier.wanted()[:BATCH]
        self.drop_overlong(batch)
        before = self._tick(batch, verifier, progress)
        log = self.home / "client.log"
        with log.open("w") as stream:
            process = subprocess.Popen(
                self.argv([entry.path for entry in batch]),
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stream,
            )
            try:
                self._watch(process, batch, verifier, progress)
            finally:
                stop(process)
        now = self._tick(batch, verifier, progress, wait=True)
        if process.returncode:
            self._judge(log.read_text(errors="replace"), now > before)

    def _watch(self, process: Process, batch: Sequence[Entry], verifier: Verifier, progress: Progress) -> None:
        patience = 4 * self.spec.stall_seconds
        size, moved = -1, time.monotonic()
        while process.poll() is None:
            time.sleep(POLL)
            now = self._tick(batch, verifier, progress)
            if now != size:
                size, moved = now, time.monotonic()
            if time.monotonic() - moved > patience:
                say(f"no byte came for {patience} s; starting the client again")
                stop(process)

    def _tick(self, batch: Sequence[Entry], verifier: Verifier, progress: Progress, *, wait: bool = False) -> int:
        """Hand complete files over to be hashed, publish hashed ones, count. Returns the bytes that are there."""
        folder = self.layout.snapshot(self.manifest.commit)
        for entry in batch:
            path = folder / entry.path
            if path.is_file():
                verifier.offer(entry, path.resolve())
        verifier.settle(wait=wait)
        progress.done = verifier.published + self.bytes_on_disk()
        return progress.done

    def _judge(self, log: str, moved: bool) -> None:
        """The client failed: give up with its reason in clear words, or wait and let the caller try again."""
        meaning = hubapi.client_answer(log, self.manifest.repo, self.manifest.commit, bool(self.spec.token_file))
        if not meaning.retry:
            raise Failure(meaning.words)
        self.failures = 0 if moved else self.failures + 1
        why = meaning.words
        if self.failures >= self.spec.attempts:
            raise Failure(
                f"the client failed {self.failures} times without a byte of progress ({why}). Look at the head's way "
                f"to {self.spec.endpoint}, and run again: what came is kept"
            )
        wait = hubapi.pause(self.failures, None, self.spec.longest_pause)
        say(f"the client ended with: {why}; resuming in {wait:.0f} s")
        time.sleep(wait)
