"""What `docker image inspect` and `docker version` say, and in which words Docker fails."""

from __future__ import annotations

import json
from typing import Any

ABSENT = ("No such image", "No such object")


def inspected(text: str) -> dict[str, Any] | None:
    """The parts of `docker image inspect` that this project reads: id, created, size, labels, layers (diff IDs)."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, list) or not found:
        return None
    image = found[0]
    return {
        "id": image["Id"],
        "created": image.get("Created"),
        "size": image.get("Size"),
        "tags": image.get("RepoTags") or [],
        "labels": (image.get("Config") or {}).get("Labels") or {},
        "layers": (image.get("RootFS") or {}).get("Layers") or [],
    }


def daemon_problem(code: int, error: str) -> str:
    """Why Docker can't be used, with the fix; empty when it can."""
    if code == 0:
        return ""
    if "permission denied" in error.lower():
        return "Docker refuses this user. Fix: run with become, or add the user to the group docker"
    if "Cannot connect to the Docker daemon" in error or "connection refused" in error.lower():
        return "Docker's daemon is not running. Fix: `systemctl enable --now docker`"
    return f"Docker does not answer ({error.strip().splitlines()[-1] if error.strip() else f'exit code {code}'})"


def container(text: str, label: str) -> dict[str, Any] | None:
    """The parts of `docker container inspect` that this project reads: id, image_id, digest (of `label`), pid."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, list) or not found:
        return None
    state = found[0].get("State") or {}
    return {
        "id": found[0]["Id"],
        "image_id": found[0].get("Image"),
        "digest": ((found[0].get("Config") or {}).get("Labels") or {}).get(label),
        "pid": state.get("Pid") if state.get("Running") else None,
        "started": state.get("StartedAt"),
    }
