"""What stages say to each other: what was measured, what is required, the verdict on it, the proof that keeps both.

The JSON form of each is what `to_json` makes and `from_json` reads; nothing else knows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from .json_form import SPARSE, Json, ShapeError, from_json, shown, to_json
from .numbers import figure
from .requirement import PHRASES, Requirement, number, text_of

__all__ = ["SCHEMA", "Findings", "Link", "Measurement", "Proof", "Requirement", "ShapeError", "Verdict", "capital",
           "number", "paragraph", "sentence", "sentences", "text_of"]  # fmt: skip

SCHEMA = 2
# A first word that gets a capital: of letters only, so not rail1, spark1, nvidia-smi, sshd_config or ip(8).
PLAIN_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?(?=[ ,;:.]|$)")
READABLE = (1, SCHEMA)  # schema 1 said `cure` for `fix`, and its requirements were text or bare numbers


@dataclass(frozen=True, slots=True)
class Measurement(Json):
    """One figure. `value` None means that it was not measured; zero would be an answer.

    stderr: standard error. lowest, highest: over `repeats` runs. published: the figure that it is compared with.
    All in `unit`.
    """

    called = "measurement"

    name: str
    value: float | None
    unit: str
    subject: str = ""
    stderr: float | None = field(default=None, metadata=SPARSE)
    lowest: float | None = field(default=None, metadata=SPARSE)
    highest: float | None = field(default=None, metadata=SPARSE)
    repeats: int | None = field(default=None, metadata=SPARSE)
    published: float | None = field(default=None, metadata=SPARSE)

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("name is empty")
        for part in ("value", "stderr", "lowest", "highest", "published"):
            given = getattr(self, part)
            if given is not None and not number(given):
                raise ValueError(f"{part} must be a finite number or null, not {given!r}")


@dataclass(frozen=True, slots=True)
class Verdict(Json):
    """A judgement. It can't say other than its own requirement, where a machine can compare that.

    measured: any JSON value; None for what was not measured. unit: of measured and required. reason: why it is not ok,
    one clause; fix: what to do. blocks: whether it stops the line. cause: a name that programs can look for.
    """

    name: str
    ok: bool
    measured: Any = None
    required: Requirement | None = None
    unit: str = ""
    reason: str = ""
    fix: str = ""
    blocks: bool = True
    cause: str = field(default="", metadata=SPARSE)

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("name is empty")
        if self.required is None:
            return
        if not self.unit:
            object.__setattr__(self, "unit", self.required.unit)
        if self.required.unit not in ("", self.unit):
            raise ValueError(f"measured in {self.unit}, but required in {self.required.unit}")
        holds = self.required.holds(self.measured)
        if holds is not None and holds is not self.ok:
            said = f"it says {'ok' if self.ok else 'not ok'}, but {self.measured!r} was measured"
            raise ValueError(f"{said}, and required is {self.required}")

    @classmethod
    def of(  # noqa: PLR0913 - a verdict has this many parts
        cls,
        name: str,
        measured: Any,
        required: Requirement,
        *,
        reason: str = "",
        fix: str = "",
        blocks: bool = True,
        cause: str = "",
        digits: int | None = None,
    ) -> Self:
        """Judge: `ok` follows from the requirement; reason, fix and cause are kept only where it is not met.

        digits: decimals that are shown of what was measured, unless the rounded value would be judged otherwise.
        Raises ValueError for words, which no machine can judge: give `ok` yourself, then.
        """
        ok = required.holds(measured)
        if ok is None:
            raise ValueError(f"{name}: whether it is {required} only the judge can tell")
        if digits is not None and number(measured) and required.holds(round(measured, digits)) is ok:
            measured = round(measured, digits)
        said = {} if ok else {"reason": reason, "fix": fix, "cause": cause}
        return cls(name, ok, measured, required, required.unit, blocks=blocks, **said)

    @classmethod
    def told(  # noqa: PLR0913 - a verdict has this many parts
        cls,
        name: str,
        ok: bool,
        measured: Any,
        required: str,
        *,
        reason: str = "",
        fix: str = "",
        blocks: bool = True,
        cause: str = "",
    ) -> Self:
        """A judgement that no machine can repeat: `required` in words. Reason, fix, cause only where not ok."""
        said = {} if ok else {"reason": reason, "fix": fix, "cause": cause}
        return cls(name, ok, measured, Requirement("words", required), blocks=blocks, **said)

    @property
    def stops(self) -> bool:
        """Whether it stops the line."""
        return self.blocks and not self.ok

    @classmethod
    def from_json(cls, given: object, where: str = "verdict") -> Self:
        """Tolerant of schema 1 (`cure`, a requirement in words). Raises ShapeError."""
        if not isinstance(given, Mapping):
            raise ShapeError(f"{where} must be a mapping, not {given!r}")
        where = f"{where} {given.get('name') or '(without a name)'}"
        parts = {key: value for key, value in given.items() if value is not None or key in ("name", "ok")}
        parts.setdefault("fix", parts.get("cure", ""))
        required, unit = given.get("required"), given.get("unit") or ""
        if required is not None:
            parts["required"] = Requirement.from_json(required, f"{where}: required", str(unit))
            told = parts["required"].holds(given.get("measured"))
            if not isinstance(required, Mapping) and told is not None and told is not given.get("ok"):
                parts["required"] = Requirement("words", required, str(unit))  # the judge knew more than the figure
        return from_json(cls, parts, where)


@dataclass(frozen=True, slots=True)
class Findings:
    """What a stage found: what its proof is made of, apart from what the proof is bound to."""

    verdicts: tuple[Verdict, ...]
    measurements: tuple[Measurement, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    simulated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """The proof that another one stood on; the digest is null where that one was overridden and is not there."""

    stage: str
    inputs_digest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The document that a stage leaves. `proofs.build` makes one, `proofs.judge` says whether it still holds.

    written: UTC, ISO 8601. boot_ids: host to boot id, where the truth ends with a reboot. verdict: `pass` or `fail`,
    as the verdicts that stop the line say. overrides: stages that the owner passed over, here or before.
    """

    stage: str
    host: str
    written: str
    boot_ids: Mapping[str, str]
    inputs: Mapping[str, Any]
    inputs_digest: str
    predecessor: Link | None
    overrides: tuple[str, ...]
    simulated: tuple[str, ...]
    measurements: tuple[Measurement, ...]
    verdicts: tuple[Verdict, ...]
    verdict: Literal["pass", "fail"]
    reasons: tuple[str, ...]
    evidence: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not self.verdicts:
            raise ValueError(f"a proof of stage {self.stage} needs at least one verdict")
        if (self.verdict == "fail") is not any(verdict.stops for verdict in self.verdicts):
            raise ValueError(f"its verdict is {self.verdict}, and its verdicts say the opposite")

    @property
    def passed(self) -> bool:
        """Whether nothing stopped the line."""
        return self.verdict == "pass"

    def to_json(self) -> dict[str, Any]:
        """The document, with the version of its schema."""
        return {"schema": SCHEMA, **to_json(self)}

    @classmethod
    def from_json(cls, given: object, where: str = "proof") -> Self:
        """Read this schema and the one before. Raises ShapeError, which says what is wrong."""
        schema = given.get("schema") if isinstance(given, Mapping) else None
        if isinstance(given, Mapping) and (schema not in READABLE or isinstance(schema, bool)):
            known = " and ".join(map(str, READABLE))
            raise ShapeError(f"{where}: schema is {shown(schema)}, and this version reads {known}")
        return from_json(cls, given, where)


