"""An evaluation with Inspect: its command, what it must have delivered, and what its proof says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import stats

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


def common_argv(log_dir: str) -> list[str]:
    """What a first run and its continuation share. Each sample is written at once: an interruption costs none."""
    return ["--no-fail-on-error", "--log-level=http", "--log-dir", log_dir, "--log-buffer", "1", "--display", "plain"]


def eval_argv(settings: Mapping[str, Any], inspect: str, log_dir: str) -> list[str]:
    """`inspect eval TASK ...` with the article's flags; a setting that is null or empty is left to Inspect.

    `settings`: task, model (as served), task_args, and the names in VALUES. Secrets are not among them: the key and
    the address are in the environment.
    """
    argv = [inspect, "eval", str(settings["task"]), "--model", f"openai/{settings['model']}"]
    for name, option in VALUES:
        value = settings.get(name)
        if value is not None and value != "":
            argv += [option, str(value)]
    for name, value in sorted((settings.get("task_args") or {}).items()):
        argv += ["-T", f"{name}={_text(value)}"]
    if settings.get("client_timeout"):
        argv += ["-M", f"client_timeout={settings['client_timeout']}"]
    return [*argv, *common_argv(log_dir), "--log-format", "eval"]


def retry_argv(settings: Mapping[str, Any], inspect: str, log_dir: str) -> list[str]:
    """`inspect eval-retry {log} ...`: the log knows the task and its limits; what it has of samples is kept."""
    return [inspect, "eval-retry", "{log}", *_connections(settings), *common_argv(log_dir)]


def _connections(settings: Mapping[str, Any]) -> list[str]:
    value = settings.get("max_connections")
    return ["--max-connections", str(value)] if value else []


def _text(value: Any) -> str:
    """A task's argument as Inspect reads it: YAML's spelling."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def plan(settings: Mapping[str, Any], inspect: str, log_dir: str) -> dict[str, Any]:
    """What `run_eval.py` gets: both commands, the folder, and how many samples there will be."""
    questions = settings.get("limit") or settings.get("questions") or 0
    return {
        "eval": eval_argv(settings, inspect, log_dir),
        "retry": retry_argv(settings, inspect, log_dir),
        "log_dir": log_dir,
        "total": int(questions) * int(settings.get("epochs") or 1),
    }


