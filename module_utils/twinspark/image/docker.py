"""What `docker image inspect` and `docker version` say, and in which words Docker fails."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ..proof.json_form import Json

ABSENT = ("No such image", "No such object")


@dataclass(frozen=True, slots=True)
class Image(Json):
    """The parts of `docker image inspect` that this project reads. size: bytes; layers: diff IDs."""

    called = "image"

    id: str
    created: str | None
    size: int | None
    tags: tuple[str, ...]
    labels: dict[str, str]
    layers: tuple[str, ...]


def inspected(text: str) -> Image | None:
    """What `docker image inspect` printed; None when it shows no image."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, list) or not found:
        return None
    image = found[0]
    return Image(
        id=image["Id"],
        created=image.get("Created"),
        size=image.get("Size"),
        tags=tuple(image.get("RepoTags") or ()),
        labels=(image.get("Config") or {}).get("Labels") or {},
        layers=tuple((image.get("RootFS") or {}).get("Layers") or ()),
    )


def daemon_problem(code: int, error: str) -> str:
    """Why Docker can't be used, with the fix; empty when it can."""
    if code == 0:
        return ""
    if "permission denied" in error.lower():
        return "Docker refuses this user. Fix: run with become, or add the user to the group docker"
    if "Cannot connect to the Docker daemon" in error or "connection refused" in error.lower():
        return "Docker's daemon is not running. Fix: `systemctl enable --now docker`"
    return f"Docker does not answer ({error.strip().splitlines()[-1] if error.strip() else f'exit code {code}'})"