def sentence(verdict: Verdict) -> str:
    """One verdict as a sentence: what, measured against required, why, fix."""
    return sentences([verdict])[0]


def sentences(verdicts: Iterable[Verdict]) -> list[str]:
    """Verdicts as sentences; those with the same fix share one, and those with the same reason say it once, too."""
    return [
        paragraph(part for reason, figures in reasons.items() for part in ("; ".join(figures), reason))
        + (f" Fix: {fix}." if fix else "")
        for fix, reasons in _by_fix(verdicts).items()
    ]


def lines(verdicts: Iterable[Verdict]) -> list[str]:
    """The same for a screen: a line for each verdict, then the reason and the fix that they share."""
    return [
        line
        for fix, reasons in _by_fix(verdicts).items()
        for line in (
            *(part for reason, figures in reasons.items() for part in (*figures, *_ended(reason))),
            *_ended(f"Fix: {fix}" if fix else ""),
        )
    ]


def _by_fix(verdicts: Iterable[Verdict]) -> dict[str, dict[str, list[str]]]:
    """By fix and reason, what was measured and required."""
    found: dict[str, dict[str, list[str]]] = {}
    for verdict in verdicts:
        reasons = found.setdefault(verdict.fix.rstrip("."), {})
        reasons.setdefault(verdict.reason.rstrip("."), []).append(_figures(verdict))
    return found


def _ended(text: str) -> list[str]:
    """A sentence of its own; none for an empty text."""
    return [capital(f"{text}.")] if text else []


def paragraph(said: Iterable[str]) -> str:
    """Sentences after each other, each but the first with a capital; empty ones are left out."""
    ended = [text if text.endswith((".", "?", "!")) else f"{text}." for text in said if text]
    return " ".join([*ended[:1], *map(capital, ended[1:])])


def capital(text: str) -> str:
    """With a capital, unless the first word is a name that is written small: of a host, file, setting or program."""
    return text[:1].upper() + text[1:] if PLAIN_WORD.match(text) else text


def _figures(verdict: Verdict) -> str:
    given = [] if verdict.measured is None else [f"measured {_said(verdict.measured, verdict.unit)}"]
    if verdict.required:
        given.append(f"required {PHRASES[verdict.required.operator]}{_said(verdict.required.value, verdict.unit)}")
    return f"{verdict.name}: {', '.join(given)}" if given else verdict.name


def _said(value: object, unit: str) -> str:
    """A figure in a sentence; what is no number gets its unit as it is."""
    return figure(value, unit, apart="") if number(value) else f"{text_of(value)} {unit}".strip()
