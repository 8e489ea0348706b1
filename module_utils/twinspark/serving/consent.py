"""What a restart of the pair would interrupt, and the sentence that refuses it until the owner consents."""

from __future__ import annotations

from collections.abc import Sequence

from .serve import Reason

# A pair that does not serve has nothing to lose: its restart is a repair.
FAULTS = ("supervisor",)
# The owner wants it so, and nothing on a host differs from what it should be.
WISH = "wish"
JOBS = {"evaluate": "the evaluation", "benchmark": "the benchmark"}


def repairs(reasons: Sequence[Reason]) -> bool:
    """Whether the restart is one of a pair that does not serve."""
    return any(reason.name in FAULTS for reason in reasons)


def told(reasons: Sequence[Reason]) -> str:
    """What is to change, in the order given: `--max-num-seqs: 2 -> 8 on spark1 and spark2`."""
    if reasons and all(reason.name == WISH for reason in reasons):
        return reasons[0].desired
    hosts: dict[str, list[str]] = {}
    for reason in reasons:
        hosts.setdefault(f"{reason.name}: {reason.current or 'none'} -> {reason.desired or 'none'}", []).append(
            reason.host
        )
    return ", ".join(f"{change} on {' and '.join(where)}" for change, where in hosts.items())


def interrupted(requests: float | None, jobs: Sequence[str]) -> str:
    """What is under way; empty where nothing is known to be. `jobs`: names of the long jobs that run."""
    found = [JOBS.get(job, job) for job in jobs]
    if requests:
        found.insert(0, f"{requests:g} request{'s' if requests != 1 else ''}")
    return " and ".join(found)


APPLY = "twinspark apply --stage serve"


def refusal(reasons: Sequence[Reason], requests: float | None, jobs: Sequence[str], command: str = APPLY) -> str:
    """Why the restart needs the owner's consent; empty where it needs none. command: what consents with --interrupt."""
    lost = interrupted(requests, jobs)
    if not reasons or repairs(reasons) or not lost:
        return ""
    return (
        f"the pair would be restarted ({told(reasons)}), and that would interrupt {lost}. Nothing was changed. "
        f"Fix: wait for the end of it, or consent with `{command} --interrupt` "
        "(vllm_serve_interrupt: true)."
    )
