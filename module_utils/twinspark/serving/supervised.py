"""What the supervisor of the pair says, as the roles need it: read from the text of its state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..proof.json_form import ShapeError, from_json, read
from ..proof.values import Verdict
from .pair import DOWN, UP, HostSeen, Kind, State, Wish

SETTLED = (*UP, *DOWN)
# Seconds. Memory that an ended engine gives back is there in less, and so is a host that was only slow.
LONGEST_WAIT = 90.0


@dataclass(frozen=True, slots=True)
class Supervised:
    """kind: absent where no supervisor has written anything. since: Unix time. wish: ID of the one that it follows.

    restarts: counted ones since the last long service. waited: seconds for which a start has been waiting for memory, a
    rail or a host. away: hosts that gave it no answer at its last look, with the reason. settled: it serves or is down,
    by the wish that was asked for, or waits for what may never come.
    """

    kind: Literal["absent"] | Kind = "absent"
    sentence: str = "no supervisor has written its state"
    why: str = ""
    since: float | None = None
    restarts: int = 0
    wish: str = ""
    waited: float = 0.0
    away: Mapping[str, str] = field(default_factory=dict)
    settled: bool = False

    @property
    def up(self) -> bool:
        """Whether the pair makes tokens."""
        return self.kind in UP

    @property
    def down(self) -> bool:
        """Whether nothing runs, and nothing will be started without a wish."""
        return self.kind in DOWN or self.kind == "absent"


def said(text: str) -> Supervised:
    """From the text of state.json; `absent` for an empty or unreadable one, which the supervisor itself puts aside."""
    try:
        given = json.loads(text)
        state = from_json(State, given["state"], "state")
        sentence = str(given["sentence"])
        hosts = read(tuple[HostSeen, ...], given.get("hosts") or [], "hosts")
    except (ShapeError, ValueError, KeyError, TypeError):
        return Supervised()
    wish = state.wish.id if state.wish else ""
    away = {host.host: host.error or "no answer" for host in hosts if not host.reachable}
    waited = state.spent if state.stage == "room" else 0.0
    return Supervised(state.kind, sentence, state.why, state.since, state.restarts, wish, waited, away)


def settled(found: Supervised, wish: str) -> bool:
    """Whether nothing more is to be waited for; `wish`: ID of the one that has to be followed first, empty for any."""
    return wish in ("", found.wish) and (found.kind in SETTLED or found.waited > LONGEST_WAIT)


def needs_wish(verb: str, old: Wish, found: Supervised) -> bool:
    """Whether a new wish has to be written for the verb: not where the standing one is followed, or about to be."""
    if verb == "restart":
        return True
    if verb == "stop":
        return old.verb != "stop"
    # A pair that was given up, after this wish was taken, starts by a new one only.
    return old.verb == "stop" or (found.wish == old.id and found.kind in DOWN)


def supervisor_verdict(says: Supervised) -> Verdict:
    """Whether the supervisor holds that the pair serves."""
    return Verdict.told(
        "supervised pair",
        says.up,
        says.sentence,
        "serving or busy",
        reason=says.why or f"the supervisor says: {says.sentence}",
        fix="correct the cause, then `twinspark apply --stage serve` starts the pair with a new count of restarts",
    )
