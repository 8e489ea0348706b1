"""perftest's text output as typed figures, in bits per second and microseconds.

Reads what ib_{write,read,send,atomic}_{bw,lat} of 4.5 to 26.04 print. Columns are found by their heading, never by
position: perftest moves them with -D, --cpu_util, --report-per-port and QoS. A number that is no measurement (inf,
nan, zero, negative, cycles) becomes None and a warning. Any text either parses or raises PerftestError.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from . import agreement
from .causes import HARMLESS, Cause, of_lines

MIB = 2**20  # perftest's MB/sec (to 24.04) and MiB/sec (after) are both 2^20 bytes a second: perftest_parameters.c
UNITS = {"MB/sec": 8 * MIB, "MiB/sec": 8 * MIB, "Gb/sec": 10**9, "Mpps": 10**6, "usec": 1, "%": 1, "%%": 1, "": 1}
_UNITLESS = ("#bytes", "#iterations", "#sl", "tps average")


class PerftestError(ValueError):
    """A text that is no perftest output; the message says what was missing."""


@dataclass(frozen=True)
class Row:
    """One line of results. Rates in bit/s and messages/s, times in microseconds, None where not measured."""

    bytes: int
    iterations: int | None = None
    peak_bit_s: float | None = None
    average_bit_s: float | None = None
    messages_s: float | None = None
    min_us: float | None = None
    max_us: float | None = None
    typical_us: float | None = None
    average_us: float | None = None
    stdev_us: float | None = None
    p99_us: float | None = None
    p999_us: float | None = None
    transactions_s: float | None = None
    cpu_percent: float | None = None
    service_level: int | None = None
    port1_bit_s: float | None = None
    port1_messages_s: float | None = None
    port2_bit_s: float | None = None
    port2_messages_s: float | None = None
    part: str | None = None  # "local" or "remote" with --report-both

    @property
    def valid(self) -> bool:
        """Whether the row holds the figure that it was run for: an average bandwidth, or an average latency."""
        return self.average_bit_s is not None or self.average_us is not None


@dataclass(frozen=True)
class Result:
    """One run of one test. `test` is the tool's name without ib_ (write_bw), None when no banner was printed."""

    test: str | None
    device: str | None
    rows: tuple[Row, ...] = ()
    errors: tuple[Cause, ...] = ()
    warnings: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def valid(self) -> bool:
        """Whether there is a measurement at all: a figure, and no error printed beside it that concerns it."""
        return any(row.valid for row in self.rows) and not self.spoils

    @property
    def spoils(self) -> Cause | None:
        """The most precise error that no figure may stand beside, None when there is none."""
        return next((error for error in self.errors if error.name not in HARMLESS), None)

    @property
    def cause(self) -> Cause | None:
        """The most precise error, None when the run printed none."""
        return self.errors[0] if self.errors else None


