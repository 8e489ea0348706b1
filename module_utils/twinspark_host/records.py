"""What a host keeps on disk of its jobs."""

from __future__ import annotations

import json
from pathlib import Path

from ..twinspark.proof.foreign import json_of
from ..twinspark.proof.jobs import Recorded
from .files import write_atomically

NAME = "result.json"


def read_record(folder: Path) -> Recorded:
    """What is known of the job's last start and end; empty where that is nothing, or of another form."""
    try:
        return Recorded.from_json(json_of((folder / NAME).read_text()))
    except (OSError, ValueError):
        return Recorded()


def write_record(folder: Path, record: Recorded) -> None:
    """Remember it: systemd forgets at the next boot."""
    write_atomically(folder / NAME, json.dumps(record.to_json(), indent=2))
