"""What every long job here shares: a way to fail in words, a lock, and progress numbers for whoever polls."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from core.twinspark_host.files import write_atomically

PERIOD = 1.0  # seconds between two writes of the progress
WINDOW = 15  # of them that the rate is taken over


class Failure(RuntimeError):
    """The job can't go on; the message is one sentence with its fix, without a full stop."""


def say(text: str) -> None:
    """A line in the job's log, at once. What may be in it of other than text, from a peer, is spelt out."""
    print("".join(c if c.isprintable() else ascii(c)[1:-1] for c in text), flush=True)


def say_replaced(paths: Sequence[str], limit: int = 5) -> None:
    """Files that were wrong and came anew, near the end of the log, where the role looks for this line to show it."""
    if paths:
        more = f" and {len(paths) - limit} more" if len(paths) > limit else ""
        say(f"replaced: {', '.join(paths[:limit])}{more}: not what the manifest says, and brought anew")


def stopped(number: int, frame: FrameType | None) -> None:
    """SIGTERM as an exception, so that every `finally` runs."""
    del number, frame
    sys.exit(143)


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold a lock; a second job of the kind waits for the first and then finds its work done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another job holds {path}; waiting for it")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


class Progress:
    """Numbers in `$TWINSPARK_JOB_DIR/progress.json`: done, total, unit, rate (bytes/s over the last seconds), what."""

    def __init__(self, total: int, what: str) -> None:
        self.done, self.total, self.what = 0, total, what
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._history: deque[tuple[float, int]] = deque(maxlen=WINDOW)
        self._thread = threading.Thread(target=self._write_often, daemon=True)
        folder = os.environ.get("TWINSPARK_JOB_DIR")
        self._path = Path(folder) / "progress.json" if folder else None

    def add(self, count: int) -> None:
        """Count bytes; negative when some turned out to be worth nothing."""
        with self._lock:
            self.done += count

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._write()

    def _write_often(self) -> None:
        while not self._end.wait(PERIOD):
            self._write()

    def _write(self) -> None:
        now = time.monotonic()
        self._history.append((now, self.done))
        then, before = self._history[0]
        rate = (self.done - before) / (now - then) if now > then else 0.0
        if self._path:
            numbers: dict[str, Any] = {"done": self.done, "total": self.total, "unit": "B", "rate": round(rate)}
            with contextlib.suppress(OSError):
                write_atomically(self._path, json.dumps({**numbers, "what": self.what}))