# Field of Row for each heading; the unit stands in the heading itself.
_COLUMNS = {
    "#bytes": "bytes", "#iterations": "iterations", "#sl": "service_level",
    "BW peak": "peak_bit_s", "BW average": "average_bit_s", "MsgRate": "messages_s",
    "BW Port1": "port1_bit_s", "MsgRate Port1": "port1_messages_s",
    "BW Port2": "port2_bit_s", "MsgRate Port2": "port2_messages_s",
    "t_min": "min_us", "t_max": "max_us", "t_typical": "typical_us", "t_avg": "average_us", "t_stdev": "stdev_us",
    "99% percentile": "p99_us", "99.9% percentile": "p999_us", "tps average": "transactions_s",
    "CPU_Util": "cpu_percent",
}  # fmt: skip
_INTEGERS = ("bytes", "iterations", "service_level")
_MAY_BE_ZERO = ("stdev_us", "cpu_percent", "service_level")  # the stdev's squares are truncated to integers: often 0.00
_HEADING = re.compile(
    r"(#bytes|#iterations|#sl|BW\s+peak|BW\s+average|BW\s+Port[12]|MsgRate\s+Port[12]|MsgRate|t_min|t_max|t_typical|t_avg"
    r"|t_stdev|99%\s+percentile|99\.9%\s+percentile|tps\s+average|CPU_Util)(?:\[([^\]\s]{1,12})\])?"
)
_BANNER = re.compile(
    r"^\s*(Send|RDMA_Write_imm|RDMA_Write|RDMA_Read|Atomic)\s(.{0,60}?)\b(BW|Latency)\s(.{0,30}?)Test\s*$"
)
VERBS = {"Send": "send", "RDMA_Write": "write", "RDMA_Write_imm": "write_imm", "RDMA_Read": "read", "Atomic": "atomic"}
_SETTING = re.compile(
    r"(Dual-port|Device|Number of qps|Transport type|Connection type|Using SRQ|PCIe relax order|Lock-free|ibv_wr\* API"
    r"|Using DDP|TX depth|RX depth|Post List|CQ Moderation|Mtu|Link type|GID index|Max inline data|Outstand reads"
    r"|rdma_cm QPs|Data ex\. method)[ \t]*: +(\S{1,80})"
)
_NO_DEVICE = re.compile(r"IB device (\S{1,80}) not found")
_NUMBER = re.compile(r"^[-+]?(?:\d{1,30}(?:\.\d{0,30})?|inf(?:inity)?|nan)(?:e[-+]?\d{1,4})?$", re.IGNORECASE)
_RULE = re.compile(r"^\s*-{20,}\s*$")
# What perftest writes right behind a row, which it ends too late: an error from the other stream.
_GLUED = re.compile(r"(?<=\d)\s{0,20}[A-Z][a-z].*$")
_WAITING = re.compile(r"Waiting for client")
LONGEST_WARNING = 300  # characters
NO_PEAK = "BW peak won't be measured"
MOST_WARNINGS = 100  # of one run; a damaged file has one for each line
READY = "Waiting for client to connect"


def parse(text: str, *, cycles: bool = False) -> Result:
    """The one run in `text`. `cycles`: it was run with -C, whose values are cycles under a heading that says usec.

    Raises PerftestError when the text holds no run (neither results nor a known error) or more than one.
    """
    runs = parse_all(text, cycles=cycles)
    if len(runs) != 1:
        raise PerftestError(f"the text holds {len(runs)} runs of perftest, not one")
    return runs[0]


def parse_all(text: str, *, cycles: bool = False) -> list[Result]:
    """Every run in `text`, in order. Raises PerftestError when there is none."""
    runs = [_Reader(chunk, cycles).result() for chunk in _split(text)]
    found = [run for run in runs if run.rows or run.errors or run.test]
    if not found:
        raise PerftestError("this is no output of perftest: no test banner, no table of results, no known error")
    return found


def _split(text: str) -> list[list[str]]:
    """The lines of each run. A new one begins at a second banner, or at what is printed before it."""
    chunks: list[list[str]] = [[]]
    banner = closed = False
    rows = 0
    for line in text.splitlines():
        title = bool(_BANNER.match(line))
        if (closed and (title or _WAITING.search(line) or NO_PEAK in line)) or (banner and title):
            chunks.append([])
            banner = closed = False
            rows = 0
        banner = banner or title
        rows += line.lstrip()[:1].isdigit()
        closed = closed or bool(rows and _RULE.match(line))
        chunks[-1].append(line)
    return chunks


def _in_cycles(line: str) -> bool:
    """Whether a line says that the times are CPU cycles: a list's heading, or the command itself."""
    words = line.split()
    commands = (word.rpartition("/")[2] for word in words if word.endswith("_lat"))
    return words == ["#,", "cycles"] or (
        any(command.startswith("ib_") for command in commands) and not {"-C", "--report-cycles"}.isdisjoint(words)
    )


