"""The verbs of the served pair: `start`, `restart` and `logs`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .become import AskBecome, become_password
from .errors import UsageError
from .exitcodes import Exit
from .options import Check, Extra, Inventory, Verbose
from .place import Options, Place

LAST = 200  # lines, where nothing is said of how many

Override = Annotated[
    list[str] | None,
    typer.Option(metavar="STAGE", help="Start although the last proof of this stage failed."),
]


def wanted(place: Place, verb: str, extra: list[str] | None, more: dict[str, Any], how: Options) -> Exit:
    """Run the playbook of `start` or `restart`."""
    from . import precheck, verbs

    return verbs.perform(place, [place.playbook(verb)], [], {**precheck.extra_vars(extra or []), **more}, how)


def start(  # noqa: PLR0913, PLR0917 - one parameter an option
    inventory: Inventory = None,
    check: Check = False,
    extra: Extra = None,
    override: Override = None,
    verbose: Verbose = 0,
    ask_become: AskBecome = False,
) -> None:
    """Start a pair that was stopped or given up, wait for it, and ask it; changes nothing where it serves."""
    from . import precheck

    more = {"twinspark_override": precheck.stages(override)} if override else {}
    how = Options(check, verbosity=verbose, become_password=become_password(ask_become))
    raise typer.Exit(wanted(Place.find(inventory), "start", extra, more, how))


def restart(  # noqa: PLR0913, PLR0917 - one parameter an option
    inventory: Inventory = None,
    check: Check = False,
    interrupt: Annotated[
        bool, typer.Option("--interrupt", help="Restart even while requests run or a job is at work.")
    ] = False,
    extra: Extra = None,
    override: Override = None,
    verbose: Verbose = 0,
    ask_become: AskBecome = False,
) -> None:
    """Take all ranks down and up once, wait for the pair, and ask it a question."""
    from . import precheck

    more: dict[str, Any] = {"twinspark_override": precheck.stages(override)} if override else {}
    if interrupt:
        more["vllm_serve_interrupt"] = True
    how = Options(check, verbosity=verbose, become_password=become_password(ask_become))
    raise typer.Exit(wanted(Place.find(inventory), "restart", extra, more, how))


def logs(  # noqa: PLR0913, PLR0917 - one parameter an option
    inventory: Inventory = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes, until Ctrl-C.")] = False,
    since: Annotated[
        str,
        typer.Option(metavar="WHEN", help="From then on, in journalctl's words: '-10 min', '09:30', '2026-11-25'."),
    ] = "",
    boot: Annotated[str, typer.Option(metavar="N", help="Of one boot of each host: 0 is this one, -1 the last.")] = "",
    host: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this host; may be repeated.")] = None,
    lines: Annotated[
        int | None,
        typer.Option("-n", "--lines", metavar="LINES", min=0, help=f"The last entries of all hosts; else {LAST}."),
    ] = None,
) -> None:
    """Print what the ranks and the supervisor write, of all hosts in one stream, in order of time."""
    from . import journal
    from . import logs as module

    if boot and not boot.lstrip("+-").isalnum():
        raise UsageError(f"--boot takes a number or a boot ID, not {boot!r}")
    if lines is None and not since and not boot:
        lines = LAST
    wanted = journal.Wanted(follow, since, boot, lines)
    raise typer.Exit(module.show(Place.find(inventory), host or [], wanted))
