"""The proof of a pair that was given up: what has passed does not hold any more, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from ..proof.json_form import to_json
from ..proof.values import Proof, sentences
from .supervised import Supervised, supervisor_verdict

# Where the proof lies that passed, beside the one that failed.
BEFORE = "serve.before.json"


def given_up(passed: Proof, says: Supervised) -> Proof:
    """The proof that failed, bound to the inputs of the one that passed: it is of the same ranks.

    What was measured then is in that one, whose name and time are in the evidence.
    """
    verdict = supervisor_verdict(says)
    since = datetime.fromtimestamp(says.since or 0, UTC).isoformat(timespec="seconds")
    return replace(
        passed,
        written=since,
        measurements=(),
        verdicts=(verdict,),
        verdict="fail",
        reasons=tuple(sentences([verdict])),
        evidence={"supervisor": to_json(says), "passed": {"written": passed.written, "file": BEFORE}},
    )