class _Reader:
    """Reads the lines of one run, once, in order."""

    def __init__(self, lines: list[str], cycles: bool) -> None:
        self.lines = lines
        self.cycles = cycles or any(_in_cycles(line) for line in lines if "_lat" in line or "cycles" in line)
        self.test: str | None = None
        self.settings: dict[str, str] = {}
        self.columns: list[tuple[str, str]] = []
        self.part: str | None = None
        self.rows: list[Row] = []
        self.warnings: dict[str, None] = {}  # each once, in order
        self.peak_expected = True

    def result(self) -> Result:
        for line in self.lines:
            self._line(line)
        errors = of_lines(self.lines)
        return Result(
            test=self.test,
            device=self.settings.get("Device"),
            rows=tuple(self.rows),
            errors=errors,
            warnings=tuple(self.warnings),
            settings=self.settings,
        )

    def _line(self, line: str) -> None:
        stripped = line.strip()
        banner = _BANNER.match(line)
        if banner:
            kind = "bw" if banner[3] == "BW" else "lat"
            self.test = f"{VERBS[banner[1]]}_{kind}"
            self.settings["Title"] = stripped
        elif stripped.startswith("#bytes"):
            self._heading(stripped)
        elif stripped[:1].isdigit() and self.columns:
            self._row(stripped)
        elif self.rows and _RULE.match(line):
            self.columns = []  # the table is closed: numbers after it are no rows
        elif "WARNING" in line or stripped.startswith("Warning:"):
            self._warn(stripped)
            self.peak_expected = self.peak_expected and NO_PEAK not in stripped
        elif stripped in ("Local results:", "Remote results:"):
            self.part = stripped.split()[0].lower()
        elif ": " in line:
            self.settings.update(_SETTING.findall(line))
        elif missing := _NO_DEVICE.search(line):
            self.settings.setdefault("Device", missing[1])

    def _warn(self, text: str) -> None:
        if len(self.warnings) < MOST_WARNINGS:
            self.warnings[text[:LONGEST_WARNING]] = None

    def _heading(self, line: str) -> None:
        found = [(re.sub(r"\s+", " ", name), unit) for name, unit in _HEADING.findall(line)]
        found = [(name, unit or ("" if name in _UNITLESS else "none")) for name, unit in found]
        rest = _HEADING.sub("", line).strip()
        if rest:
            self._warn(f"unknown column in the heading: {rest[:60]}")
            found = []  # every value's place is unknown then
        self.columns = found
        if self.test is None and found:
            self._warn("no banner before the table: the test and the device are not known")

    def _row(self, line: str) -> None:
        tokens = _GLUED.sub("", line).split()
        if not all(_NUMBER.match(token) for token in tokens):
            if len(tokens) >= len(self.columns):
                self._warn(f"unreadable row: {line[:80]}")
            return
        if len(tokens) != len(self.columns):
            if len(tokens) > 1 and not line.startswith("#"):
                self._warn(f"{len(tokens)} numbers under {len(self.columns)} headings: {line[:80]}")
            return
        row = build_row(
            ((_COLUMNS[name], unit, float(token)) for (name, unit), token in zip(self.columns, tokens, strict=True)),
            self._warn,
            cycles=self.cycles,
            part=self.part,
            peak_expected=self.peak_expected,
        )
        if row:
            self.rows.append(row)


def build_row(
    values: Iterator[tuple[str, str, float]],
    warn: Callable[[str], None],
    *,
    cycles: bool = False,
    part: str | None = None,
    peak_expected: bool = True,
) -> Row | None:
    """A row from (field, unit, number). Numbers that are no measurement become None, and `warn` is told why.

    That includes numbers that contradict each other, and times beside one that is no number.
    """
    fields: dict[str, Any] = {}
    rate_unit, strange = 1.0, ""
    for name, unit, number in values:
        scale = UNITS.get(unit)
        if name == "average_bit_s":
            rate_unit = scale or 1.0
        if name in agreement.TIMES and not math.isfinite(number):
            strange = f"{name} is {number}"
        if unit == "cycles" or (cycles and unit == "usec"):
            warn("the times are CPU cycles (-C), not microseconds: not measured")
        elif scale is None:
            warn(f"{name} has an unknown unit ({unit}): not measured")
        elif not math.isfinite(number) or not math.isfinite(number * scale) or number < 0:
            warn(f"{name} is {number}: not a measurement")
        elif number == 0 and name not in _MAY_BE_ZERO:
            if name != "peak_bit_s" or peak_expected:
                warn(f"{name} is 0: not a measurement")
        else:
            fields[name] = int(number) if name in _INTEGERS else number * scale
    if not fields.get("bytes"):
        return None
    for what, names, why in (
        ("rates", agreement.RATES, agreement.rates(fields, rate_unit)),
        ("times", agreement.TIMES, strange or agreement.times(fields)),
    ):
        if why and fields.keys() & set(names):
            warn(f"none of the {what} is a measurement: {why}")
            fields = {name: value for name, value in fields.items() if name not in names}
    return Row(part=part, **fields)
