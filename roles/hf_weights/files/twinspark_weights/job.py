"""What every long job here shares: a way to fail in words, a lock, lines in the log."""

from __future__ import annotations

import contextlib
import fcntl
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType


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
