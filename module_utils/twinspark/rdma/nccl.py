"""NCCL's log and nccl-tests' table: which network carried the collective, and how fast. Pure.

Sizes in bytes, bandwidth in bytes per second (nccl-tests' GB/s are 10^9), times in microseconds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..proof.values import Findings, Measurement, Requirement, Verdict

GIGA = 1e9
LONGEST = 2000  # characters of a line that are looked at; NCCL's own are shorter
# mpirun --tag-output writes `[1,0]<stdout>:` before every line.
_TAG = re.compile(r"^\[\d+,\d+\]<std\w+>:?\s?")
_USING = re.compile(r"NET/(?:IB|IBext\w*) ?: Using (.+?)(?:; ?OOB|$)")
_DEVICE = re.compile(r"(?<![\w.+-])([\w.+-]{1,100}):\d{1,3}/(?:RoCE|IB)\b")
_NETWORK = re.compile(r"Using network (\S+)")
_CHANNEL = re.compile(r"\[(?:send|receive)\] via NET/(\w+?)/(\d+)")
_ROW = re.compile(r"^\s*\d+(?:\s+\S+){8,14}\s*$")
_RANK = re.compile(r"^#\s+Rank\s+(\d{1,4})\b.*?\bPid\s+(\d{1,10})\s+on\s+(\S+)")
_MARK = re.compile(r"^([\w.-]+):(\d{1,10}):\d+ \[\d+\] NCCL ")
# Where something has to follow something else, what came first is looked for once: `(?>...)`. Else a line that repeats
# it would take the square of its length.
_ERRORS = {
    "no_device": re.compile(r"NET/IB ?: No device found"),
    "socket": re.compile(r"NET/Socket ?: Using|Using network Socket"),
    "memlock": re.compile(r"^(?>.*?ibv_(?:reg_mr|create_)\w{0,40} failed).*(?:Cannot allocate memory|errno 12)"),
    "qp": re.compile(r"ibv_modify_qp failed"),
    "timeout": re.compile(
        r"^(?>.*?(?:timed out|Timeout)).*(?:connect|collective)|^(?>.*?NCCL WARN ).*(?:Call to connect|Timeout)"
    ),
}


class NcclError(ValueError):
    """A log that can't be judged; the message says what is missing."""


@dataclass(frozen=True)
class Row:
    """One size. Out of place first, in place second, as the table has them; None for what is no number."""

    bytes: int
    time_us: float | None
    bus_b_s: float | None
    in_place_time_us: float | None
    in_place_bus_b_s: float | None
    wrong: int

    @property
    def best_b_s(self) -> float | None:
        """The better of the two bus bandwidths."""
        return max((b for b in (self.bus_b_s, self.in_place_bus_b_s) if b), default=None)


@dataclass(frozen=True)
class Log:
    """What one rank's log says."""

    devices: tuple[str, ...] = ()
    network: str | None = None
    carried: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    errors: tuple[str, ...] = ()
    lines: dict[str, str] = field(default_factory=dict)


def parse(text: str) -> Log:
    """One rank's output, NCCL_DEBUG=INFO and the table, if this rank printed it. NcclError when it holds neither."""
    devices: list[str] = []
    network: str | None = None
    paths: set[tuple[str, int]] = set()
    rows: list[Row] = []
    lines: dict[str, str] = {}
    for raw in text.splitlines():
        line = _TAG.sub("", raw[:LONGEST])
        if _ROW.match(line):
            rows += _row(line)
            continue
        if found := _USING.search(line):
            devices = _DEVICE.findall(found[1])
            lines["devices"] = line.strip()[:300]
        if found := _NETWORK.search(line):
            network = found[1]
            lines["network"] = line.strip()[:300]
        if found := _CHANNEL.search(line):
            paths.add((found[1], int(found[2][:4])))
        for name, pattern in _ERRORS.items():
            if pattern.search(line):
                lines.setdefault(name, line.strip()[:300])
    if not (devices or network or rows or lines):
        raise NcclError("this is no NCCL log: neither NCCL_DEBUG=INFO lines nor a table of results")
    carried = {devices[number] for kind, number in paths if kind.startswith("IB") and number < len(devices)}
    errors = tuple(name for name in _ERRORS if name in lines)
    return Log(tuple(devices), network, tuple(sorted(carried)), tuple(rows), errors, lines)


