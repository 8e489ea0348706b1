"""How one perftest process is started as a transient systemd unit, and what became of it. Pure."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..proof.foreign import ForeignError, json_of, mapping, whole
from .causes import Cause, by_precision, named, of_lines
from .perftest import PerftestError, Row, parse
from .plan import Run

PREFIX = "twinspark-perftest"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# perftest's clients crash where they clean up after an error (25.01: when memory can't be registered). What they
# printed before it is the cause.
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS)
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_SYSTEMD_RUN = re.compile(
    r"^ *(?:Running as unit|Press \^\]|Finished with result|Main processes terminated|Service runtime|CPU time consumed"
    r"|Memory peak|Memory swap peak|IO bytes|IP traffic)\b.*$"
)

# systemd looks for stdbuf, which comes first in the argv; stdbuf looks for perftest.
_NOT_FOUND = ("Failed to find executable", "stdbuf: failed to run command ")


@dataclass(frozen=True)
class Ended:
    """How a unit ended: its output, exit code or signal, and systemd's word (success, exit-code, signal, timeout)."""

    text: str
    code: int | None = None
    result: str = "success"


def unit_name(key: str, side: str, session: str) -> str:
    """The unit of one end of one run; `session` keeps two runs' journals apart."""
    return f"{PREFIX}-{side}-{_UNSAFE.sub('_', key)[:120]}-{session}.service"


def ports(text: str) -> range:
    """The ports of a range like 18515-18546, both ends included. ValueError when it is none."""
    match = re.fullmatch(r"\s*(\d{1,5})\s*(?:-\s*(\d{1,5})\s*)?", str(text))
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1024 <= first <= last <= 65535:
        raise ValueError(f"{text!r} is no range of ports between 1024 and 65535, like 18515-18546")
    return range(first, last + 1)


def server_argv(tool: str, run: Run, port: int) -> list[str]:
    """The server's command. perftest buffers its output in a pipe: stdbuf lets the readiness line out."""
    return ["stdbuf", "-oL", tool, "-d", run.server_device, "-p", str(port), *run.options]


def client_argv(tool: str, run: Run, port: int) -> list[str]:
    """The client's command."""
    return ["stdbuf", "-oL", tool, run.address, "-d", run.client_device, "-p", str(port), *run.options]


def unit_argv(unit: str, argv: Sequence[str], *, seconds: int, wait: bool) -> list[str]:
    """systemd-run for one process, which systemd itself ends after `seconds`, whatever becomes of us."""
    flags = ["--wait", "--pipe", "--collect"] if wait else []
    return ["systemd-run", f"--unit={unit}", *flags, f"--property=RuntimeMaxSec={seconds}", "--", *argv]


def messages(text: str) -> dict[str, list[str]]:
    """Lines by unit, from `journalctl -o json`."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        try:
            entry = mapping(json_of(line))
        except ForeignError:
            continue
        unit = entry.get("_SYSTEMD_UNIT", "")
        if entry and isinstance(unit, str):
            found.setdefault(unit, []).append(_message(entry.get("MESSAGE")))
    return found


def _message(message: object) -> str:
    """journalctl writes bytes that are not UTF-8 as a list of numbers, and null for what is too long to show."""
    if not isinstance(message, list):
        return message if isinstance(message, str) else ""
    octets = (byte if isinstance(byte, int) and 0 <= byte < 256 else ord("?") for byte in message)
    return bytes(octets).decode(errors="replace")


def states(text: str) -> dict[str, dict[str, str]]:
    """Properties by unit, from `systemctl show` of several units."""
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in text.split("\n\n")]
    return {block["Id"]: block for block in blocks if "Id" in block}


def listening_ports(text: str) -> set[int]:
    """The ports on which somebody listens, from `rdma resource show cm_id`."""
    found = set()
    for line in text.splitlines():
        _, listens, rest = line.partition(" state LISTEN ")
        words = rest.partition(" src-addr ")[2].split() if listens else []
        port = whole(words[0].rpartition(":")[2]) if words else None
        if port is not None and port < 65536:
            found.add(port)
    return found


def ended(stdout: str, stderr: str, code: int) -> Ended:
    """What `systemd-run --wait --pipe` printed, with its own lines taken out."""
    result = re.search(r"^Finished with result: (\S+)", stderr, re.MULTILINE)
    struck = re.search(r"^Main processes terminated with: code=(?:killed|dumped), status=(\d+)", stderr, re.MULTILINE)
    own = "\n".join(line for line in stderr.splitlines() if not _SYSTEMD_RUN.match(line))
    text = f"{stdout.rstrip()}\n{own}".strip() + "\n"
    word = result[1] if result else "success" if code == 0 else "exit-code"
    return Ended(text, int(struck[1]) if struck else code, word)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one end of a run came to: its figures, or the named cause why there are none."""

    ok: bool
    rows: tuple[Row, ...]
    warnings: tuple[str, ...]
    cause: Cause | None
    text: str
    exit_code: int | None
    result: str


def outcome(end: Ended) -> Outcome:
    """The measurement of one end, or the named cause why there is none."""
    try:
        parsed = parse(end.text)
        rows, warnings, valid, spoils = parsed.rows, parsed.warnings, parsed.valid, parsed.spoils
    except PerftestError:
        rows, warnings, valid, spoils = (), (), False, None
    succeeded = end.result == "success"
    # perftest can end with 0 after an error: what it printed counts.
    cause = None if succeeded and valid else (spoils if succeeded else None) or cause_of(end)
    if rows and not valid and cause and cause.name == "no_output":
        cause = named("invalid", "; ".join(warnings))
    return Outcome(valid and cause is None, rows, warnings, cause, end.text, end.code, end.result)


def cause_of(end: Ended) -> Cause:
    """Why there is no measurement: what perftest printed, else what systemd says, else that nothing came."""
    if any(words in end.text for words in _NOT_FOUND):
        return named("no_tool", end.text)
    crashed = end.result == "core-dump" or (end.result == "signal" and end.code in CRASHES)
    if end.result == "signal" and not crashed:
        return named("killed")
    printed = of_lines(end.text.splitlines())
    if printed:
        return printed[0]
    if crashed:
        return named("crashed")
    said = [line for line in end.text.splitlines() if line.strip("-* ") and not line.strip().startswith("#bytes")]
    return named("timeout" if end.result == "timeout" else "no_output", said[-1] if said else "")


def worst(causes: Iterable[Cause | None]) -> Cause | None:
    """Of the causes that the two ends name, the one that explains the other."""
    found = [cause for cause in causes if cause]
    return by_precision(found)[0] if found else None
