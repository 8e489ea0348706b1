"""`twinspark rdma`: what a saved output of perftest says."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from ansible.module_utils.twinspark.proof.json_form import to_json
from ansible.module_utils.twinspark.rdma.perftest import PerftestError
from ansible.module_utils.twinspark.rdma.perftest_json import parse_any

app = typer.Typer(help="Read what perftest printed.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def root() -> None:
    """Read what perftest printed."""


@app.command()
def parse(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="Saved output of ib_*_bw or ib_*_lat, or --out_json's file; - is stdin."
        ),
    ],
    cycles: Annotated[
        bool, typer.Option("--cycles", help="It was run with -C: its times are cycles, under a heading that says usec.")
    ] = False,
    gbits: Annotated[
        bool | None,
        typer.Option("--gbits/--mib", help="Unit of JSON that can't tell it: whether --report_gbits was given."),
    ] = None,
) -> None:
    """Print it as JSON: test, device, rows (bit/s, microseconds, null where not measured), errors, warnings.

    One object for one run, a list for several. Exit 1 when a file holds no valid measurement.
    """
    found = [document for name in files for document in read(name, cycles=cycles, gbits=gbits)]
    typer.echo(json.dumps(found[0] if len(found) == 1 and len(files) == 1 else found, indent=2, ensure_ascii=False))
    if not all(any(document["valid"] for document in found if document["file"] == name) for name in files):
        raise typer.Exit(1)


def read(name: str, *, cycles: bool = False, gbits: bool | None = None) -> list[dict[str, Any]]:
    """Every run in a file; one without rows and with an error where nothing can be read."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(errors="replace")
        results = parse_any(text, cycles=cycles, gbits=gbits)
    except (OSError, PerftestError) as error:
        kind = "unreadable" if isinstance(error, OSError) else "not_perftest"
        cause = {
            "name": kind,
            "meaning": str(error),
            "fix": "Give the output of ib_*_bw or ib_*_lat, whole",
            "line": "",
        }
        empty: dict[str, Any] = {
            "test": None,
            "device": None,
            "rows": [],
            "errors": [cause],
            "warnings": [],
            "settings": {},
        }
        return [{"file": name, **empty, "valid": False}]
    return [{"file": name, **to_json(result), "valid": result.valid} for result in results]
