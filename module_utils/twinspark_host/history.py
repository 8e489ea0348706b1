"""The head's record of the images that were built there."""

from __future__ import annotations

from pathlib import Path

from ..twinspark.image.image import Built
from ..twinspark.proof.foreign import json_of
from ..twinspark.proof.json_form import ShapeError


def read_history(path: str | Path) -> list[Built]:
    """The recorded builds, the newest last. What can't be read counts as no history, since it only saves a rebuild."""
    try:
        found = json_of(Path(path).read_text())
        return [Built.from_json(entry) for entry in found] if isinstance(found, list) else []
    except (OSError, ValueError, ShapeError):
        return []
