"""Inspect's own log, as its reader prints it, made into the few numbers that a proof carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# Inspect's letters for correct, incorrect, partly correct and no answer.
LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}


class LogError(ValueError):
    """A log that is not one of Inspect's, or of a form not known; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of all samples, as the endpoint counted them."""

    input: int
    output: int
    reasoning: int
    total: int


@dataclass(frozen=True, slots=True)
class Own:
    """Inspect's own score and standard error, to be held against those computed from the samples."""

    accuracy: float | None
    stderr: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A log in the few numbers that a proof carries.

    scores: question to the values of its scored samples. samples: all of them, scored or not. seconds: of the wall
    clock, without the pause of a resumed evaluation. started: ISO 8601.
    """

    status: str
    error: str
    task: str
    model: str
    dataset: str | None
    epochs: int
    questions: int
    scorer: str
    packages: Mapping[str, Any]
    scores: Mapping[str, list[float]]
    samples: int
    errors: tuple[str, ...]
    limits: tuple[str, ...]
    retries: int
    tokens: Tokens
    started: str | None
    seconds: float
    inspect: Own


def value_of(value: Any) -> float | None:
    """A sample's score as a number; None when it is not one (NaN, a dict, free text)."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, (int, float)):
        return float(value) if value == value else None  # noqa: PLR0124 - NaN
    if isinstance(value, str):
        return LETTERS.get(value)
    return None


def busy_seconds(samples: Sequence[Mapping[str, Any]]) -> float:
    """Seconds of the wall clock in which at least one sample ran: the union of the samples' times.

    Of an evaluation that was interrupted and resumed the log's own times hold the last part only; the pause is in
    neither.
    """
    spans = sorted(
        (datetime.fromisoformat(s["started_at"]), datetime.fromisoformat(s["completed_at"]))
        for s in samples
        if s.get("started_at") and s.get("completed_at")
    )
    total, reached = 0.0, None
    for start, end in spans:
        begin = start if reached is None else max(start, reached)
        total += max(0.0, (end - begin).total_seconds())
        reached = end if reached is None else max(reached, end)
    return round(total, 3)


def usage(samples: Sequence[Mapping[str, Any]]) -> Tokens:
    """The samples' tokens. (The log's own sum is written at its very end only.)"""
    total = {"input": 0, "output": 0, "reasoning": 0, "total": 0}
    for entry in (model for sample in samples for model in (sample.get("model_usage") or {}).values()):
        for key in total:
            total[key] += int(entry.get(f"{key}_tokens") or 0)
    return Tokens(**total)


def scores_of(samples: Sequence[Mapping[str, Any]], scorer: str) -> dict[str, list[float]]:
    """Question id to the values of its scored samples, in the order of the epochs."""
    found: dict[str, list[float]] = {}
    for sample in sorted(samples, key=lambda s: (str(s["id"]), s["epoch"])):
        entry = (sample.get("scores") or {}).get(scorer)
        value = value_of(entry["value"]) if entry else None
        group = found.setdefault(str(sample["id"]), [])
        if value is not None and not sample.get("error"):
            group.append(value)
    return found


def summarise(raw: Mapping[str, Any]) -> Summary:
    """The summary of what Inspect's reader printed: `{header, samples}`. Raises LogError."""
    try:
        return _summary(raw)
    except KeyError as error:
        raise LogError(f"the log has no {error}: not written by a known version of Inspect") from error
    except (TypeError, AttributeError, IndexError, ValueError, OverflowError) as error:
        why = str(error)[:100]
        raise LogError(f"the log is of another form ({why}): not written by a known version of Inspect") from error


def _summary(raw: Mapping[str, Any]) -> Summary:
    header, samples = raw["header"], raw["samples"]
    config, dataset = header["eval"]["config"], header["eval"]["dataset"]
    results, stats = header.get("results") or {}, header["stats"]
    own = (results.get("scores") or [{}])[0]
    metrics = own.get("metrics") or {}
    scorer = own.get("name") or next(iter((samples[0].get("scores") or {"": 0}) if samples else {"": 0}))
    limit = config.get("limit")
    questions = limit if isinstance(limit, int) else dataset["samples"]
    return Summary(
        status=header["status"],
        error=((header.get("error") or {}).get("message") or "").strip(),
        task=header["eval"]["task"],
        model=header["eval"]["model"],
        dataset=dataset.get("name"),
        epochs=config.get("epochs") or 1,
        questions=min(questions, dataset["samples"]),
        scorer=scorer,
        packages=header["eval"].get("packages", {}),
        scores=scores_of(samples, scorer),
        samples=len(samples),
        errors=tuple(f"{s['id']} epoch {s['epoch']}: {first_line(s['error'])}" for s in samples if s.get("error")),
        limits=tuple(f"{s['id']} epoch {s['epoch']}: {s['limit']}" for s in samples if s.get("limit")),
        retries=sum(int(s.get("retries") or 0) for s in samples),
        tokens=usage(samples),
        started=stats.get("started_at"),
        seconds=busy_seconds(samples),
        inspect=Own(*((metrics.get(name) or {}).get("value") for name in ("accuracy", "stderr"))),
    )


def first_line(text: str) -> str:
    """The first line of an error, without the traceback below it."""
    return text.strip().splitlines()[0] if text.strip() else ""
