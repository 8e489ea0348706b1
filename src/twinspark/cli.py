"""`twinspark`: the command line."""

from __future__ import annotations

import contextlib
import importlib
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer
from ansible.module_utils.twinspark.proof.proofs import STAGES
from typer.core import TyperGroup

from . import __version__, pair_cli, paths
from .become import AskBecome, become_password
from .errors import SealedError, UsageError
from .exitcodes import Exit, table
from .options import Check, Extra, Inventory, Verbose
from .paths import PathError
from .place import Options, Place

EPILOG = "Exit codes:\n\n" + "\n\n".join(table().splitlines())


class Verbs(TyperGroup):
    """The verbs. A stage in place of one, spelt right or nearly so, is told how it is run."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0] if args else ""
        known = self.list_commands(ctx)
        near = [] if name in known else get_close_matches(name, [*STAGES, *known], n=1, cutoff=0.7)
        if near and near[0] in STAGES:
            raise UsageError(f"there is no verb {name}: did you mean `twinspark apply --stage {near[0]}`?")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="twinspark",
    cls=Verbs,
    help="Two DGX Sparks, from cabled boxes to a proved vLLM service.\n\n"
    "No stage goes on without the proof of the one before it.",
    add_completion=False,
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Diff = Annotated[bool, typer.Option("--diff", "-D", help="Show what changes in files.")]
Proofs = Annotated[
    Path | None,
    typer.Option("--proofs", metavar="DIR", help="Read the proofs in this folder, not those of an inventory."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def choose(line: list[str], named: list[str], from_: str | None, to: str | None) -> list[str]:
    """The stages to run; none stands for the whole line."""
    from . import precheck

    if named and (from_ or to):
        raise UsageError("--stage excludes --from and --to")
    if not (from_ or to):
        return precheck.stages(named)
    whole = [stage for stage in STAGES if stage in line or stage in {from_, to}]
    for bound in (from_, to):
        precheck.stages([bound] if bound else [])
    chosen = whole[whole.index(from_) if from_ else 0 : whole.index(to) + 1 if to else None]
    if not chosen:
        raise UsageError(f"{to} comes before {from_}, so nothing is left to do")
    return chosen


@app.command(epilog=EPILOG)
def apply(  # noqa: PLR0913, PLR0917 - one parameter an option
    inventory: Inventory = None,
    stage: Annotated[
        list[str] | None, typer.Option(help=f"Only this stage; may be repeated. One of: {', '.join(STAGES)}.")
    ] = None,
    from_: Annotated[str | None, typer.Option("--from", metavar="STAGE", help="From this stage to the end.")] = None,
    to: Annotated[str | None, typer.Option(metavar="STAGE", help="Up to this stage and no further.")] = None,
    check: Check = False,
    diff: Diff = False,
    expect_unchanged: Annotated[
        bool,
        typer.Option("--expect-unchanged", help="Exit 6 when anything changed: with --check a drift alarm for cron."),
    ] = False,
    extra: Extra = None,
    override: Annotated[
        list[str] | None,
        typer.Option(metavar="STAGE", help="Go on without this stage's proof; the report says so loudly."),
    ] = None,
    interrupt: Annotated[
        bool,
        typer.Option("--interrupt", help="Restart the pair for a change even while requests run or a job is at work."),
    ] = False,
    verbose: Verbose = 0,
    ask_become: AskBecome = False,
) -> None:
    """Bring the hosts to what the inventory says, stage after stage; a second run changes nothing."""
    from . import precheck, verbs

    place = Place.find(inventory)
    variables = precheck.extra_vars(extra or [])
    if override:
        variables["twinspark_override"] = precheck.stages(override)
    if interrupt:
        variables["vllm_serve_interrupt"] = True
    line = verbs.site_stages(place.content)
    chosen = choose(line, stage or [], from_, to)
    playbooks = [place.playbook(name) for name in chosen] or [place.content / "site.yml"]
    how = Options(check, diff, verbose, expect_unchanged, become_password(ask_become))
    raise typer.Exit(verbs.perform(place, playbooks, chosen or line, variables, how))


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What to ask.")],
    inventory: Inventory = None,
    max_tokens: Annotated[
        int, typer.Option(metavar="COUNT", min=1, help="Longest answer, what the model thinks included.")
    ] = 1024,
    ask_become: AskBecome = False,
) -> None:
    """Ask the served model one question; prints the answer."""
    from . import verbs

    if not question.strip():
        raise UsageError("no question was asked: put it in quotes after `twinspark ask`")
    raise typer.Exit(verbs.ask(Place.find(inventory), question, max_tokens, become_password(ask_become)))


@app.command()
def status(  # noqa: PLR0913, PLR0917 - one parameter an option
    inventory: Inventory = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    live: Annotated[
        bool,
        typer.Option("--live", help="Ask the hosts, too: tokens/s, memory, power, units, proofs."),
    ] = False,
    ask_too: Annotated[bool, typer.Option("--ask", help="With --live: put a question to the model, too.")] = False,
    proofs: Proofs = None,
    ask_become: AskBecome = False,
) -> None:
    """Tell the state of the pair, and each stage's proof: verdict, when, and whether it still holds."""
    if ask_too and not live:
        raise UsageError("--ask goes with --live: `twinspark status --live --ask`")
    if proofs and (live or inventory):
        raise UsageError("--proofs excludes --live and --inventory: it asks no host and reads no inventory")
    if proofs:
        from . import status as module

        module.show(module.rows(paths.proofs_in(proofs)), as_json=as_json)
        return
    place = Place.find(inventory)
    code, seen = Exit.OK, None
    if live:
        from . import verbs

        password = become_password(ask_become)
        if as_json:
            code, seen = verbs.live(place, ask_too, password)
        else:
            how = Options(become_password=password)
            code = verbs.perform(place, [place.playbook("status")], [], {"live_ask": ask_too}, how)
    show_status(place, as_json, seen)
    raise typer.Exit(code)


