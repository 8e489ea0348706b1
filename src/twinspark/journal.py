"""The journals of several hosts as one stream: entries of `journalctl --output=json`, and their order. Pure."""

from __future__ import annotations

import heapq
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .reach import Host

RANK, SUPERVISOR = "twinspark-vllm.service", "twinspark-serve.service"
FIELDS = "MESSAGE,_SYSTEMD_UNIT,UNIT"
# What moves a terminal's cursor or names its window has no place in a log line; colours go with it.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Seconds for which an entry waits for an older one of another host.
WINDOW = 0.5
# Seconds in which every host should have begun, so that what each has of before is put in order, too.
BEGIN = 3.0


@dataclass(frozen=True)
class Wanted:
    """What of the journals. since, boot: as journalctl takes them. lines: the last so many of all hosts together."""

    follow: bool = False
    since: str = ""
    boot: str = ""
    lines: int | None = None


@dataclass(frozen=True, order=True)
class Entry:
    """One entry. microseconds: of Unix time, by the clock of the host."""

    microseconds: int
    host: str = field(compare=False)
    who: str = field(compare=False)
    text: str = field(compare=False)

    @property
    def lines(self) -> Iterator[str]:
        """As it is printed: time, host, and the rank or the supervisor, before each line of it."""
        at = datetime.fromtimestamp(self.microseconds / 1e6).astimezone()
        before = f"{at:%Y-%m-%d %H:%M:%S}.{self.microseconds // 1000 % 1000:03d} {self.host} {self.who}:"
        for line in self.text.split("\n"):
            yield f"{before} {line.rstrip()}".rstrip()


def command(to: Host, wanted: Wanted) -> str:
    """The shell's command line on a host. The journal is root's and that of two groups; for others sudo is asked.

    The supervisor has its journal on the head.
    """
    words = ["journalctl", "--quiet", "--no-pager", "--all", "--output=json", f"--output-fields={FIELDS}"]
    words += [f"--unit={RANK}"] + ([f"--unit={SUPERVISOR}"] if to.rank == 0 else [])
    words += [f"--since={wanted.since}"] if wanted.since else []
    words += [f"--boot={wanted.boot}"] if wanted.boot else []
    words += [f"--lines={wanted.lines}"] if wanted.lines is not None else []
    words += ["--follow"] if wanted.follow else []
    line = shlex.join(words)
    if to.user == "root":
        return f"exec {line}"
    may = '[ "$(id -u)" = 0 ] || case " $(id -nG) " in *" adm "*|*" systemd-journal "*) ;;'
    return f"{may} *) exec sudo -n {line};; esac; exec {line}"


def entry(line: str, to: Host) -> Entry | None:
    """From one line of journalctl; None for one that is no entry."""
    try:
        given = json.loads(line)
        return Entry(int(given["__REALTIME_TIMESTAMP"]), to.name, who(given, to), clean(message(given.get("MESSAGE"))))
    except (ValueError, KeyError, TypeError):
        return None


def who(given: Mapping[str, Any], to: Host) -> str:
    """The rank, or the supervisor; systemd's own words on a unit are told as the unit's."""
    units = {str(given.get(name)) for name in ("_SYSTEMD_UNIT", "UNIT")}
    return "supervisor" if SUPERVISOR in units else f"rank {to.rank}"


def message(given: object) -> str:
    """journalctl gives bytes that are no text as a list of numbers, a field that is there twice as a list of texts."""
    if isinstance(given, str):
        return given
    if isinstance(given, list) and all(isinstance(part, int) for part in given):
        return bytes(given).decode(errors="replace")
    if isinstance(given, list):
        return "\n".join(message(part) for part in given)
    return "(no text)"


def clean(text: str) -> str:
    """A text that does nothing to a terminal; of a line that was rewritten in place its last form."""
    return "\n".join(CONTROL.sub("", line.rstrip("\r").rpartition("\r")[2]) for line in text.split("\n"))


class Merger:
    """Puts what comes from several hosts in order: an entry waits for WINDOW, in case an older one is on its way."""

    def __init__(self, hosts: set[str], now: float) -> None:
        self.silent, self.began = set(hosts), now
        self.held: list[tuple[Entry, int, float]] = []
        self.count = 0

    def take(self, found: Entry, now: float) -> None:
        """An entry that has come."""
        self.silent.discard(found.host)
        heapq.heappush(self.held, (found, self.count, now))
        self.count += 1

    def ended(self, host: str) -> None:
        """Nothing more comes from this host."""
        self.silent.discard(host)

    def ready(self, now: float) -> list[Entry]:
        """What need not wait any longer, in order."""
        if self.silent and now - self.began < BEGIN:
            return []
        found = []
        while self.held and now - self.held[0][2] >= WINDOW:
            found.append(heapq.heappop(self.held)[0])
        return found

    def rest(self) -> list[Entry]:
        """All that is left, in order."""
        return [heapq.heappop(self.held)[0] for _ in range(len(self.held))]
