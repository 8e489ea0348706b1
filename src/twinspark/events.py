"""ansible-runner's events, read once into a typed form; nothing else in the wrapper knows their keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Progress:
    """How far a long job is: `done` of `total` in `unit`, `rate` in units a second (None: not known)."""

    done: float
    total: float | None = None
    unit: str = ""
    rate: float | None = None


@dataclass(frozen=True)
class Event:
    """One event. `kind` is ansible-runner's own name; texts that an event lacks are empty."""

    kind: str
    play: str = ""
    task: str = ""
    task_id: str = ""
    action: str = ""
    host: str = ""
    address: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    stdout: str = ""
    ignored: bool = False
    pid: int | None = None

    @property
    def changed(self) -> bool:
        """Whether something changed; of a task that handles a secret only Ansible's own line still tells it."""
        told = "censored" in self.result and self.stdout.startswith("changed:")
        return told or bool(self.result.get("changed"))

    @property
    def sentence(self) -> str:
        """From `res.supervisor.sentence` of a poll: what the pair's supervisor says; empty where it was not asked."""
        told = self.result.get("supervisor")
        return str(told.get("sentence") or "") if isinstance(told, Mapping) else ""

    @property
    def progress(self) -> Progress | None:
        """From `res.job.progress` of a poll, when the job reports numbers."""
        job = self.result.get("job")
        numbers = job.get("progress") if isinstance(job, Mapping) else None
        if not isinstance(numbers, Mapping) or not isinstance(numbers.get("done"), int | float):
            return None
        total, rate = numbers.get("total"), numbers.get("rate")
        return Progress(
            done=float(numbers["done"]),
            total=float(total) if isinstance(total, int | float) and total > 0 else None,
            unit=str(numbers.get("unit") or ""),
            rate=float(rate) if isinstance(rate, int | float) else None,
        )


COUNTS = ("ok", "changed", "failures", "dark", "skipped", "rescued")


def read(raw: Mapping[str, Any]) -> Event:
    """An event as ansible-runner hands it over; unknown kinds come through with what they have."""
    data = raw.get("event_data") or {}
    result = data.get("res")
    pid = raw.get("pid")
    return Event(
        kind=str(raw.get("event", "")),
        play=str(data.get("play") or ""),
        task=str(data.get("task") or ""),
        task_id=str(data.get("task_uuid") or ""),
        action=str(data.get("resolved_action") or data.get("task_action") or ""),
        host=str(data.get("host") or ""),
        address=str(data.get("remote_addr") or ""),
        result=result if isinstance(result, Mapping) else {},
        counts={name: data[name] for name in COUNTS if isinstance(data.get(name), Mapping)},
        stdout=str(raw.get("stdout") or ""),
        ignored=bool(data.get("ignore_errors")),
        pid=pid if isinstance(pid, int) else None,
    )
