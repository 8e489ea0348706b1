"""The Hub's answers: which of them to try again, and what to tell an owner about the others."""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..twinspark.proof.foreign import json_of, lines_of, whole

RETRY_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
MAX_BYTES = 64 * 1024**2  # of metadata; a repository of 100,000 files stays below


class HubError(RuntimeError):
    """The Hub did not give what was asked; the message says why, and the fix."""


@dataclass(frozen=True)
class Answer:
    """How to take an HTTP status: try again, or give up with these words."""

    retry: bool
    words: str


def info_url(endpoint: str, repo: str, commit: str) -> str:
    """Where a repository's files at a commit are listed, with sizes and sums."""
    return f"{endpoint.rstrip('/')}/api/models/{urllib.parse.quote(repo)}/revision/{commit}?blobs=true"


def answer(status: int, repo: str, commit: str, token: bool, code: str = "") -> Answer:
    """What an HTTP status of the Hub means. `code` is its X-Error-Code header, `token` whether one was sent."""
    if status in RETRY_STATUS:
        return Answer(True, f"the Hub answers {status}" + (" (too many requests)" if status == 429 else ""))
    if status == 401 and not token:
        return Answer(
            False,
            f"{repo} is private, gated or misspelt, and no token was given (401). Put a read token of an account that "
            "has access into a file and name it in hf_weights_token_file",
        )
    if status == 401:
        return Answer(False, f"the Hub refuses the token (401). Renew the one in hf_weights_token_file ({repo})")
    if status == 403 or code == "GatedRepo":
        return Answer(
            False,
            f"{repo} is gated (403): accept its terms on its page with the account that the token in "
            "hf_weights_token_file belongs to, and check that the token may read gated repositories",
        )
    if status == 404 and (code == "RevisionNotFound"):
        return Answer(False, f"commit {commit} does not exist in {repo} (404). Correct the profile's weights.revision")
    if status == 404:
        return Answer(
            False,
            f"{repo} or its commit {commit} does not exist (404). Correct the profile's weights.repo and .revision",
        )
    return Answer(False, f"the Hub answers {status} for {repo} at {commit}")


def pause(attempt: int, retry_after: str | None, longest: float = 60.0) -> float:
    """Seconds before the next attempt (0 is the first that failed): what the Hub asks for, else 1, 2, 4, ..."""
    asked = whole(retry_after)
    if asked is not None:
        return min(float(asked), longest)
    return float(min(2.0 ** min(attempt, 30), longest))  # for hours, that would be no float any more


# The client's words (huggingface_hub 1.16, cli/_errors.py), the exceptions below them, and httpx's. A line means the
# status where it has all of them, in any order.
CLIENT_FAULTS = (
    ((r"No space left on device|Not enough free disk space",), 507, ""),
    ((r"requires approval|GatedRepo|403 (?:Client Error|Forbidden)",), 403, "GatedRepo"),
    ((r"Revision ?not ?found",), 404, "RevisionNotFound"),
    ((r"401 (?:Client Error|Unauthorized)|Invalid (?:user token|username or password)",), 401, ""),
    ((r"RepositoryNotFound|File not found in",), 404, ""),
    ((r"^Error: (?:Model|Repository) ", r"not found"), 404, ""),
    ((r"\b429\b", "error"), 429, ""),
    ((r"\b50[0234]\b", "error"), 503, ""),
)
PATTERNS = tuple(
    (tuple(re.compile(words, re.I) for words in all_of), status, code) for all_of, status, code in CLIENT_FAULTS
)
LONGEST_REASON = 300  # characters


def client_answer(log: str, repo: str, commit: str, token: bool) -> Answer:
    """What the client's own words mean. Words about the line (cut, stalled, refused) mean: try again."""
    lines = dict.fromkeys(lines_of(log))  # each once: a client that tries again says the same again
    for all_of, status, code in PATTERNS:
        if any(all(words.search(line) for words in all_of) for line in lines):
            if status == 507:
                return Answer(False, "the disk is full. Free some space, and run again: what came is kept")
            return answer(status, repo, commit, token, code)
    last = (log.strip().splitlines() or ["it gave no reason"])[-1].removeprefix("Error: ").rstrip(". ")
    return Answer(True, last[:LONGEST_REASON])


@dataclass(frozen=True)
class Question:
    """A request for a commit's metadata. `timeout` of each attempt and `longest_pause` between two are in seconds."""

    endpoint: str
    repo: str
    commit: str
    token: str = ""
    timeout: float = 20.0
    attempts: int = 6
    longest_pause: float = 60.0


def read_info(question: Question, sleep: Callable[[float], None] = time.sleep) -> dict[str, Any]:
    """The Hub's model info at a commit. Retries what may pass; HubError for the rest."""
    url = info_url(question.endpoint, question.repo, question.commit)
    request = urllib.request.Request(url, headers={"User-Agent": "twinspark", "Accept": "application/json"})  # noqa: S310
    if question.token:
        # Unredirected, so that a mirror that points elsewhere does not pass the token on.
        request.add_unredirected_header("Authorization", f"Bearer {question.token}")
    last = ""
    for attempt in range(question.attempts):
        after = None
        try:
            with urllib.request.urlopen(request, timeout=question.timeout) as reply:  # noqa: S310
                return dict(json_of(reply.read(MAX_BYTES)))
        except urllib.error.HTTPError as error:
            code = error.headers.get("X-Error-Code") or ""
            meaning = answer(error.code, question.repo, question.commit, bool(question.token), code)
            if not meaning.retry:
                raise HubError(meaning.words) from error
            last, after = meaning.words, error.headers.get("Retry-After")
        except (OSError, ValueError, TypeError) as error:
            last = f"no usable answer from {question.endpoint} ({getattr(error, 'reason', error)})"
        if attempt + 1 < question.attempts:
            sleep(pause(attempt, after, question.longest_pause))
    raise HubError(
        f"{last}, {question.attempts} times in a row. Check hf_weights_endpoint and the head's Internet connection,  "
        "or give hf_weights_source_dir"
    )
