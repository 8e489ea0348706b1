"""Other programs, run so that none can hold the supervisor up: each has a time limit, whatever state it is in then."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# systemctl, docker and ip answer in milliseconds; a driver that hangs does not answer at all.
SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a command. code: null where it did not end in time, or could not be started."""

    code: int | None
    out: str = ""
    err: str = ""

    @property
    def words(self) -> str:
        """Its last line of complaint."""
        lines = [line.strip() for line in (self.err or self.out).splitlines() if line.strip()]
        return lines[-1][:300] if lines else f"exit code {self.code}"


def run(argv: Sequence[str], seconds: float = SECONDS) -> Done:
    """Run to the end, or for so long. One that can't even be killed is left to the kernel, and not waited for.

    Output goes to files: a child that lives on (ssh's shared connection) would hold a pipe open.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)
        except OSError as error:
            return Done(None, "", f"{argv[0]}: {error.strerror}")
        try:
            code: int | None = process.wait(seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)
            return Done(None, "", f"{argv[0]} gave no answer within {seconds:g} s")
        return Done(code, *(_text(stream) for stream in (out, err)))


def _text(stream: Any) -> str:
    stream.seek(0)
    return str(stream.read().decode(errors="replace"))


def together[T](tasks: Mapping[str, Callable[[], T]], seconds: float) -> dict[str, T]:
    """What the tasks give, each in a thread of its own. One that is not done by then, or fails, is missing."""
    found: dict[str, T] = {}

    def work(name: str, task: Callable[[], T]) -> None:
        with contextlib.suppress(OSError, ValueError):
            found[name] = task()

    threads = [threading.Thread(target=work, args=item, daemon=True) for item in tasks.items()]
    for thread in threads:
        thread.start()
    left = threading.Event()
    timer = threading.Timer(seconds, left.set)
    timer.daemon = True
    timer.start()
    for thread in threads:
        while thread.is_alive() and not left.is_set():
            thread.join(0.05)
    timer.cancel()
    return dict(found)
