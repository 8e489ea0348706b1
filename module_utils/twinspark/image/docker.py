"""What `docker image inspect` and `docker version` say, and in which words Docker fails."""

from __future__ import annotations

from dataclasses import dataclass

from ..proof.foreign import ForeignError, items, json_of, mapping
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
        found = items(json_of(text))
    except ForeignError:
        return None
    image = mapping(found[0]) if found else {}
    if not isinstance(image.get("Id"), str):
        return None
    created, size = image.get("Created"), image.get("Size")
    return Image(
        id=image["Id"],
        created=created if isinstance(created, str) else None,
        size=size if isinstance(size, int) else None,
        tags=_texts(image.get("RepoTags")),
        labels={str(key): str(value) for key, value in mapping(mapping(image.get("Config")).get("Labels")).items()},
        layers=_texts(mapping(image.get("RootFS")).get("Layers")),
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(text for text in items(value) if isinstance(text, str))


def daemon_problem(code: int, error: str) -> str:
    """Why Docker can't be used, with the fix; empty when it can."""
    if code == 0:
        return ""
    if "permission denied" in error.lower():
        return "Docker refuses this user. Fix: run with become, or add the user to the group docker"
    if "Cannot connect to the Docker daemon" in error or "connection refused" in error.lower():
        return "Docker's daemon is not running. Fix: `systemctl enable --now docker`"
    return f"Docker does not answer ({error.strip().splitlines()[-1][:300] if error.strip() else f'exit code {code}'})"
