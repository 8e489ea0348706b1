"""Options that several verbs have."""

from __future__ import annotations

from typing import Annotated

import typer

Inventory = Annotated[
    str | None,
    typer.Option(
        "-i",
        "--inventory",
        metavar="PATH",
        help="Inventory; else $TWINSPARK_INVENTORY, else inventory/hosts.yml here or above, or of the checkout.",
    ),
]
Extra = Annotated[
    list[str] | None, typer.Option("-e", "--extra-vars", metavar="NAME=VALUE", help="Set a variable; no secrets.")
]
Verbose = Annotated[
    int, typer.Option("-v", "--verbose", count=True, help="More of Ansible's own words in the run's records.")
]
Check = Annotated[bool, typer.Option("--check", "-C", help="Change nothing; tell what would change.")]