def published_of(settings: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The published figure that the score is held against: the one whose label is `compare`."""
    entries: list[Mapping[str, Any]] = settings.get("published") or []
    return next((entry for entry in entries if entry["label"] == settings.get("compare")), None)


def judge(summary: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Measurements, verdicts and evidence of an evaluation, as `twinspark_proof` takes them.

    `summary` is `inspect_log.summarise`'s. `settings` are the evaluation's, and: confidence (0 to 1), max_error_share
    (0 to 1), comparison_blocks.
    """
    scores = summary["scores"]
    score = stats.clustered(scores)
    published = published_of(settings)
    confidence = float(settings.get("confidence", 0.95))
    verdicts = completeness(summary, settings)
    if published:
        verdicts.append(consistency(score, published, settings))
    found = evidence(summary, confidence)
    found["comparison"] = [comparison(score, entry, confidence) for entry in settings.get("published") or []]
    return {
        "measurements": measurements(summary, score, confidence, published),
        "verdicts": verdicts,
        "evidence": found,
    }


def completeness(summary: Mapping[str, Any], settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The verdicts on whether the evaluation is one: finished, whole, few errors, tokens made."""
    expected = int(summary["questions"]) * int(summary["epochs"])
    scored = sum(map(len, summary["scores"].values()))
    errors = len(summary["errors"])
    share = errors / summary["samples"] if summary["samples"] else 1.0
    most = float(settings.get("max_error_share", 0.0))
    fix = "see the log with `inspect view`, and the engine's log; the next run goes on with what is missing"
    return [
        {
            "name": "evaluation finished",
            "ok": summary["status"] == "success",
            "measured": summary["status"],
            "required": "success",
            "reason": summary["error"],
            "fix": fix,
        },
        {
            "name": "samples accounted for",
            "ok": scored + errors >= expected > 0,
            "measured": scored + errors,
            "required": expected,
            "reason": f"{scored} scored, {errors} ended in an error",
            "fix": fix,
        },
        {
            "name": "samples in error",
            "ok": share <= most,
            "measured": round(share, 4),
            "required": most,
            "reason": "; ".join(summary["errors"][:3]) or "none",
            "fix": "mend what the first error names and run again: only those samples are asked anew",
        },
        {
            "name": "tokens generated",
            "ok": summary["tokens"]["output"] > 0,
            "measured": summary["tokens"]["output"],
            "required": "more than 0",
            "unit": "token",
            "reason": "the endpoint's own usage counts",
            "fix": "ask the endpoint for one completion by hand: it answers without generating",
        },
    ]


def incomplete(proof: Mapping[str, Any] | None) -> bool:
    """Whether a standing proof fails for want of samples: then the run is worth going on with, though its job ended.

    A score that is merely not the published one is no reason to ask every question again.
    """
    failed = [verdict["name"] for verdict in (proof or {}).get("verdicts", []) if not verdict["ok"]]
    return any(name != CONSISTENT for name in failed)


def consistency(score: stats.Score, published: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Whether the published figure lies in the score's confidence interval; both-sided, since too good is odd, too."""
    confidence = float(settings.get("confidence", 0.95))
    held = stats.compare(score, float(published["score"]), confidence)
    z = "" if held.z is None else f", z {held.z:+.2f}"
    return {
        "name": CONSISTENT,
        "ok": held.low <= 0 <= held.high,
        "blocks": bool(settings.get("comparison_blocks", False)),
        "measured": round(score.mean, 4),
        "required": f"{held.published:g} within the {confidence:.0%} interval",
        "reason": f"{held.difference:+.4f} to {published['label']} ({published.get('source', 'published')}){z}",
        "fix": "compare reasoning effort, token limits and chat template with those of the published figure",
    }


def comparison(score: stats.Score, entry: Mapping[str, Any], confidence: float) -> dict[str, Any]:
    """The score beside one published figure; low and high bound the difference (measured minus published)."""
    held = stats.compare(score, float(entry["score"]), confidence)
    return {
        "label": entry["label"],
        "source": entry.get("source", ""),
        "published": held.published,
        "measured": round(score.mean, 6),
        "difference": round(held.difference, 6),
        "low": round(held.low, 6),
        "high": round(held.high, 6),
        "z": None if held.z is None else round(held.z, 4),
        "p": None if held.p is None else round(held.p, 4),
    }


def measurements(
    summary: Mapping[str, Any], score: stats.Score, confidence: float, published: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Every number with its unit."""
    low, high = stats.interval(score, confidence)
    tokens, seconds = summary["tokens"], summary["seconds"]
    subject = f"{summary['task']}, {summary['questions']} questions, {summary['epochs']} epochs"
    first: dict[str, Any] = {"name": "score", "subject": subject, "value": round(score.mean, 6), "unit": "1"}
    if score.stderr is not None:
        first["stderr"] = round(score.stderr, 6)
    if published:
        first["published"] = published["score"]
    rows: list[tuple[str, Any, str]] = [
        ("score_low", round(low, 6), "1"),
        ("score_high", round(high, 6), "1"),
        ("questions", score.questions, "questions"),
        ("samples_scored", score.samples, "samples"),
        ("samples_in_error", len(summary["errors"]), "samples"),
        ("samples_at_a_limit", len(summary["limits"]), "samples"),
        ("input_tokens", tokens["input"], "tokens"),
        ("output_tokens", tokens["output"], "tokens"),
        ("duration", seconds, "s"),
        ("generation_rate", round(tokens["output"] / seconds, 3) if seconds else None, "tokens/s"),
    ]
    return [first] + [
        {"name": name, "subject": subject, "value": value, "unit": unit}
        for name, value, unit in rows
        if value is not None
    ]


def evidence(summary: Mapping[str, Any], confidence: float) -> dict[str, Any]:
    """What stands behind the numbers: Inspect's own, and each question's mean."""
    naive = stats.naive_stderr(summary["scores"])
    return {
        "inspect": summary["inspect"],
        "packages": summary["packages"],
        "model": summary["model"],
        "task": summary["task"],
        "started": summary["started"],
        "confidence": confidence,
        "naive_stderr": None if naive is None else round(naive, 6),
        "by_question": {name: _mean(values) for name, values in sorted(summary["scores"].items())},
        "errors": summary["errors"][:20],
        "limits": summary["limits"][:20],
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 6) if values else None
