"""The image: its name, what it is built from, when it must be built, and whether every host has the same one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..proof.json_form import Json
from ..proof.proofs import digest
from ..proof.values import Measurement, Proof, Requirement, Verdict

COMMIT = re.compile(r"[0-9a-f]{40}\Z")
PLACEHOLDER = re.compile(r"\{([A-Za-z0-9_.-]+)\}")
HISTORY_KEPT = 10


class ImageError(ValueError):
    """Settings that no image can be built from; the message says which and what to write instead."""


@dataclass(frozen=True, slots=True)
class Source:
    """A pinned commit of a repository that the build takes from, beside its recipe."""

    name: str
    repo: str
    commit: str


@dataclass(frozen=True, slots=True)
class Build(Json):
    """One image: the repository and commit that hold its recipe, further pinned sources, and the builder's argv.

    `argv` may hold `{image}` (the name:tag to build) and, for a source named vllm, `{vllm.repo}` and `{vllm.commit}`.
    """

    called = "vllm_image"

    name: str
    repo: str
    commit: str
    argv: tuple[str | int | float, ...]
    sources: tuple[Source, ...] = ()

    def __post_init__(self) -> None:
        for what, commit in [("the image's recipe", self.commit), *((s.name, s.commit) for s in self.sources)]:
            if not COMMIT.match(commit):
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
            known |= {f"{source.name}.repo": source.repo, f"{source.name}.commit": source.commit}

        def value(found: re.Match[str]) -> str:
            if found[1] not in known:
                raise ImageError(f"the build's argv has {found[0]}; known are {', '.join(sorted(known))}")
            return known[found[1]]

        return [PLACEHOLDER.sub(value, str(part)) for part in self.argv]

    def inputs(self) -> dict[str, Any]:
        """What the image's proof is bound to, as its JSON."""
        return {
            "image": self.image,
            "repo": self.repo,
            "commit": self.commit,
            "argv": self.build_argv(),
            "sources": [asdict(source) for source in self.sources],
        }

    def digest(self) -> str:
        """Digest of the inputs: two builds of one digest are meant to give the same image."""
        return digest(self.inputs())


@dataclass(frozen=True, slots=True)
class Built(Json):
    """A build that the head remembers. digest: of its inputs; built: UTC, ISO 8601, empty where it is not told."""

    called = "build"

    image: str
    id: str
    digest: str
    repo: str = ""
    commit: str = ""
    built: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the head has to build: what is there, and what should be."""

    name: str
    current: str | None
    desired: str


@dataclass(frozen=True, slots=True)
class Copy(Json):
    """What `image_stream.py` reported of one host. A host that had the image already reports no seconds."""

    called = "copy"

    host: str
    way: str
    seconds: float | None = None
    sent_bytes: int | None = None


def build_reasons(build: Build, present_id: str | None, history: Sequence[Built]) -> list[Reason]:
    """Why the head has to build; empty when its image is the one recorded.

    `present_id` is the ID that the head's Docker has under the image's name, `history` the builds recorded there.
    """
    made = next((entry for entry in reversed(history) if entry.image == build.image), None)
    if present_id is None:
        return [Reason("image", None, build.image)]
    if made is None:
        return [Reason("record", None, build.digest())]
    reasons = []
    if made.digest != build.digest():
        reasons.append(Reason("inputs", made.digest, build.digest()))
    if made.id != present_id:
        reasons.append(Reason("id", present_id, made.id))
    return reasons


def recorded(history: Sequence[Built], entry: Built) -> list[Built]:
    """The history with `entry` as its newest; the same build again changes nothing, not even its date."""
    if history and (history[-1].image, history[-1].id, history[-1].digest) == (entry.image, entry.id, entry.digest):
        return list(history)
    return [*(old for old in history if old.id != entry.id), entry][-HISTORY_KEPT:]


def previous(history: Sequence[Built]) -> Built | None:
    """The build before the newest: what to go back to. None on a first build."""
    return history[-2] if len(history) > 1 else None


@dataclass(frozen=True, slots=True)
class Proved(Json):
    """What the proof of the stage says of an image: its ID, the same on every host, and that of the build before.

    Both are empty where no passing proof tells them.
    """

    called = "proved"

    id: str = ""
    previous: str = ""


def proved(proof: Proof | None, image: str) -> Proved:
    """What the stage's proof says of `image`, a name:tag. A proof that failed, or is of another image, says nothing."""
    if proof is None or not proof.passed or proof.inputs.get("image") != image:
        return Proved()
    ids, before = proof.evidence.get("ids"), proof.evidence.get("previous")
    return Proved(
        str(ids.get(proof.host) or "") if isinstance(ids, Mapping) else "",
        str(before.get("id") or "") if isinstance(before, Mapping) else "",
    )


def measurements(image: str, build_seconds: float | None, copies: Sequence[Copy]) -> list[Measurement]:
    """What a run measured: the build, if there was one, and of each copy its time and the bytes that it took."""
    found = [] if build_seconds is None else [Measurement("image_build", build_seconds, "s", image)]
    for copy in copies:
        if copy.seconds is not None:
            subject = f"to {copy.host} ({copy.way})"
            found.append(Measurement("image_copy", copy.seconds, "s", subject))
            found.append(Measurement("image_copy_bytes", copy.sent_bytes, "B", subject))
    return found


def verdicts(head: str, ids: Mapping[str, str | None]) -> list[Verdict]:
    """The image is on the head, and every other host has the same ID. One verdict a host."""
    wanted = ids.get(head)
    found = [
        Verdict.of(
            "image on the head",
            1 if wanted else 0,
            Requirement(">=", 1, "image"),
            reason=f"{head}'s Docker has no such image after the build",
            fix=f"read the build's log on {head}: /var/lib/twinspark/jobs/image-build/log",
        )
    ]
    for host, image_id in ids.items():
        if host != head:
            found.append(parity(host, image_id, head, wanted))
    return found


def parity(host: str, image_id: str | None, head: str, wanted: str | None) -> Verdict:
    """Whether a host has the head's image; where the head has none, nobody has the same."""
    return Verdict.of(
        f"image parity on {host}",
        image_id,
        Requirement("==", wanted or f"the image that {head} should have"),
        reason=f"{host} would run another engine than {head}",
        fix="run `twinspark apply --stage image` again; it copies the head's image",
    )