def by_rank(text: str) -> dict[int, str]:
    """The log of each rank, from one stream that mpirun made of all; {0: text} when it is one rank's already.

    nccl-tests lists the ranks (`#  Rank  1 Group  0 Pid  24302 on spark-4440 ...`), and NCCL writes `HOST:PID:TID`
    before each of its lines. What carries no such mark, the table, is rank 0's.
    """
    lines = [_TAG.sub("", line[:LONGEST]) for line in text.splitlines()]
    ranks = {(found[3], found[2]): int(found[1]) for line in lines if (found := _RANK.match(line))}
    chunks: dict[int, list[str]] = {0: [], **{rank: [] for rank in ranks.values()}}
    for line in lines:
        mark = _MARK.match(line)
        chunks[ranks.get((mark[1], mark[2]), 0) if mark else 0].append(line)
    return {rank: "\n".join(chunk) + "\n" for rank, chunk in sorted(chunks.items())}


def _row(line: str) -> list[Row]:
    """A line of the table: size, count, type, ..., then time, algbw, busbw, #wrong twice."""
    tokens = line.split()
    time, _, bus, wrong, time_in, _, bus_in, wrong_in = (_number(token) for token in tokens[-8:])
    if len(tokens[0]) > 15 or all(number is None for number in (time, bus, time_in, bus_in)):
        return []
    outside, inside = bus * GIGA if bus else None, bus_in * GIGA if bus_in else None
    return [Row(int(tokens[0]), time or None, outside, time_in or None, inside, int((wrong or 0) + (wrong_in or 0)))]


def _number(token: str) -> float | None:
    """A finite number that is not negative; None for N/A, inf, nan and the like."""
    if not re.fullmatch(r"\d{1,15}(?:\.\d{1,9})?(?:e[+-]?\d{1,2})?", token):
        return None
    value = float(token)
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class Limits:
    """Bytes per second. `ceiling` is what the cable can carry, above which nothing is believed."""

    bus_b_s: float
    ceiling_b_s: float


def judge(logs: Mapping[str, str], devices: Mapping[str, Sequence[str]], limits: Limits) -> Findings:
    """Verdicts, measurements, and the lines they rest on. logs: each host's output; devices: the HCAs that must
    carry it, by host."""
    if len(logs) == 1 < len(devices):  # one stream of all ranks, in the order of the hosts
        ranks = by_rank(next(iter(logs.values())))
        logs = {host: ranks.get(rank, "") for rank, host in enumerate(devices)}
    parsed: dict[str, Log] = {}
    verdicts: list[Verdict] = []
    for host, text in logs.items():
        try:
            parsed[host] = parse(text)
        except NcclError as error:
            verdicts.append(Verdict.told(f"NCCL on {host}", False, "no log", "NET/IB", reason=str(error),
                                         fix="Read the job's log; the image must print NCCL_DEBUG=INFO"))  # fmt: skip
            continue
        verdicts.append(_network(host, parsed[host]))
        verdicts.append(_devices(host, parsed[host], devices.get(host, ())))
    rows = [row for log in parsed.values() for row in log.rows]
    verdicts.append(_bandwidth(rows, limits))
    verdicts.append(Verdict.of("NCCL results", sum(row.wrong for row in rows), Requirement("==", 0, "wrong values"),
                               reason="the collective computed wrong values",
                               fix="Don't serve on this fabric; check memory and cable"))  # fmt: skip
    measurements = tuple(
        Measurement("NCCL bus bandwidth", row.best_b_s, "B/s", f"{row.bytes} bytes") for row in rows if row.best_b_s
    )
    return Findings(tuple(verdicts), measurements, {"lines": {host: log.lines for host, log in parsed.items()}})


