"""An evaluation with Inspect: its command, what it must have delivered, and what its proof says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from ..proof.json_form import Json, from_json, to_json
from ..proof.values import Findings, Measurement, Proof, Requirement, Verdict
from . import stats
from .inspect_log import Summary

# Settings that become an option with a value, in the order of the article's command.
VALUES = (
    ("reasoning_effort", "--reasoning-effort"),
    ("epochs", "--epochs"),
    ("limit", "--limit"),
    ("max_connections", "--max-connections"),
    ("max_tokens", "--max-tokens"),
    ("token_limit", "--token-limit"),
    ("time_limit", "--time-limit"),
    ("max_retries", "--max-retries"),
)

CONSISTENT = "score consistent with the published one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is asked, and how. A setting that is null is left to Inspect; times are in seconds.

    model: as served. questions: of the whole task. limit: only the first so many. The endpoint's address is in the
    environment.
    """

    task: str
    model: str
    task_args: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    questions: int | None = None
    limit: int | None = None
    epochs: int | None = None
    reasoning_effort: str | None = None
    max_connections: int | None = None
    max_tokens: int | None = None
    token_limit: int | None = None
    time_limit: int | None = None
    client_timeout: int | None = None
    max_retries: int | None = None

    @classmethod
    def from_json(cls, given: Mapping[str, Any], where: str = "inspect_eval") -> Self:
        """From the role's settings, where an empty one counts as null. Raises ShapeError."""
        return from_json(cls, {key: value for key, value in given.items() if value not in (None, "")}, where)


@dataclass(frozen=True, slots=True)
class Published:
    """A figure that somebody published; score: 0 to 1."""

    label: str
    score: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class JudgedBy(Json):
    """How an evaluation is judged. compare: label of the published figure that the score is held against, or empty.

    confidence and max_error_share: 0 to 1. comparison_blocks: whether another score than the published one stops.
    """

    called = "inspect_eval"

    published: tuple[Published, ...] = ()
    compare: str | None = None
    confidence: float = 0.95
    comparison_blocks: bool = False
    max_error_share: float = 0.0

    @property
    def held_against(self) -> Published | None:
        """The published figure that the score is held against."""
        return next((entry for entry in self.published if entry.label == self.compare), None)


@dataclass(frozen=True, slots=True)
class Plan:
    """What `run_eval.py` gets: both commands, the folder of the logs, and how many samples there will be."""

    eval: list[str]
    retry: list[str]
    log_dir: str
    total: int


def common_argv(log_dir: str) -> list[str]:
    """What a first run and its continuation share. Each sample is written at once: an interruption costs none."""
    return ["--no-fail-on-error", "--log-level=http", "--log-dir", log_dir, "--log-buffer", "1", "--display", "plain"]


def eval_argv(settings: Settings, inspect: str, log_dir: str) -> list[str]:
    """`inspect eval TASK ...` with the article's flags."""
    argv = [inspect, "eval", settings.task, "--model", f"openai/{settings.model}"]
    for name, option in VALUES:
        value = getattr(settings, name)
        argv += [] if value is None else [option, str(value)]
    for name, value in sorted(settings.task_args.items()):
        argv += ["-T", f"{name}={_text(value)}"]
    if settings.client_timeout:
        argv += ["-M", f"client_timeout={settings.client_timeout}"]
    return [*argv, *common_argv(log_dir), "--log-format", "eval"]


def retry_argv(settings: Settings, inspect: str, log_dir: str) -> list[str]:
    """`inspect eval-retry {log} ...`: the log knows the task and its limits; what it has of samples is kept."""
    connections = ["--max-connections", str(settings.max_connections)] if settings.max_connections else []
    return [inspect, "eval-retry", "{log}", *connections, *common_argv(log_dir)]


