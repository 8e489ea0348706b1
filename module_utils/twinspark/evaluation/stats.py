"""Scores with their uncertainty. Samples of one question are no independent measurements: the question is the unit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean


@dataclass(frozen=True)
class Score:
    """Mean over questions, 0 to 1. `stderr` is None where one question alone, or none, tells nothing of the spread."""

    mean: float
    stderr: float | None
    questions: int
    samples: int


@dataclass(frozen=True)
class Comparison:
    """A score held against a published one. `z` is None where the spread is not known; `low` and `high` bound the
    confidence interval of the difference (score minus published).
    """

    published: float
    difference: float
    z: float | None
    p: float | None
    low: float
    high: float


def clustered(scores: Mapping[str, Sequence[float]]) -> Score:
    """Score from the sample values of each question.

    Every question weighs the same, however many of its samples were scored. The standard error is that of a mean of
    independent question means: sqrt(sum((m_q - m)^2) / (n (n - 1))). For equally many samples a question this is the
    cluster-robust standard error with the small-sample factor n / (n - 1).
    """
    means = [fmean(values) for values in scores.values() if values]
    count = len(means)
    mean = fmean(means) if means else 0.0
    stderr = None
    if count > 1:
        stderr = math.sqrt(sum((value - mean) ** 2 for value in means) / (count * (count - 1)))
    return Score(mean, stderr, count, sum(map(len, scores.values())))


def naive_stderr(scores: Mapping[str, Sequence[float]]) -> float | None:
    """The standard error as if every sample were independent: kept beside the right one, to show the difference."""
    values = [value for group in scores.values() for value in group]
    if len(values) < 2:
        return None
    mean = fmean(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) * (len(values) - 1)))


def quantile(confidence: float) -> float:
    """Two-sided quantile of the normal distribution: 0.95 gives 1.96."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def interval(score: Score, confidence: float = 0.95) -> tuple[float, float]:
    """Confidence interval of the score, cut to 0 and 1.

    Where no spread was seen (all right or all wrong, or one question) the normal interval would have no width and
    claim a certainty that a handful of questions can't give: Wilson's interval over the questions stands in for it.
    """
    if not score.questions:
        return 0.0, 1.0
    z = quantile(confidence)
    if score.stderr:
        return max(0.0, score.mean - z * score.stderr), min(1.0, score.mean + z * score.stderr)
    count = score.questions
    centre = (score.mean + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(score.mean * (1 - score.mean) / count + z * z / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def compare(score: Score, published: float, confidence: float = 0.95) -> Comparison:
    """Hold a score against a published figure, which is taken as exact: its own uncertainty is not known."""
    difference = score.mean - published
    low, high = interval(score, confidence)
    z = p = None
    if score.stderr:
        z = difference / score.stderr
        p = 2 * (1 - NormalDist().cdf(abs(z)))
    return Comparison(published, difference, z, p, low - published, high - published)
