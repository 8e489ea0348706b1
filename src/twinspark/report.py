"""`twinspark report`: one self-contained page and one JSON file, made from the proofs alone."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.twinspark.proof.numbers import figure, figures
from ansible.module_utils.twinspark.proof.requirement import PHRASES, Requirement
from ansible.module_utils.twinspark_host.proofs import load
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from . import __version__
from .paths import is_checkout, private, writing
from .status import Row, rows

SCHEMA = 1
# Scalars under such keys say what exactly was proved: which commit, which image.
IDENTITY = re.compile(r"(?:^|_)(?:commit|revision|image|ids?|digest|sha256)$")
LONGEST_IDENTITY = 200  # characters; longer ones are no identities


def build(folder: Path, now: datetime, commit: str | None = None) -> dict[str, Any]:
    """The report as data. `commit` is the checkout's, None when it is not known."""
    found = rows(folder, now)
    stages = [stage(row, folder) for row in found]
    return {
        "schema": SCHEMA,
        "made": now.isoformat(timespec="seconds"),
        "twinspark": {"version": __version__, "commit": commit},
        "verdict": overall(found),
        "simulated": [
            {"stage": entry["stage"], "sentence": text} for entry in stages for text in entry.get("simulated", [])
        ],
        "overrides": sorted({name for row in found for name in row.overrides}),
        "missing": [row.stage for row in found if row.state == "missing"],
        "comparison": [
            {"stage": entry["stage"], **line}
            for entry in stages
            for line in listed((entry.get("evidence") or {}).get("comparison"))
        ],
        "identities": [line for entry in stages for line in identities(entry)],
        "stages": stages,
    }


def stage(row: Row, folder: Path) -> dict[str, Any]:
    """One stage: the row of `twinspark status` and, if there is a proof, all of the proof."""
    shown = {**asdict(row), "simulated": []}
    if row.state in {"missing", "unreadable"}:
        return shown
    found = load(folder, row.stage)
    proof = found.to_json() if found else {}
    kept = ("host", "verdict", "verdicts", "measurements", "inputs", "inputs_digest", "boot_ids", "evidence", "reasons")
    return {**shown, **{key: proof[key] for key in kept if key in proof}, "simulated": proof.get("simulated", [])}


def overall(found: list[Row]) -> str:
    """The line in one word: the worst that there is. Benchmark is extra, so its absence is no gap."""
    states = {row.state for row in found if row.stage != "benchmark" or row.state != "missing"}
    for state, word in (("unreadable", "failed"), ("fail", "failed"), ("stale", "stale"), ("missing", "incomplete")):
        if state in states:
            return word
    return "proved"


def listed(value: object) -> list[dict[str, Any]]:
    """A list of mappings, or nothing."""
    return [dict(item) for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def identities(entry: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Commits, image ids and digests in a stage's inputs and evidence, each once."""
    seen: set[tuple[str, str]] = set()
    for part in ("inputs", "evidence"):
        for path, value in scalars(entry.get(part) or {}):
            name = path.removeprefix(".")
            key = (name.rpartition(".")[2], value)
            if any(IDENTITY.search(word) for word in name.split(".")[-2:]) and key not in seen and value:
                seen.add(key)
                yield {"stage": str(entry["stage"]), "name": name, "value": value}


def scalars(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every short text in nested mappings, with its dotted path; lists are details, not identities."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from scalars(inner, f"{path}.{key}")
    elif isinstance(value, str) and len(value) <= LONGEST_IDENTITY:
        yield path, value


def page(document: Mapping[str, Any]) -> str:
    """The HTML page: no script, no request to anywhere."""
    environment = Environment(
        loader=PackageLoader("twinspark"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(figure=figure, figures=figures, required=required, pretty=pretty, prose=prose)
    return environment.get_template("report.html.j2").render(report=document)


def required(given: object, unit: str = "") -> str:
    """A requirement as people read it: `at least 90 Gbit/s`; a dash where there is none."""
    asked = Requirement.from_json(given, unit=unit)
    return PHRASES[asked.operator] + figure(asked.value, asked.unit)


def prose(text: str) -> Markup:
    """Sentences whose `commands` are set as code, each line on one of its own."""
    lines = str(escape(text)).replace("\n", "<br>")
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", lines))  # noqa: S704 - escaped before


def pretty(value: Any) -> str:
    """Details as indented JSON."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)


def checkout_commit(project: Path) -> str | None:
    """The checkout's commit, with a plus sign when files differ from it; None without Git.

    An installed package may lie in somebody else's repository, whose commit says nothing about it.
    """
    if not is_checkout(project):
        return None
    argv = ["git", "-C", str(project), "describe", "--always", "--dirty=+", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=10).stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        return None


def write(proofs: Path, folder: Path, content: Path) -> list[Path]:
    """Write both files into a folder, from a folder of proofs, and give their paths."""
    document = build(proofs, datetime.now(UTC), checkout_commit(content))
    html, data = folder / "report.html", folder / "report.json"
    with writing(folder, "name with -o a folder that is yours, or one that can be made"):
        private(folder)
        html.write_text(page(document))
        data.write_text(pretty(document) + "\n")
    return [html, data]