def show_status(place: Place, as_json: bool, seen: dict[str, Any] | None) -> None:
    """The pair's state and the proofs; the look at the head is on its way while the proofs are read."""
    from .pair import Look

    look = Look(place)
    try:
        from . import status as module

        module.show(module.rows(place.proofs), as_json=as_json, pair=look.end(), live=seen)
    finally:
        look.kill()


@app.command()
def report(
    inventory: Inventory = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for report.html and report.json.")
    ] = None,
    proofs: Proofs = None,
) -> None:
    """Write the report: one HTML page and one JSON file, made from the proofs alone."""
    from . import report as module

    if proofs and not output:
        raise UsageError("--proofs needs --output, a folder for the report")
    if proofs and inventory:
        raise UsageError("--proofs excludes --inventory: it reads none")
    if proofs and output:
        content, found, folder = paths.content_dir(), paths.proofs_in(proofs), output
    else:
        place = Place.find(inventory)
        from . import precheck

        with contextlib.suppress(SealedError):  # the proofs need nothing of it
            precheck.inventory(place.inventory, place.content)
        content, found, folder = place.content, place.proofs, output or place.site / "report"
    for path in module.write(found, folder, content):
        typer.echo(path)


app.command()(pair_cli.start)
app.command()(pair_cli.restart)


@app.command()
def stop(inventory: Inventory = None, check: Check = False, extra: Extra = None, ask_become: AskBecome = False) -> None:
    """Stop the service and running jobs on all hosts; `start` starts the pair, `apply` goes on with the jobs."""
    from . import precheck, verbs

    place = Place.find(inventory)
    variables = precheck.extra_vars(extra or [])
    how = Options(check, become_password=become_password(ask_become))
    raise typer.Exit(verbs.perform(place, [place.playbook("stop")], [], variables, how))


app.command()(pair_cli.logs)


