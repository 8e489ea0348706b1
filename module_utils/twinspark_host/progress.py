"""The one writer of a long job's progress.json, which a poll reads and the wrapper draws.

Each job's role installs this file beside the job's program, so it imports nothing of the project.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

PERIOD = 1.0  # seconds between two writes
WINDOW = 15.0  # seconds that a rate is taken over: long enough to be calm, short enough to show a stall
SINCE_START = math.inf  # for what comes one by one, with a long time between


class Progress:
    """While entered, writes `$TWINSPARK_JOB_DIR/progress.json` once a second: done, total, unit, rate, what.

    The rate is in units a second over the last `window` seconds; a window of 0 leaves it out. `what`, `done` and
    `total` may be set at any time. Without the environment's folder, or without room on its disk, nothing is written.
    """

    def __init__(self, total: float, unit: str, what: str = "", *, done: float = 0, window: float = WINDOW) -> None:
        self.done, self.total, self.unit, self.what, self.window = done, total, unit, what, window
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._history: deque[tuple[float, float]] = deque()
        self._thread = threading.Thread(target=self._write_often, daemon=True)
        folder = os.environ.get("TWINSPARK_JOB_DIR")
        self._path = Path(folder) / "progress.json" if folder else None

    def add(self, count: float) -> None:
        """Count more; negative when some turned out to be worth nothing."""
        with self._lock:
            self.done += count

    def __enter__(self) -> Progress:
        self._write()
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
        numbers: dict[str, Any] = {"done": self.done, "total": max(self.total, self.done), "unit": self.unit}
        if self.window:
            numbers["rate"] = self._rate(time.monotonic())
        if self.what:
            numbers["what"] = self.what
        if self._path:
            fresh = self._path.with_suffix(".new")
            with contextlib.suppress(OSError):
                fresh.write_text(json.dumps(numbers))
                fresh.replace(self._path)

    def _rate(self, now: float) -> float:
        """Five significant digits: bytes a second and samples a second alike."""
        self._history.append((now, self.done))
        while now - self._history[0][0] > self.window:
            self._history.popleft()
        then, before = self._history[0]
        return float(f"{(self.done - before) / (now - then):.5g}") if now > then else 0.0
