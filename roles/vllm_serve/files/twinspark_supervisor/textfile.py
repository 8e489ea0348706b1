"""The state for node_exporter's textfile collector, in a folder that may be another user's."""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable

from core.twinspark.serving.exposition import FILE, Look, exposition
from core.twinspark.serving.pair import Limits, Seen, State

# Prometheus comes by each 15 s or more rarely; a change of state is written at once.
EVERY_SECONDS = 10.0
# Over which tokens are counted.
WINDOW_SECONDS = 30.0
NEW = f".{FILE}.new"  # node_exporter reads what ends in .prom


class Textfile:
    """folder: empty for none. What was written last, and what is counted from look to look."""

    def __init__(self, folder: str, limits: Limits, say: Callable[[str], None]) -> None:
        self.folder, self.limits, self.say = folder, limits, say
        self.looks: deque[tuple[float, float]] = deque()
        self.restarts: int | None = None
        self.restarted = 0
        self.written, self.kind, self.told = 0.0, "", ""

    def look(self, state: State, seen: Seen) -> None:
        """Count, and write where it is time to."""
        if not self.folder:
            return
        # The count on disk goes back to 0 after a long service and by a wish.
        self.restarted += max(0, state.restarts - (state.restarts if self.restarts is None else self.restarts))
        self.restarts = state.restarts
        rate = self.rate(time.monotonic(), seen.counters.generated if seen.counters else None)
        if state.kind == self.kind and time.monotonic() - self.written < EVERY_SECONDS:
            return
        try:
            self.write(exposition(state, self.limits, Look(seen.now, seen.counters, self.restarted, rate)))
        except OSError as error:
            if str(error) != self.told:
                self.told = str(error)
                self.say(f"<4>{self.folder}/{FILE} can't be written: {error.strerror}")
            return
        self.written, self.kind, self.told = time.monotonic(), state.kind, ""

    def rate(self, now: float, generated: float | None) -> float | None:
        """Tokens in a second, from the first look of the window to this one. Another engine counts from nothing."""
        if generated is None or (self.looks and generated < self.looks[-1][1]):
            self.looks.clear()
        if generated is None:
            return None
        self.looks.append((now, generated))
        while len(self.looks) > 2 and now - self.looks[1][0] >= WINDOW_SECONDS:
            self.looks.popleft()
        (began, first), passed = self.looks[0], now - self.looks[0][0]
        return (generated - first) / passed if passed > 0 and began != now else None

    def write(self, text: str) -> None:
        """The file whole or not at all. Whoever owns the folder can replace what is in it, so no name is followed."""
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(NEW, dir_fd=folder)
            handle = os.open(NEW, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
            with os.fdopen(handle, "w") as stream:
                stream.write(text)
                os.fchmod(stream.fileno(), 0o644)
            os.rename(NEW, FILE, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            os.close(folder)

    def end(self) -> None:
        """Nobody looks any more: figures of before would pass for the present ones."""
        if self.folder:
            with contextlib.suppress(OSError):
                folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                try:
                    os.unlink(FILE, dir_fd=folder)
                finally:
                    os.close(folder)
