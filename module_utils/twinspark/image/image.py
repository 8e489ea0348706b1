"""The image: its name, what it is built from, when it must be built, and whether every host has the same one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..proof.proofs import digest

COMMIT = re.compile(r"[0-9a-f]{40}\Z")
PLACEHOLDER = re.compile(r"\{([A-Za-z0-9_.-]+)\}")
HISTORY_KEPT = 10


class ImageError(ValueError):
    """Settings that no image can be built from; the message says which and what to write instead."""


@dataclass(frozen=True)
class Build:
    """One image: the repository and commit that hold its recipe, further pinned sources, and the builder's argv.

    `argv` may hold `{image}` (the name:tag to build) and, for a source named vllm, `{vllm.repo}` and `{vllm.commit}`.
    """

    name: str
    repo: str
    commit: str
    argv: Sequence[str]
    sources: Sequence[Mapping[str, str]] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        for what, commit in [("the image's recipe", self.commit), *((s["name"], s["commit"]) for s in self.sources)]:
            if not COMMIT.match(str(commit)):
                raise ImageError(
                    f"the commit of {what} is {commit!r}: give the full 40 hex digits, since a branch or tag can move"
                )
        if not self.argv:
            raise ImageError(f"image {self.name}: the build's argv is empty")

    @property
    def image(self) -> str:
        """name:tag, where the tag is the first twelve digits of the recipe's commit."""
        return f"{self.name}:{self.commit[:12]}"

    def build_argv(self) -> list[str]:
        """The builder's argv with every placeholder filled; an unknown placeholder is an ImageError."""
        known = {"image": self.image}
        for source in self.sources:
            known |= {f"{source['name']}.{key}": source[key] for key in ("repo", "commit")}

        def value(found: re.Match[str]) -> str:
            if found[1] not in known:
                raise ImageError(f"the build's argv has {found[0]}; known are {', '.join(sorted(known))}")
            return known[found[1]]

        return [PLACEHOLDER.sub(value, str(part)) for part in self.argv]

    def inputs(self) -> dict[str, Any]:
        """What the image's proof is bound to."""
        return {
            "image": self.image,
            "repo": self.repo,
            "commit": self.commit,
            "argv": self.build_argv(),
            "sources": [dict(source) for source in self.sources],
        }

    def digest(self) -> str:
        """Digest of the inputs: two builds of one digest are meant to give the same image."""
        return digest(self.inputs())


def build_reasons(build: Build, present_id: str | None, history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Why the head has to build, as [{name, current, desired}]; empty when its image is the one recorded.

    `present_id` is the ID that the head's Docker has under the image's name, `history` the builds recorded there.
    """
    made = next((e for e in reversed(history) if e.get("image") == build.image), None)
    if present_id is None:
        return [{"name": "image", "current": None, "desired": build.image}]
    if made is None:
        return [{"name": "record", "current": None, "desired": build.digest()}]
    reasons = []
    if made["digest"] != build.digest():
        reasons.append({"name": "inputs", "current": made["digest"], "desired": build.digest()})
    if made["id"] != present_id:
        reasons.append({"name": "id", "current": present_id, "desired": made["id"]})
    return reasons


def recorded(history: Sequence[Mapping[str, Any]], entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The history with `entry` as its newest; the same build again changes nothing, not even its date."""
    old = [dict(e) for e in history]
    if old and all(old[-1].get(key) == entry.get(key) for key in ("image", "id", "digest")):
        return old
    return [*(e for e in old if e.get("id") != entry["id"]), dict(entry)][-HISTORY_KEPT:]


def previous(history: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The build before the newest: what to go back to. None on a first build."""
    return dict(history[-2]) if len(history) > 1 else None


def measurements(image: str, build_seconds: float | None, copies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a run measured: the build, if there was one, and of each copy its time and the bytes that it took.

    `copies` are the reports of `image_stream.py`; a host that had the image already reports no seconds.
    """
    found: list[dict[str, Any]] = []
    if build_seconds is not None:
        found.append({"name": "image_build", "subject": image, "value": build_seconds, "unit": "s"})
    for copy in copies:
        if "seconds" in copy:
            subject = f"to {copy['host']} ({copy['way']})"
            found.append({"name": "image_copy", "subject": subject, "value": copy["seconds"], "unit": "s"})
            found.append({"name": "image_copy_bytes", "subject": subject, "value": copy["sent_bytes"], "unit": "B"})
    return found


def verdicts(head: str, ids: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """The image is on the head, and every other host has the same ID. One verdict a host."""
    wanted = ids.get(head)
    found = [
        {
            "name": "image on the head",
            "ok": wanted is not None,
            "measured": wanted,
            "required": "an image",
            "reason": "" if wanted else f"{head}'s Docker has no such image after the build",
            "fix": f"read the build's log on {head}: /var/lib/twinspark/jobs/image-build/log",
        }
    ]
    for host, image_id in ids.items():
        if host == head:
            continue
        same = image_id is not None and image_id == wanted
        found.append(
            {
                "name": f"image parity on {host}",
                "ok": same,
                "measured": image_id,
                "required": wanted,
                "reason": "" if same else f"{host} would run another engine than {head}",
                "fix": "run `twinspark apply --stage image` again; it copies the head's image",
            }
        )
    return found