def _text(value: str | float | bool) -> str:
    """A task's argument as Inspect reads it: YAML's spelling."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def plan(settings: Settings, inspect: str, log_dir: str) -> Plan:
    """The plan of one evaluation."""
    return Plan(
        eval=eval_argv(settings, inspect, log_dir),
        retry=retry_argv(settings, inspect, log_dir),
        log_dir=log_dir,
        total=(settings.limit or settings.questions or 0) * (settings.epochs or 1),
    )


def judge(summary: Summary, by: JudgedBy) -> Findings:
    """What a proof of the stage is made of."""
    score = stats.clustered(summary.scores)
    published = by.held_against
    verdicts = completeness(summary, by.max_error_share)
    if published:
        verdicts.append(consistency(score, published, by))
    compared = [comparison(score, entry, by.confidence) for entry in by.published]
    return Findings(
        verdicts=tuple(verdicts),
        measurements=tuple(measurements(summary, score, by.confidence, published)),
        evidence={**evidence(summary, by.confidence), "comparison": to_json(compared)},
    )


def completeness(summary: Summary, max_error_share: float) -> list[Verdict]:
    """The verdicts on whether the evaluation is one: finished, whole, few errors, tokens made."""
    expected = summary.questions * summary.epochs
    scored = sum(map(len, summary.scores.values()))
    errors = len(summary.errors)
    fix = "see the log with `inspect view`, and the engine's log; the next run continues with what is missing"
    return [
        Verdict.of("evaluation finished", summary.status, Requirement("==", "success"), reason=summary.error, fix=fix),
        Verdict.of(
            "samples accounted for",
            scored + errors,
            Requirement(">=", max(expected, 1), "samples"),
            reason=f"{scored} scored, {errors} ended in an error",
            fix=fix,
        ),
        Verdict.of(
            "samples in error",
            errors / summary.samples if summary.samples else None,
            Requirement("<=", max_error_share),
            digits=4,
            reason="; ".join(summary.errors[:3]) or "there is no sample",
            fix="correct what the first error names and run again: only those samples are asked again",
        ),
        Verdict.of(
            "tokens generated",
            summary.tokens.output,
            Requirement(">", 0, "tokens"),
            reason="the endpoint's own usage counts",
            fix="ask the endpoint for one completion by hand: it answers without generating",
        ),
    ]


def incomplete(proof: Proof | None) -> bool:
    """Whether a standing proof fails for want of samples: then the run is worth going on with, though its job ended.

    A score that is merely not the published one is no reason to ask every question again.
    """
    return proof is not None and any(not verdict.ok and verdict.name != CONSISTENT for verdict in proof.verdicts)


def consistency(score: stats.Score, published: Published, by: JudgedBy) -> Verdict:
    """Whether the published figure lies in the score's confidence interval; both-sided, since too good is odd, too.

    What a machine compares is how far off the score is, with the part of the interval that lies on that side.
    """
    held = stats.compare(score, published.score, by.confidence)
    z = "" if held.z is None else f", z {held.z:+.2f}"
    off = abs(held.difference)
    # low <= 0 <= high, told by the side that the published figure is on.
    room = held.difference - held.low if held.difference > 0 else held.high - held.difference
    return Verdict.of(
        CONSISTENT,
        off,
        Requirement("<=", round(room, 4), "off"),
        digits=4,
        blocks=by.comparison_blocks,
        reason=f"{score.mean:.4f}, {held.difference:+.4f} to {published.label} ({published.source or 'published'}){z}",
        fix="compare reasoning effort, token limits and chat template with those of the published figure",
    )


@dataclass(frozen=True, slots=True)
class Row:
    """The score beside one published figure; low and high bound the difference (measured minus published)."""

    label: str
    source: str
    published: float
    measured: float
    difference: float
    low: float
    high: float
    z: float | None
    p: float | None


def comparison(score: stats.Score, entry: Published, confidence: float) -> Row:
    """One row of the comparison."""
    held = stats.compare(score, entry.score, confidence)
    return Row(
        label=entry.label,
        source=entry.source,
        published=held.published,
        measured=round(score.mean, 6),
        difference=round(held.difference, 6),
        low=round(held.low, 6),
        high=round(held.high, 6),
        z=None if held.z is None else round(held.z, 4),
        p=None if held.p is None else round(held.p, 4),
    )


def measurements(
    summary: Summary, score: stats.Score, confidence: float, published: Published | None
) -> list[Measurement]:
    """Every number with its unit."""
    low, high = stats.interval(score, confidence)
    tokens, seconds = summary.tokens, summary.seconds
    subject = f"{summary.task}, {summary.questions} questions, {summary.epochs} epochs"
    first = Measurement(
        "score",
        round(score.mean, 6),
        "1",
        subject,
        stderr=None if score.stderr is None else round(score.stderr, 6),
        published=published.score if published else None,
    )
    rows = [
        ("score_low", round(low, 6), "1"),
        ("score_high", round(high, 6), "1"),
        ("questions", score.questions, "questions"),
        ("samples_scored", score.samples, "samples"),
        ("samples_in_error", len(summary.errors), "samples"),
        ("samples_at_a_limit", len(summary.limits), "samples"),
        ("input_tokens", tokens.input, "tokens"),
        ("output_tokens", tokens.output, "tokens"),
        ("duration", seconds, "s"),
    ]
    if seconds:
        rows.append(("generation_rate", round(tokens.output / seconds, 3), "tokens/s"))
    return [first, *(Measurement(name, value, unit, subject) for name, value, unit in rows)]


def evidence(summary: Summary, confidence: float) -> dict[str, Any]:
    """What stands behind the numbers, as its JSON: Inspect's own, and each question's mean."""
    naive = stats.naive_stderr(summary.scores)
    return {
        "inspect": to_json(summary.inspect),
        "packages": summary.packages,
        "model": summary.model,
        "task": summary.task,
        "started": summary.started,
        "confidence": confidence,
        "naive_stderr": None if naive is None else round(naive, 6),
        "by_question": {name: _mean(values) for name, values in sorted(summary.scores.items())},
        "errors": list(summary.errors[:20]),
        "limits": list(summary.limits[:20]),
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 6) if values else None
