"""`twinspark logs`: what the ranks and the supervisor write, of all hosts in one stream, by ssh."""

from __future__ import annotations

import contextlib
import heapq
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from .errors import UsageError
from .exitcodes import Exit
from .journal import Entry, Merger, Wanted, command, entry
from .place import Place
from .reach import Host, ReachError, argv, hosts

CONNECT_SECONDS = 10
POLL = 0.1
SSH_FAILED = 255
ERRORS_KEPT = 40  # lines of standard error


class Stream:
    """One host's journal as it comes. `error` is a sentence, once it has ended, where it was not as it should be."""

    def __init__(self, host: Host, wanted: Wanted) -> None:
        self.host, self.error, self.code, self.told = host, "", Exit.OK, False
        self.said: deque[str] = deque(maxlen=ERRORS_KEPT)
        self.child: subprocess.Popen[str] | None = None
        try:
            self.child = subprocess.Popen(
                argv(host, command(host, wanted), CONNECT_SECONDS),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # a Ctrl-C is this program's, which ends them in order
            )
        except (ReachError, OSError) as error:
            self.error, self.code = f"{host.name}: {error}", Exit.UNREACHABLE
            return
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()

    def listen(self) -> None:
        """Keep the end of what ssh and sudo say."""
        if self.child and self.child.stderr:
            self.said.extend(self.child.stderr)

    def entries(self) -> Iterator[Entry]:
        """Every entry, to the end."""
        if self.child is None or self.child.stdout is None:
            return
        with contextlib.suppress(ValueError):  # closed from another thread at the end
            for line in self.child.stdout:
                if found := entry(line, self.host):
                    yield found
        self.close()

    def close(self) -> None:
        """Its end: what it was about, where it was no good one."""
        if self.child is None:
            return
        code = self.child.wait()
        self.listener.join(timeout=2)
        if code and not self.error:
            self.error, self.code = trouble(self.host, code, "".join(self.said))

    def tell(self) -> None:
        """The sentence on standard error, once."""
        if self.error and not self.told:
            self.told = True
            print(self.error, file=sys.stderr, flush=True)

    def kill(self) -> None:
        """End ssh and whatever it started, at once if it does not end by itself."""
        if self.child is None:
            return
        for number, seconds in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 5.0)):
            if self.child.poll() is not None:
                return
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(self.child.pid, number)
                self.child.wait(timeout=seconds)


def trouble(host: Host, code: int, text: str) -> tuple[str, Exit]:
    """One sentence and the exit code: ssh, sudo or journalctl itself. Raises nothing."""
    from ansible.module_utils.twinspark.inventory.explain import Failure, explain, one_line

    last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), f"exit code {code}")
    if code == SSH_FAILED and not host.local:
        failure = Failure(
            host.name, {"msg": text}, address=host.address, unreachable=True, user=host.user, port=host.port
        )
        return explain(failure).sentence, Exit.UNREACHABLE
    if "sudo:" in text:
        who = host.user or "the login user"
        return (
            f"{host.name}: sudo there wants a password, or does not let {who} run journalctl ({last}). Fix: "
            f"`sudo usermod -aG adm {host.user or 'USER'}` on it, whose members may read the journal, then run again.",
            Exit.UNREACHABLE,
        )
    if "Failed to parse timestamp" in text or "specified boot" in text:
        return one_line(f"{host.name}: journalctl: {last}"), Exit.USAGE
    return one_line(f"{host.name}: journalctl: {last}"), Exit.FAILED


def chosen(found: Sequence[Host], names: Sequence[str]) -> list[Host]:
    """The hosts that are named; all where none is."""
    known = [host.name for host in found]
    for name in names:
        if name not in known:
            from ansible.module_utils.twinspark.inventory.rules import did_you_mean

            raise UsageError(f"there is no host {name!r} in the inventory{did_you_mean(name, known)}")
    return [host for host in found if not names or host.name in names]


def show(place: Place, names: Sequence[str], wanted: Wanted, write: Callable[[str], object] | None = None) -> Exit:
    """Print the stream; the exit code. The first host in trouble does not keep the others' journals away."""
    write = write or out
    streams: list[Stream] = []

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGTERM, stop)
    try:
        streams = [Stream(host, wanted) for host in chosen(hosts(place), names)]
        order = followed(streams) if wanted.follow else whole(streams, wanted)
        for found in order:
            for line in found.lines:
                write(line)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    finally:
        # Whatever comes now, none of them is left behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for stream in streams:
            stream.kill()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, former)
    return judged(streams)


def out(line: str) -> None:
    """A line to standard output, at once."""
    print(line, flush=True)


def whole(streams: Sequence[Stream], wanted: Wanted) -> Iterator[Entry]:
    """What the journals have, in order; each is in order by itself."""
    merged = heapq.merge(*(stream.entries() for stream in streams))
    return iter(deque(merged, maxlen=wanted.lines)) if wanted.lines is not None else merged


def followed(streams: Sequence[Stream]) -> Iterator[Entry]:
    """What comes, as it comes, put in order over a small window; ends where every host's journal has ended."""
    came: queue.SimpleQueue[tuple[str, Entry | None]] = queue.SimpleQueue()

    def read(stream: Stream) -> None:
        try:
            for found in stream.entries():
                came.put((stream.host.name, found))
        finally:
            came.put((stream.host.name, None))

    left = {stream.host.name: stream for stream in streams}
    merger = Merger(set(left), time.monotonic())
    for stream in streams:
        threading.Thread(target=read, args=(stream,), daemon=True).start()
    while left:
        with contextlib.suppress(queue.Empty):
            name, found = came.get(timeout=POLL)
            if found is None:
                merger.ended(name)
                left.pop(name).tell()
            else:
                merger.take(found, time.monotonic())
        yield from merger.ready(time.monotonic())
    yield from merger.rest()


def judged(streams: Sequence[Stream]) -> Exit:
    """Tell what was in the way; the exit code of the worst."""
    for stream in streams:
        stream.tell()
    codes = {stream.code for stream in streams}
    return next((code for code in (Exit.USAGE, Exit.UNREACHABLE, Exit.FAILED) if code in codes), Exit.OK)
