"""The state of the served pair in a moment: the supervisor's own file on the head, by ssh. Imports little."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import SealedError
from .reach import Host, ReachError, argv, hosts

if TYPE_CHECKING:
    from .place import Place

CONNECT_SECONDS = 1  # ssh's ConnectTimeout
IN_ALL_SECONDS = 1.5
NOT_REACHED, ABSENT = "not reached", "absent"
# The supervisor writes at least twice a minute. One that has written nothing for as long is not at work.
SILENT_SECONDS = 180


@dataclass(frozen=True)
class PairState:
    """What the supervisor says. state: its word, `absent` where it has written nothing yet, or `not reached`.

    since: Unix time at which the state began, and seconds since then, by the head's own clock; written_seconds: since
    the file was written. restarts: counted ones. why: why it is in this state, or was not reached. What is not known is
    null.
    """

    state: str
    sentence: str = ""
    host: str = ""
    since: float | None = None
    seconds: float | None = None
    restarts: int | None = None
    written_seconds: float | None = None
    why: str = ""

    @property
    def line(self) -> str:
        """In words: a line, and one more for the reason of a restart or an end, which may be long."""
        if self.state == NOT_REACHED:
            return f"not reached: {self.why}"
        if self.state == ABSENT:
            return f"nothing is served yet: {self.why}"
        from ansible.module_utils.twinspark.proof.numbers import duration

        told = [self.sentence.removesuffix(f": {self.why}")]
        told += [f"for {duration(self.seconds)}"] if self.seconds is not None else []
        told += [f"{self.restarts} restart{'s' if self.restarts != 1 else ''} counted"] if self.restarts else []
        line = "; ".join(told)
        if self.written_seconds is not None and self.written_seconds > SILENT_SECONDS:
            line += (
                f". But the supervisor has written nothing for {duration(self.written_seconds)}: "
                f"see `systemctl status twinspark-serve` on {self.host}"
            )
        return f"{line}\n      {self.why}" if self.why else line


def command(path: str) -> str:
    """What is run on the head: its clock, then the file. Both can be read by everybody."""
    return f"date +%s && cat {shlex.quote(path)}"


def said(text: str, name: str) -> PairState:
    """From what that command printed. Read by hand: the shared reader of the whole file takes longer to import."""
    clock, _, rest = text.partition("\n")
    try:
        document = json.loads(rest)
        state: Mapping[str, Any] = document["state"]
        kind, sentence = str(state["kind"]), str(document["sentence"])
        why = str(state.get("why") or "")
        since, written = number(state.get("since")), number(document.get("written"))
        restarts = state.get("restarts")
        now = float(clock)
    except (ValueError, KeyError, TypeError) as error:
        return PairState(NOT_REACHED, host=name, why=f"the state on {name} can't be read ({error})")
    return PairState(
        state=kind,
        sentence=sentence,
        host=name,
        since=since or None,
        seconds=round(max(0.0, now - since), 1) if since else None,
        restarts=restarts if isinstance(restarts, int) else None,
        written_seconds=round(max(0.0, now - written), 1) if written else None,
        why=why,
    )


def number(given: object) -> float | None:
    """A number, or nothing."""
    return float(given) if isinstance(given, int | float) and not isinstance(given, bool) else None


def failed(text: str, name: str) -> PairState:
    """From what ssh, or the command, said on its standard error."""
    last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")
    if "No such file or directory" in last and "cat:" in last:
        return PairState(ABSENT, host=name, why=f"no supervisor has written its state on {name}")
    return PairState(NOT_REACHED, host=name, why=f"{name}: {last}")


class Look:
    """A look that is on its way while something else is done. Raises UsageError for an inventory that can't be read."""

    def __init__(self, place: Place) -> None:
        self.child: subprocess.Popen[str] | None = None
        self.missed: PairState | None = None
        self.name = ""
        try:
            found = hosts(place)
            self.began = time.monotonic()
            self.start(found[0])
        except (SealedError, ReachError, OSError) as error:
            self.missed = PairState(NOT_REACHED, host=self.name, why=str(error))

    def start(self, head: Host) -> None:
        """Send it off, in a session of its own, so that all of it can be ended."""
        self.name = head.name
        self.child = subprocess.Popen(
            argv(head, command(head.state_file), CONNECT_SECONDS),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def end(self) -> PairState:
        """What came of it; whatever has not come in time is given up."""
        if self.missed or self.child is None:
            return self.missed or PairState(NOT_REACHED, why="there is no host")
        try:
            left = max(0.0, self.began + IN_ALL_SECONDS - time.monotonic())
            out, err = self.child.communicate(timeout=left)
        except subprocess.TimeoutExpired:
            return PairState(NOT_REACHED, host=self.name, why=f"{self.name} gave no answer within {IN_ALL_SECONDS:g} s")
        finally:
            self.kill()
        return said(out, self.name) if self.child.returncode == 0 else failed(err, self.name)

    def kill(self) -> None:
        """End ssh, and what it started for its connection, if they still run."""
        if self.child and self.child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()
