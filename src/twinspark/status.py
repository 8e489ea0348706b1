"""`twinspark status`: every stage's proof, as the controller's copies tell it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.twinspark.proof import proofs
from ansible.module_utils.twinspark.proof.numbers import duration
from ansible.module_utils.twinspark.proof.values import Proof, lines, paragraph
from ansible.module_utils.twinspark_host.proofs import load
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .pair import PairState

SCHEMA = 2  # of --json; the first was a list of the stages
STYLES = {"pass": "green", "fail": "bold red", "stale": "yellow", "missing": "dim", "unreadable": "bold red"}

LOG_WIDTH = 160  # columns of the table where there is no terminal to ask


@dataclass(frozen=True)
class Row:
    """One stage. `state` is pass, fail, stale, missing or unreadable; `why` says what the state does not."""

    stage: str
    state: str
    written: str = ""
    age_seconds: float | None = None
    simulated: bool = False
    overrides: tuple[str, ...] = ()
    why: str = ""


def rows(folder: Path, now: datetime | None = None) -> list[Row]:
    """A row for each stage, in the order of the line."""
    readable: dict[str, Proof] = {}
    broken: dict[str, str] = {}
    for stage in proofs.STAGES:
        try:
            proof = load(folder, stage)
        except proofs.ProofError as error:
            broken[stage] = str(error)
        else:
            if proof:
                readable[stage] = proof
    return [row(stage, readable, broken, now or datetime.now(UTC)) for stage in proofs.STAGES]


def row(stage: str, readable: dict[str, Proof], broken: dict[str, str], now: datetime) -> Row:
    """Judged from the documents alone: what only the hosts know (a reboot, changed inputs) `apply` will see."""
    if stage in broken:
        return Row(stage, "unreadable", why=broken[stage])
    proof = readable.get(stage)
    if proof is None:
        return Row(stage, "missing", why=f"`twinspark apply --stage {stage}` makes it")
    chain = proofs.judge_chain(readable, stage)
    failed = not proof.passed
    return Row(
        stage=stage,
        state="fail" if failed else "pass" if chain.fresh else "stale",
        written=proof.written,
        age_seconds=age(proof.written, now),
        simulated=bool(proof.simulated),
        overrides=proof.overrides,
        why=reasons(proof) if failed else chain.reason,
    )


def reasons(proof: Proof) -> str:
    """Why it did not pass: one sentence, or a line for each verdict."""
    stopped = [verdict for verdict in proof.verdicts if verdict.stops]
    return "\n".join(lines(stopped)) if len(stopped) > 1 else paragraph(proof.reasons)


def age(written: str, now: datetime) -> float | None:
    """Seconds since; None for a time that can't be read."""
    try:
        then = datetime.fromisoformat(written)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (now - then).total_seconds())


def show(
    found: Sequence[Row],
    *,
    as_json: bool,
    pair: PairState | None = None,
    live: Mapping[str, Any] | None = None,
    console: Console | None = None,
) -> None:
    """The pair in a line and a table for people, a JSON object for machines: `schema`, `pair`, `live`, `stages`.

    pair: none where no host was asked.
    """
    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, LOG_WIDTH)
    if as_json:
        told = asdict(pair) if pair else None
        document = {"schema": SCHEMA, "pair": told, "live": live, "stages": [asdict(entry) for entry in found]}
        console.out(json.dumps(document, indent=2), highlight=False)
        return
    if pair:
        console.print(f"pair: {pair.line}", markup=False, highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("stage", "proof", "made", "age", "remarks"):
        table.add_column(heading, overflow="fold")
    for entry in found:
        remarks = ["simulated"] if entry.simulated else []
        remarks += [f"OVERRIDDEN: {', '.join(entry.overrides)}"] if entry.overrides else []
        remarks += [entry.why] if entry.why else []
        made = entry.written.replace("T", " ").removesuffix("+00:00").removesuffix("Z")
        old = duration(entry.age_seconds) if entry.age_seconds is not None else ""
        between = "\n" if "\n" in entry.why else "; "
        table.add_row(entry.stage, Text(entry.state, STYLES[entry.state]), made, old, Text(between.join(remarks)))
    console.print(table)