@app.command()
def rollback(
    inventory: Inventory = None,
    check: Check = False,
    interrupt: Annotated[
        bool, typer.Option("--interrupt", help="Restart the pair even while requests run or a job is at work.")
    ] = False,
    extra: Extra = None,
    ask_become: AskBecome = False,
) -> None:
    """Serve by the image, weights and flags that passed before, without building; the settings stay."""
    from . import precheck, verbs

    place = Place.find(inventory)
    variables = precheck.extra_vars(extra or [])
    if interrupt:
        variables["vllm_serve_interrupt"] = True
    how = Options(check, become_password=become_password(ask_become))
    raise typer.Exit(verbs.perform(place, [place.playbook("rollback")], [], variables, how))


@app.command()
def verify(inventory: Inventory = None, extra: Extra = None, ask_become: AskBecome = False) -> None:
    """Hash every byte of the weights again on every host; repairs nothing."""
    from . import precheck, verbs

    place = Place.find(inventory)
    variables = precheck.extra_vars(extra or [])
    how = Options(become_password=become_password(ask_become))
    raise typer.Exit(verbs.perform(place, [place.playbook("verify")], [], variables, how))


@app.command()
def uninstall(  # noqa: PLR0913, PLR0917 - one parameter an option
    inventory: Inventory = None,
    check: Check = False,
    diff: Diff = False,
    extra: Extra = None,
    yes: Yes = False,
    ask_become: AskBecome = False,
) -> None:
    """Give back what was there before; asks first."""
    from . import precheck, verbs

    place = Place.find(inventory)
    if not (yes or check):
        if not sys.stdin.isatty():
            raise UsageError("uninstall takes things away from the hosts: say --yes to consent, or --check to look")
        typer.confirm(f"Take away from every host of {place.inventory} what twinspark put there?", abort=True)
    variables = precheck.extra_vars(extra or [])
    how = Options(check, diff, become_password=become_password(ask_become))
    raise typer.Exit(verbs.perform(place, [place.playbook("uninstall")], [], variables, how))


@app.command()
def path() -> None:
    """Print where the Ansible content lies: `ansible-playbook "$(twinspark path)/site.yml" -i inventory`."""
    typer.echo(paths.content_dir())


def no_lab() -> None:
    """The lab comes with a checkout."""
    raise UsageError("The lab comes with a checkout of twinspark: run this inside one")


def offer_lab(to: typer.Typer) -> None:
    """`twinspark lab`, whose Python lies in the checkout's lab/ and is in no wheel."""
    room = paths.lab_dir()
    if room is None:
        anything = {"ignore_unknown_options": True, "allow_extra_args": True}
        to.command("lab", hidden=True, add_help_option=False, context_settings=anything)(no_lab)
        return
    sys.path.append(str(room))  # last: folders of the lab have names that others have, too
    to.add_typer(importlib.import_module("twinspark_lab.cli").app, name="lab")


def offer_rdma(to: typer.Typer) -> None:
    """`twinspark rdma`."""
    from . import rdma_cli

    to.add_typer(rdma_cli.app, name="rdma")


def offer_init(to: typer.Typer) -> None:
    """`twinspark init`."""
    from .init_cli import init

    to.command()(init)


# What brings half of the code with it is imported for its own sake only, and for a list of all verbs.
OFFERS = {"rdma": offer_rdma, "init": offer_init, "lab": offer_lab}


def offer(to: typer.Typer, words: list[str]) -> None:
    """Add to the verbs those that the words on the command line may be about."""
    verb = next((word for word in words if not word.startswith("-")), "")
    at_hand = {command.name or command.callback.__name__ for command in to.registered_commands if command.callback}
    for name, add in OFFERS.items():
        if verb == name or verb not in (*at_hand, *OFFERS):
            add(to)


def main() -> None:
    """Entry point: every end is an exit code of the table, and one sentence where it is not 0."""
    try:
        offer(app, sys.argv[1:])
        app()
    except (UsageError, PathError) as error:
        from ansible.module_utils.twinspark.inventory.explain import one_line

        from . import verbs

        verbs.tell(one_line(str(error)))
        sys.exit(Exit.USAGE)
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
