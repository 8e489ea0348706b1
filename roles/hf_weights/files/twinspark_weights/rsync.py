"""rsync's own protocol, without ssh: the client's command line, and what its exit codes mean."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.manifest import Entry

MODULE = "blobs"
USER = "twinspark"
POLL = 0.2  # seconds between two looks at a transfer


@dataclass(frozen=True)
class Outcome:
    """How a transfer ended. `permanent`: no other try or rail will do better."""

    code: int
    words: str
    permanent: bool = False


def argv(spec: Mapping[str, Any], rail: Mapping[str, str], blob: str, target: str, *, resumed: bool) -> list[str]:
    """The command line. A first copy is sent whole, without rsync's own sums: sha256 follows anyway, and it costs half.

    The rest of a part is appended; rsync can't do that without its own sums.
    """
    how = ["--append"] if resumed else ["--whole-file", "--inplace", "--checksum-choice=none"]
    return [
        "rsync", *how, "--no-motd", f"--contimeout={spec['stall_seconds']}", f"--port={spec['port']}",
        f"--password-file={spec['secret_file']}", f"--address={rail['local']}",
        f"rsync://{USER}@{rail['address']}/{MODULE}/{blob}", target,
    ]  # fmt: skip


def outcome(code: int, log: str) -> Outcome:
    """What an exit code means, with rsync's last words."""
    lines = [line for line in log.strip().splitlines() if line]
    last = (next((line for line in lines if "rsync error" not in line), "") or "no words").strip()
    if not code:
        return Outcome(0, "")
    if "No space left on device" in log:
        return Outcome(code, "the disk is full. Free some space, and run again: what came is kept", permanent=True)
    if "auth failed" in log or "Unknown module" in log:
        words = f"the head's daemon refuses ({last}). Run the stage again, which exchanges a new secret"
        return Outcome(code, words, permanent=True)
    return Outcome(code, f"{last} (rsync exit {code})")


class Transfer:
    """One running client, ended when nothing more comes: a cut rail says nothing by itself, and rsync's own time limit
    does not bind its receiving side (seen with 3.5.0 to wait for ever)."""

    def __init__(
        self, spec: Mapping[str, Any], rail: Mapping[str, str], entry: Entry, part: Path, *, resumed: bool
    ) -> None:
        self._argv = argv(spec, rail, entry.blob, str(part), resumed=resumed)
        self._part, self._patience = part, spec["stall_seconds"]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Begin. A session of its own, since rsync is two processes that end together or not at all."""
        self._process = subprocess.Popen(
            self._argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def running(self) -> bool:
        """Whether more bytes may still come. False once the process has ended, so that what follows is the end."""
        return self._process is not None and self._process.poll() is None

    def wait(self) -> Outcome:
        """Until it ends, or is ended."""
        assert self._process is not None and self._process.stderr is not None  # noqa: S101 - for the type checker
        size, moved = -1, time.monotonic()
        while self.running():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=POLL)
            now = self._part.stat().st_size
            if now != size:
                size, moved = now, time.monotonic()
            elif time.monotonic() - moved > self._patience:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
                return Outcome(-9, f"no byte came for {self._patience} s")
        log = self._process.stderr.read()
        return outcome(self._process.wait(), log)
