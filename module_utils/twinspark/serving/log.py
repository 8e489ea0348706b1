"""One line of an engine's log: which process's format it has, whether it can be an error, and its words.

vLLM, uvicorn, NCCL, PyTorch and Python's logging each write a level; an exception, Docker and argparse write none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# `docker compose` and vLLM write the name of the process before a line.
_PROCESS = re.compile(r"(?:\S+\s+\| )?(?:\([^()]*pid=\d+\) ?)?")
_LEVEL = r"(?P<level>\w+)"
_FORMATS = tuple(
    re.compile(pattern)
    for pattern in (
        # vLLM, its Rust front end and uvicorn: `INFO 11-25 00:41:58 [api_server.py:673] text`, `INFO:     text`
        r"(?P<level>TRACE|DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL)"
        r"(?::\s+| (?:\d\d-\d\d \d\d:\d\d:\d\d )?(?:\[[^\]]*\](?: |$))?)(?P<text>.*)",
        # Python's logging, as FlashInfer sets it up: `2026-09-02 11:57:03,500 - INFO - autotuner.py:829 - text`
        rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\S* - {_LEVEL} - (?:\S+:\d+ - )?(?P<text>.*)",
        # PyTorch's C++: `[rank1]:[E210 02:06:33.347835395 ProcessGroupNCCL.cpp:1595] text`
        r"(?:\[rank\d+\]:)?\[(?P<level>[IWEF])\d{3,4} [^\]]*\] (?P<text>.*)",
        # Python's warnings: `file.py:12: UserWarning: text`
        r"(?:\S+:\d+: )?(?P<level>\w*Warning): (?P<text>.*)",
    )
)
# `[date] host:pid:thread [gpu] file.cc:72 NCCL WARN text`. NCCL has no level above WARN: its errors are of that level.
_NCCL = re.compile(rf"(?:\[\d{{4}}-[^\]]*\] )?\S+:\d+:\d+ \[\w+\] (?:\S+ )?NCCL {_LEVEL} (?P<text>.*)")
_QUIET = re.compile(r"TRACE|DEBUG|INFO|WARN|WARNING|I|W|\w*Warning")
# What a line quotes: source code in a traceback, and the settings that vLLM prints whole when it dies.
_QUOTED = re.compile(r' {4}|  File "|Dumping ')

# The server listens. uvicorn's words, and those of vLLM's Rust front end, which says so once the engine is there.
_LISTENS = re.compile(r"Application startup complete|starting OpenAI server bind_address=")


@dataclass(frozen=True, slots=True)
class Line:
    """The words of a line, without process, level, time and place. error: it may be one; false up to WARNING."""

    text: str
    error: bool

    @property
    def listens(self) -> bool:
        """Whether it says that the server listens."""
        return bool(_LISTENS.match(self.text))


def read(line: str) -> Line:
    """A line as it was logged."""
    told = line.rstrip()  # some end in a carriage return
    if match := _PROCESS.match(told):
        told = told[match.end() :]
    if found := _NCCL.match(told):
        return Line(found["text"], error=found["level"] == "WARN")
    for known in _FORMATS:
        if found := known.match(told):
            text = found["text"]
            return Line(text, error=not _QUIET.fullmatch(found["level"]) and not _QUOTED.match(text))
    return Line(told, error=not _QUOTED.match(told))


def since_ready(lines: Sequence[str]) -> Sequence[str]:
    """The lines after the one that says that the server listens; all where there is none."""
    ready = next((n for n, line in enumerate(lines) if read(line).listens), -1)
    return lines[ready + 1 :]
