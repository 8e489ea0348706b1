"""The engine's endpoint, as this host reaches it: its counters, and the canary."""

# /health is not asked: it answers 200 while the engine hangs.
from __future__ import annotations

import contextlib
import http.client
import json
import threading
import urllib.parse
from pathlib import Path

from core.twinspark.serving import vitals
from core.twinspark.serving.pair import Answer, Counters
from settings import Settings

METRICS_SECONDS = 5.0
# The machine judges a canary that hangs by its patience; the hand hangs up somewhat later.
LONGER = 60.0
MOST = 4 << 20  # bytes of an answer that are read


def key_of(path: str) -> str:
    """The API key of an environment file; empty without one."""
    with contextlib.suppress(OSError):
        for line in Path(path).read_text().splitlines() if path else []:
            name, _, value = line.partition("=")
            if name == "VLLM_API_KEY":
                return value.strip()
    return ""


class Endpoint:
    """asking: number of the canary that waits now, 0 for none. answer: the last one that came."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.place = urllib.parse.urlsplit(settings.url)
        self.asking, self.answer = 0, None  # type: int, Answer | None

    def counters(self) -> Counters | None:
        """What the engine counts now; None where it does not tell."""
        try:
            status, text = self._get("GET", "/metrics", "", METRICS_SECONDS)
        except (OSError, http.client.HTTPException):
            return None
        return vitals.counters(text) if status == http.HTTPStatus.OK else None

    def ask(self, number: int) -> None:
        """Ask the canary, in a thread: its answer may take as long as the patience."""
        self.asking = number
        threading.Thread(target=self._ask, args=(number,), daemon=True).start()

    def _ask(self, number: int) -> None:
        body = json.dumps(vitals.question(self.settings.model, self.settings.prompt))
        try:
            status, text = self._get("POST", "/v1/completions", body, self.settings.limits.patience + LONGER)
            found = vitals.answer(number, status, text)
        except TimeoutError:
            found = Answer(number, 0, "no answer in time")
        except (OSError, http.client.HTTPException) as error:
            found = Answer(number, 0, getattr(error, "strerror", None) or str(error) or type(error).__name__)
        if self.asking == number:
            self.answer = found
            self.asking = 0

    def _get(self, method: str, path: str, body: str, seconds: float) -> tuple[int, str]:
        """One question, on a connection of its own: the engine that held the last one may be gone."""
        headers = {"Content-Type": "application/json"} if body else {}
        if key := key_of(self.settings.key_file):
            headers["Authorization"] = f"Bearer {key}"
        connection = http.client.HTTPConnection(self.place.hostname or "", self.place.port or 80, timeout=seconds)
        with contextlib.closing(connection):
            connection.request(method, path, body.encode() or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(MOST).decode(errors="replace")
