"""The file in which a host keeps the states that have passed, and the files that they are made of. Root's alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ..twinspark.proof.foreign import json_of
from ..twinspark.proof.json_form import ShapeError, read, to_json
from ..twinspark.serving.kept import File, Kept
from .files import write_atomically


def load(path: str | Path) -> tuple[Kept, ...]:
    """What is kept, the last state first; empty where nothing is. Raises ShapeError where it can't be read."""
    try:
        return read(tuple[Kept, ...], json_of(Path(path).read_text()), str(path))  # type: ignore[no-any-return]
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise ShapeError(f"{path}: {error}") from error


def save(path: str | Path, kept: Sequence[Kept]) -> None:
    """Write both at once: a power cut leaves the old two or the new two. The environment is in it, so 0600."""
    write_atomically(Path(path), json.dumps(to_json(tuple(kept)), indent=1) + "\n", 0o600)


def files(paths: Sequence[str]) -> dict[str, File]:
    """The files as they are now, by path; those that are not there are left out."""
    found = {}
    for name in paths:
        path = Path(name)
        if path.is_file():
            found[name] = File(path.stat().st_mode & 0o777, path.read_text())
    return found


def restore(path: str, file: File | None) -> None:
    """Make a file what it was; without one, there is none."""
    if file:
        write_atomically(Path(path), file.text, file.mode)
    else:
        Path(path).unlink(missing_ok=True)


def lacks(snapshot: str) -> str:
    """What is not there any more of a model's folder, whose files are links into the cache; empty where all is."""
    folder = Path(snapshot)
    try:
        found = [path for path in folder.rglob("*") if not path.is_dir()]
    except OSError as error:
        return f"{snapshot} can't be read ({error.strerror})"
    if not found:
        return f"the weights in {snapshot} are gone"
    gone = sorted(str(path.relative_to(folder)) for path in found if not path.exists())
    return f"{len(gone)} of {len(found)} files of the weights in {snapshot} are gone, as {gone[0]}" if gone else ""
