"""The two ends of a run, as twinspark_perftest is told of them and tells what became of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from ..proof.json_form import SPARSE
from .causes import LOST
from .perftest import Row
from .perftest_run import Ended, outcome
from .plan import Listening


@dataclass(frozen=True, slots=True)
class End(Listening):
    """One end of a run. side: server or client; what is null is not known yet, or does not concern this end.

    skipped: it was not tried; replaced: a spare took its place; waited: no client had come to it, or one was still
    busy when it was stopped. took: seconds.
    """

    side: str | None = field(default=None, metadata=SPARSE)
    unit: str | None = field(default=None, metadata=SPARSE)
    argv: tuple[str, ...] | None = field(default=None, metadata=SPARSE)
    ok: bool | None = field(default=None, metadata=SPARSE)
    rows: tuple[Row, ...] | None = field(default=None, metadata=SPARSE)
    warnings: tuple[str, ...] | None = field(default=None, metadata=SPARSE)
    text: str | None = field(default=None, metadata=SPARSE)
    exit_code: int | None = field(default=None, metadata=SPARSE)
    result: str | None = field(default=None, metadata=SPARSE)
    took: float | None = field(default=None, metadata=SPARSE)
    skipped: bool | None = field(default=None, metadata=SPARSE)
    replaced: bool | None = field(default=None, metadata=SPARSE)
    waited: bool | None = field(default=None, metadata=SPARSE)


def finished(end: End, how: Ended) -> End:
    """The end with its figures, or with the cause why there are none."""
    came = outcome(how)
    return replace(
        end,
        ok=came.ok,
        rows=came.rows,
        warnings=came.warnings,
        cause=came.cause,
        text=came.text,
        exit_code=came.exit_code,
        result=came.result,
    )


def collected(end: End, states: Mapping[str, Mapping[str, str]], printed: Mapping[str, str]) -> End:
    """A server's end, by what its unit was and had printed when it was removed."""
    if end.state != "listening" or not end.unit:
        return end
    state = states.get(end.unit, {})
    waited = state.get("ActiveState") == "active"
    how = Ended(printed[end.unit], int(state.get("ExecMainStatus") or 0), state.get("Result", "success"))
    end = replace(finished(end, how), waited=waited)
    # Nobody came, or it was still busy when it was stopped: not its own fault.
    return replace(end, ok=False, cause=None) if waited else end


def groups(ends: Iterable[End]) -> list[list[End]]:
    """The ends by their group, in its order."""
    return [list(group) for _, group in groupby(sorted(ends, key=_group), key=_group)]


def _group(end: End) -> int:
    return end.group


def lost(group: Sequence[End]) -> bool:
    """Whether perftest lost this group by itself, which says nothing of the path."""
    return any(end.cause and end.cause.name in LOST for end in group)


def fits(spare: Sequence[End], group: Sequence[End]) -> bool:
    """Whether all of the spare's servers wait, for the test of `group`."""
    return all(end.state == "listening" and end.test == group[0].test for end in spare)