def _network(host: str, log: Log) -> Verdict:
    """The network must be IB (or NGC's plugin, IBext_v10), and nothing may have gone over sockets."""
    ok = bool(log.network and log.network.startswith("IB")) and "socket" not in log.errors
    reason, fix = "NCCL fell back to TCP sockets", "Set NCCL_NET=IB, so that a missing device is an error at once"
    if "no_device" in log.errors:
        reason = "NCCL found no RoCE device in the container"
        fix = "Give the container /dev/infiniband, IPC_LOCK and unlimited memlock; check NCCL_IB_HCA"
    elif "memlock" in log.errors:
        reason, fix = (
            "memory could not be registered in the container",
            "docker run --ulimit memlock=-1 --cap-add IPC_LOCK",
        )
    elif log.network is None:
        reason, fix = "the log names no network", "Run it with NCCL_DEBUG=INFO"
    return Verdict.told(f"NCCL network on {host}", ok, log.network or "none", "IB", reason=reason, fix=fix)


def _devices(host: str, log: Log, wanted: Sequence[str]) -> Verdict:
    """Every HCA must be in the Using line; where the log lists its channels, every one must have carried some."""
    used = {part for device in log.devices for part in device.split("+")}
    missing = [device for device in wanted if device not in used]
    idle = [device for device in log.devices if log.carried and device not in log.carried]
    reason = f"NCCL does not use {', '.join(missing)}" if missing else f"no channel goes over {', '.join(idle)}"
    return Verdict.told(
        f"NCCL devices on {host}", not missing and not idle,
        ", ".join(log.devices) or "none", ", ".join(wanted), reason=reason,
        fix="Set NCCL_IB_HCA to both devices of the cage on this host, and leave NCCL_IB_GID_INDEX unset",
    )  # fmt: skip


def _bandwidth(rows: Sequence[Row], limits: Limits) -> Verdict:
    largest = max((row for row in rows if row.best_b_s), key=lambda row: row.bytes, default=None)
    name, floor = "NCCL bus bandwidth", Requirement(">=", limits.bus_b_s / GIGA, "GB/s")
    if largest is None or largest.best_b_s is None:
        return Verdict.of(name, None, floor, reason="no rank printed a table of results",
                          fix="Read the head's log of the job")  # fmt: skip
    value = largest.best_b_s
    if value > limits.ceiling_b_s:
        return Verdict.of(name, value / GIGA, Requirement("<=", limits.ceiling_b_s / GIGA, "GB/s"), digits=2,
                          reason="this is more than the cable can carry, so it is not believed",
                          fix="Check that the ranks are on different hosts")  # fmt: skip
    reason, fix = "the collective is slower than it has to be", "Run the rdma stage again with rdma_verify_remeasure"
    if 11 * GIGA <= value <= 15 * GIGA:
        reason, fix = (
            "about half: one of the two HCAs carried it alone",
            "Set NCCL_IB_HCA to both devices on every host",
        )
    elif value < 5 * GIGA:
        reason = "about 3 GB/s is what TCP or stale NIC firmware gives"
        fix = "See the network verdict; else update the NIC firmware, one host at a time"
    return Verdict.of(name, value / GIGA, floor, digits=2, reason=reason, fix=fix)


def memory(meminfo: str, largest: int) -> Verdict:
    """Whether the host has room for the test: /proc/meminfo against four buffers of the largest size and 8 GiB of rest.

    On unified memory a test that does not fit hangs the host: nvidia-smi can't tell, MemAvailable can.
    """
    found = re.search(r"^MemAvailable:\s+(\d{1,12}) kB", meminfo, re.MULTILINE)
    available = int(found[1]) * 1024 if found else 0
    required = 4 * largest + 8 * 2**30
    return Verdict.of(
        "memory for the NCCL test", available / 2**30, Requirement(">=", round(required / 2**30, 1), "GiB"), digits=1,
        reason="a test that does not fit into unified memory hangs the host",
        fix="Stop what is served (twinspark stop), or lower rdma_verify_nccl_largest",
    )  # fmt: skip
