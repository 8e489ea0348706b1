"""Faults that the lab's Hub plays on request, so that a client's care can be tested.

A fault is a JSON object; the first one whose path and method fit a request is played and its count goes down by one:

    {"fault": "status", "status": 429, "retry_after": 2, "path": "*.safetensors", "count": 3}
    {"fault": "cut", "after": 100000}             the connection ends after that many bytes of the body
    {"fault": "stall", "after": 0, "seconds": 60} nothing more comes for so long, then the connection ends
    {"fault": "length", "bytes": -10}             the file is served that much shorter (or longer, zeros), and says so
    {"fault": "bytes", "at": 4096}                one byte of the file is another one; length and sums say nothing of it
    {"fault": "slow", "rate": 1000000}            bytes a second
    {"fault": "gated", "status": 401}             as for a model whose licence was not accepted (401 or 403)
    {"fault": "unknown"}                          the commit does not exist

`path` is a pattern on the URL's path or its last part (default: every file), `method` GET, HEAD, POST or * (default
GET, which is what reads files), `count` how often (default 1; -1 for ever).
"""

import threading
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

KINDS = ("status", "cut", "stall", "length", "bytes", "slow", "gated", "unknown")

DEFAULTS: dict[str, dict[str, Any]] = {
    "gated": {"status": 401, "method": "*", "path": "*"},
    "unknown": {"method": "*", "path": "*"},
}


class BadFault(ValueError):
    """A fault that this server cannot play."""


@dataclass
class Fault:
    """One fault; a field that its kind does not use is ignored."""

    fault: str
    path: str = "*/resolve/*"
    method: str = "GET"
    count: int = 1
    status: int = 503
    retry_after: float | None = None
    after: int = 0
    seconds: float = 60.0
    bytes: int = -1
    at: int = 0
    rate: float = 1e6

    def fits(self, method: str, path: str) -> bool:
        name = path.rsplit("/", 1)[-1]
        return (
            self.count != 0
            and self.method in ("*", method)
            and (fnmatchcase(path, self.path) or fnmatchcase(name, self.path))
        )


def parse(document: object) -> list[Fault]:
    """Reads the admin's JSON list; raises BadFault with what is wrong."""
    if not isinstance(document, list):
        raise BadFault("faults are a JSON list of objects")
    known = {f.name for f in fields(Fault)}
    faults = []
    for item in document:
        if not isinstance(item, dict) or item.get("fault") not in KINDS:
            raise BadFault(f'a fault needs "fault", one of {", ".join(KINDS)}')
        if unknown := sorted(set(item) - known):
            raise BadFault(f"fault {item['fault']} has no field {', '.join(unknown)}")
        faults.append(Fault(**(DEFAULTS.get(item["fault"], {}) | item)))
    return faults


class Faults:
    """The faults still to be played; shared by the server's threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, faults: list[Fault]) -> None:
        with self._lock:
            self._faults.extend(faults)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault to play on this request, counted as played."""
        with self._lock:
            for fault in self._faults:
                if fault.fits(method, path):
                    if fault.count > 0:
                        fault.count -= 1
                    return fault
        return None

    def list(self) -> list[dict[str, object]]:
        """What is left to be played."""
        with self._lock:
            return [asdict(fault) for fault in self._faults if fault.count != 0]
