"""`twinspark`: the command line."""

from __future__ import annotations

import importlib
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer
from ansible.module_utils.twinspark.inventory.explain import one_line
from ansible.module_utils.twinspark.proof.proofs import STAGES
from typer.core import TyperGroup

from . import __version__, paths, precheck, rdma_cli, verbs
from .become import AskBecome, become_password
from .exitcodes import Exit, table
from .init_cli import init
from .paths import PathError
from .verbs import Options, Place

EPILOG = "Exit codes:\n\n" + "\n\n".join(table().splitlines())


class Verbs(TyperGroup):
    """The verbs. A stage in place of one, spelt right or nearly so, is told how it is run."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0] if args else ""
        known = self.list_commands(ctx)
        near = [] if name in known else get_close_matches(name, [*STAGES, *known], n=1, cutoff=0.7)
        if near and near[0] in STAGES:
            raise precheck.UsageError(f"there is no verb {name}: did you mean `twinspark apply --stage {near[0]}`?")
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
    if named and (from_ or to):
        raise precheck.UsageError("--stage excludes --from and --to")
    if not (from_ or to):
        return precheck.stages(named)
    whole = [stage for stage in STAGES if stage in line or stage in {from_, to}]
    for bound in (from_, to):
        precheck.stages([bound] if bound else [])
    chosen = whole[whole.index(from_) if from_ else 0 : whole.index(to) + 1 if to else None]
    if not chosen:
        raise precheck.UsageError(f"{to} comes before {from_}, so nothing is left to do")
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
    if not question.strip():
        raise precheck.UsageError("no question was asked: put it in quotes after `twinspark ask`")
    raise typer.Exit(verbs.ask(Place.find(inventory), question, max_tokens, become_password(ask_become)))


@app.command()
def status(
    inventory: Inventory = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the hosts, too: units, jobs, proofs. Changes nothing.")
    ] = False,
    proofs: Proofs = None,
    ask_become: AskBecome = False,
) -> None:
    """Tell each stage's proof: verdict, when, and whether it still holds."""
    from . import status as module

    if proofs and (live or inventory):
        raise precheck.UsageError("--proofs excludes --live and --inventory: it asks no host and reads no inventory")
    if proofs:
        module.show(module.rows(paths.proofs_in(proofs)), as_json=as_json)
        return
    place = Place.find(inventory)
    precheck.inventory(place.inventory, place.content, sealed=not live)
    code = Exit.OK
    if live:
        how = Options(aside=as_json, become_password=become_password(ask_become))
        code = verbs.perform(place, [place.playbook("status")], [], {}, how)
    module.show(module.rows(place.proofs), as_json=as_json)
    raise typer.Exit(code)


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
        raise precheck.UsageError("--proofs needs --output, a folder for the report")
    if proofs and inventory:
        raise precheck.UsageError("--proofs excludes --inventory: it reads none")
    if proofs and output:
        content, found, folder = paths.content_dir(), paths.proofs_in(proofs), output
    else:
        place = Place.find(inventory)
        precheck.inventory(place.inventory, place.content, sealed=True)
        content, found, folder = place.content, place.proofs, output or place.site / "report"
    for path in module.write(found, folder, content):
        typer.echo(path)


@app.command()
def stop(inventory: Inventory = None, check: Check = False, extra: Extra = None, ask_become: AskBecome = False) -> None:
    """Stop the service and running jobs on all hosts; `apply` starts them again."""
    place = Place.find(inventory)
    variables = precheck.extra_vars(extra or [])
    how = Options(check, become_password=become_password(ask_become))
    raise typer.Exit(verbs.perform(place, [place.playbook("stop")], [], variables, how))


@app.command()
def verify(inventory: Inventory = None, extra: Extra = None, ask_become: AskBecome = False) -> None:
    """Hash every byte of the weights again on every host; repairs nothing."""
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
    place = Place.find(inventory)
    if not (yes or check):
        if not sys.stdin.isatty():
            raise precheck.UsageError(
                "uninstall takes things away from the hosts: say --yes to consent, or --check to look"
            )
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
    raise precheck.UsageError("The lab comes with a checkout of twinspark: run this inside one")


def offer_lab(to: typer.Typer) -> None:
    """`twinspark lab`, whose Python lies in the checkout's lab/ and is in no wheel."""
    room = paths.lab_dir()
    if room is None:
        anything = {"ignore_unknown_options": True, "allow_extra_args": True}
        to.command("lab", hidden=True, add_help_option=False, context_settings=anything)(no_lab)
        return
    sys.path.append(str(room))  # last: folders of the lab have names that others have, too
    to.add_typer(importlib.import_module("twinspark_lab.cli").app, name="lab")


app.add_typer(rdma_cli.app, name="rdma")
app.command()(init)


def main() -> None:
    """Entry point: every end is an exit code of the table, and one sentence where it is not 0."""
    try:
        offer_lab(app)
        app()
    except (precheck.UsageError, PathError) as error:
        verbs.tell(one_line(str(error)))
        sys.exit(Exit.USAGE)
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
