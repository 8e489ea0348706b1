"""Whether the owner's `start` or `restart` may be followed, and whether it has brought the pair up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..proof.proofs import STAGES
from ..proof.values import Proof, paragraph
from .canary import Canary
from .pair import UP
from .supervised import Supervised

NOTHING_SERVED = (
    "nothing was served here yet, so there is no supervisor that could start it. Fix: `twinspark apply --stage serve`"
)


def obstacle(proofs: Mapping[str, Proof], overrides: Sequence[str] = (), *, supervisor: bool = True) -> str:
    """Why the pair may not be started; empty where it may.

    `supervisor`: whether its unit is installed. A proof that is only out of date is no obstacle: the supervisor starts
    the pair after a boot as well. One that failed is: the rdma stage stops a pair whose fabric does not pass.
    """
    if not supervisor:
        return NOTHING_SERVED
    for stage in STAGES[: STAGES.index("serve")]:
        proof = proofs.get(stage)
        if proof and not proof.passed and stage not in overrides:
            why = paragraph(proof.reasons).rstrip(".") or "no reason was recorded"
            return (
                f"the last proof of stage {stage} failed ({why}). Fix: `twinspark apply --stage {stage}`, or go on "
                f"without it by `--override {stage}`"
            )
    return ""


def shortfall(found: Supervised, wish: str, canary: Canary | None) -> str:
    """Why the pair is not up by the wish with this ID; empty where it makes tokens.

    `canary`: null where none was asked.
    """
    if found.kind == "absent" or found.wish != wish:
        return (
            f"the supervisor has not taken the wish up ({found.sentence}). Fix: see `systemctl status twinspark-serve` "
            "and `twinspark logs` on the head"
        )
    if found.kind == "given_up":
        return f"{found.sentence}. Fix: correct the cause that it names, then run `twinspark start`"
    if found.kind not in UP:
        end = "" if found.kind == "stopped" else ". It goes on by itself; `twinspark status` says how far it is"
        return f"the pair does not serve: {found.sentence}{end}"
    if canary and not canary.ok and not canary.busy:
        return (
            f"the supervisor says {found.sentence}, but a question got no good answer ({canary.error}). "
            "Fix: see `twinspark logs`; the supervisor restarts a pair that makes no tokens"
        )
    return ""
