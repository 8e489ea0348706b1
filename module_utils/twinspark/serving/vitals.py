"""The signs of life of a rank and of the engine, as texts show them: counters, processes, memory, power, a token."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..inventory.fabric import Rail
from .pair import Answer, Counters, Process

# Each moves only when the engine has worked on tokens. vLLM before 0.20 has no others under these names.
GENERATED = "vllm:generation_tokens_total"
WORK = (GENERATED, "vllm:prompt_tokens_total", "vllm:iteration_tokens_total_sum")
RUNNING, QUEUED = "vllm:num_requests_running", "vllm:num_requests_waiting"
DONE = "vllm:request_success_total"
# The server itself counts these for a client that hung up on an engine that hangs: no sign of life.
NO_WORK = re.compile(r'finished_reason="(abort|error)"')
SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)(?: \d+)?\Z")
TITLE = "VLLM::"
# Segments that Python's multiprocessing, PyTorch and NCCL make in /dev/shm, and leave when they are killed.
SEGMENT = re.compile(r"(psm_|sem\.mp-|torch_|nccl-|vllm)")


def counters(text: str) -> Counters | None:
    """From /metrics in Prometheus' text form; None where it has none of the engine's counters."""
    work: list[float] = []
    generated: list[float] = []
    requests = {RUNNING: 0.0, QUEUED: 0.0}
    for line in text.splitlines():
        sample = None if line.startswith("#") else SAMPLE.match(line.strip())
        if not sample:
            continue
        try:
            value = float(sample["value"])
        except ValueError:
            continue
        if not math.isfinite(value):
            continue
        name = sample["name"]
        if name in requests:
            requests[name] += value
        elif name in WORK or (name == DONE and not NO_WORK.search(sample["labels"] or "")):
            work.append(value)
            generated += [value] if name == GENERATED else []
    tokens = sum(generated) if generated else None
    return Counters(sum(work), requests[RUNNING], requests[QUEUED], tokens) if work else None


def question(model: str, prompt: str) -> dict[str, Any]:
    """The body of the canary, for /v1/completions: one token, which needs every rank."""
    return {"model": model, "prompt": prompt, "max_tokens": 1, "temperature": 0, "stream": False}


def answer(number: int, status: int, body: str) -> Answer:
    """What the endpoint answered to the canary: the tokens are the engine's own count."""
    try:
        read = json.loads(body)
    except ValueError:
        read = None
    given = read if isinstance(read, Mapping) else {}
    if status != 200:
        return Answer(number, 0, f"HTTP {status}: {' '.join(body.split())[:200]}")
    usage = given.get("usage")
    tokens = usage.get("completion_tokens") if isinstance(usage, Mapping) else None
    if not isinstance(tokens, int) or tokens < 1:
        return Answer(number, 0, f"the answer has no token: {' '.join(body.split())[:200]}")
    return Answer(number, tokens)


@dataclass(frozen=True, slots=True)
class Entry:
    """A process of the host. command: its arguments, with blanks between."""

    pid: int
    parent: int
    state: str
    command: str


def entry(stat: str, cmdline: str) -> Entry | None:
    """From /proc/PID/stat and /proc/PID/cmdline; None where they are not what proc(5) says."""
    # The name in brackets may hold blanks and brackets: what counts stands after the last one.
    pid, _, rest = stat.partition(" (")
    fields = rest.rpartition(")")[2].split()
    if not pid.isdigit() or len(fields) < 2 or not fields[1].isdigit():
        return None
    return Entry(int(pid), int(fields[1]), fields[0], cmdline.replace("\0", " ").strip())


def processes(table: Iterable[Entry], root: int) -> tuple[Process, ...]:
    """The engine's processes that have named themselves, below the container's first process `root`.

    A child that was forked and has not yet become another program has its parent's name; it comes and goes, and is left
    out. So is one that has ended and waits to be buried.
    """
    known = {found.pid: found for found in table}
    named = []
    for found in known.values():
        parent = known.get(found.parent)
        if not found.command.startswith(TITLE) or found.state in "ZX":
            continue
        if parent and parent.command == found.command:
            continue
        if _below(found, root, known):
            named.append(Process(found.pid, found.command, found.state))
    return tuple(sorted(named, key=lambda process: process.pid))


def _below(found: Entry, root: int, known: Mapping[int, Entry]) -> bool:
    seen: set[int] = set()
    at: Entry | None = found
    while at and at.pid not in seen:
        if root in (at.pid, at.parent):
            return True
        seen.add(at.pid)
        at = known.get(at.parent)
    return False


def power(text: str) -> float | None:
    """Watts of all GPUs, by `nvidia-smi --query-gpu=power.draw --format=csv,noheader,nounits`.

    None where one GPU does not tell.
    """
    try:
        watts = [float(line) for line in text.split("\n") if line.strip()]
    except ValueError:
        return None
    return round(sum(watts), 2) if watts and all(map(math.isfinite, watts)) else None


def missing(rails: Sequence[Rail], addresses: Iterable[str]) -> tuple[str, ...]:
    """Names of the rails of a host whose address is on no interface that is up."""
    there = set(addresses)
    return tuple(rail.name for rail in rails if rail.address not in there)


def addresses(text: str) -> tuple[str, ...]:
    """The IPv4 addresses of interfaces that are up and have a carrier, from `ip -json -4 address show`."""
    try:
        links = json.loads(text)
    except ValueError:
        return ()
    return tuple(
        str(given["local"])
        for link in (links if isinstance(links, list) else [])
        if "LOWER_UP" in link.get("flags", ())
        for given in link.get("addr_info", ())
        if "local" in given
    )


def is_segment(name: str) -> bool:
    """Whether a file of /dev/shm has a name that only the engine's own libraries give."""
    return bool(SEGMENT.match(name))


def mapped(maps: str) -> set[tuple[str, int]]:
    """Device (as major:minor in hex) and inode of every file that a process has mapped, from /proc/PID/maps."""
    found = set()
    for line in maps.splitlines():
        parts = line.split(None, 5)
        if len(parts) >= 5 and parts[4].isdigit() and parts[4] != "0":
            found.add((parts[3], int(parts[4])))
    return found
