"""`twinspark lab ...`: the verbs of the lab."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from twinspark.exitcodes import Exit

from .names import HOSTS, Lab
from .names import lab as named
from .shell import LabError, LabUsage
from .status import HostStatus
from .vm import up as vm

app = typer.Typer(help="The lab: two hosts, cabled back to back like two Sparks.", no_args_is_help=True)
console = Console()
complaints = Console(stderr=True)

Name = Annotated[str, typer.Option("--name", help="Which lab; several can be up at once.")]


@contextmanager
def told() -> Iterator[None]:
    """A LabError is one sentence on stderr and exit 1, or 2 where the command line is wrong; not a traceback."""
    try:
        yield
    except LabError as error:
        complaints.print(f"lab: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(Exit.USAGE if isinstance(error, LabUsage) else Exit.INTERNAL) from error


def _say(start: float) -> Callable[[str], None]:
    return lambda text: console.print(
        f"{time.monotonic() - start:6.1f} s  {text}", markup=False, highlight=False, soft_wrap=True
    )


@app.command()
def up(
    name: Name = "lab",
    engine: Annotated[
        bool, typer.Option("--engine/--no-engine", help="With vLLM's image, the model and the services in place.")
    ] = True,
    hosts: Annotated[
        str, typer.Option("--hosts", help="container, or vm: slower, with a kernel and so RDMA of their own.")
    ] = "container",
) -> None:
    """Bring the lab up; run again, it mends what is missing."""
    from .up import Options
    from .up import up as bring_up

    with told():
        lab = named(name)
        if hosts not in {"container", "vm"}:
            raise LabUsage(f"hosts are container or vm, not {hosts!r}")
        if lab.state.is_dir() and (lab.state / "lab.json").is_file() and vm.is_vm_lab(lab) != (hosts == "vm"):
            raise LabError(
                f"the lab {name} is up with the other kind of hosts: `twinspark lab down --name {name}` first"
            )
        say = _say(time.monotonic())
        folder = vm.up(lab, say) if hosts == "vm" else bring_up(lab, Options(engine), say)
        console.print(_table(lab))
        console.print(f"inventory: {folder}", markup=False, highlight=False, soft_wrap=True)


@app.command()
def check(hosts: Annotated[str, typer.Option("--hosts", help="container or vm.")] = "container") -> None:
    """Tell how such hosts would run on this machine; exit 1 with the reason where they can't."""
    from .machine import require_root

    with told():
        if hosts not in {"container", "vm"}:
            raise LabUsage(f"hosts are container or vm, not {hosts!r}")
        if hosts == "vm":
            print(vm.check())
        else:
            require_root()
            print("Docker containers")


@app.command()
def status(name: Name = "lab", as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """What is there; exit 0 only if all of it is up."""
    from .status import as_json as encode

    with told():
        lab = named(name)
        found = encode(lab, _look(lab))
        if as_json:
            print(json.dumps(found, indent=2))
        else:
            console.print(_table(lab))
    if not found["up"]:
        raise typer.Exit(1)


@app.command()
def inventory(name: Name = "lab") -> None:
    """Print the folder of the lab's inventory, for `-i` and TWINSPARK_INVENTORY."""
    with told():
        folder = named(name).inventory
        if not (folder / "hosts.yml").is_file():
            raise LabError(f"the lab {name} is not up: run `twinspark lab up --name {name}`")
        print(folder)


@app.command()
def down(
    name: Name = "lab",
    purge: Annotated[bool, typer.Option("--purge", help="Also the images and cached files that labs share.")] = False,
    engine_too: Annotated[
        bool, typer.Option("--engine-too", help="Also stop the Docker engine, if a lab started it.")
    ] = False,
) -> None:
    """Remove the lab and nothing else; safe to run again."""
    from .down import down as take_down
    from .down import purge as remove_shared
    from .machine import stop_engine

    with told():
        say = _say(time.monotonic())
        lab = named(name)
        (vm.down if vm.is_vm_lab(lab) else take_down)(lab, say)
        if purge:
            remove_shared(say)
        if engine_too and stop_engine():
            say("the Docker engine that the lab started is stopped")
        console.print(f"lab {name}: down", markup=False)


@app.command()
def reboot(
    hosts: Annotated[list[str] | None, typer.Argument()] = None,
    name: Name = "lab",
    hard: Annotated[bool, typer.Option("--hard", help="As a power cut does; VM hosts only.")] = False,
) -> None:
    """Restart hosts (all of them by default): new boot id, rails laid again."""
    from .up import reboot as restart

    with told():
        lab = named(name)
        names = [_host(host) for host in hosts or HOSTS]
        say = _say(time.monotonic())
        if vm.is_vm_lab(lab):
            vm.reboot(lab, names, say, hard=hard)
        elif hard:
            raise LabUsage("container hosts have no power to cut: `twinspark lab up --hosts vm`")
        else:
            restart(lab, names, say)


@app.command()
def link(
    host: str, interface: str, state: Annotated[str, typer.Argument(help="up or down")], name: Name = "lab"
) -> None:
    """Play a cable fault: one host's end of a rail goes down (or up), the other end loses its carrier."""
    from .up import link as set_link

    with told():
        if state not in {"up", "down"}:
            raise LabUsage(f"a link goes up or down, not {state!r}")
        lab = named(name)
        (vm.link if vm.is_vm_lab(lab) else set_link)(lab, _host(host), interface, state)


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def ssh(host: str, command: Annotated[list[str] | None, typer.Argument()] = None, name: Name = "lab") -> None:
    """Log in to a host as the lab's user, or run a command there."""
    from .access import ssh_argv
    from .hosts import management_address

    with told():
        lab = named(name)
        if vm.is_vm_lab(lab):
            argv = vm.ssh_argv(lab, vm.host_of(lab, _host(host)), command or [])
        else:
            argv = ssh_argv(lab, management_address(lab, _host(host)), command or [])
        os.execvp(argv[0], argv)  # noqa: S606


def _host(host: str) -> str:
    if host not in HOSTS:
        raise LabUsage(f"{host} is no host of the lab: it has {', '.join(HOSTS)}")
    return host


def _look(lab: Lab) -> list[HostStatus]:
    from .status import look

    return vm.look(lab) if vm.is_vm_lab(lab) else look(lab)


def _table(lab: Lab) -> Table:
    from .status import services_state

    table = Table(title=f"lab {lab.name}", title_justify="left")
    for heading in ("host", "state", "management", "rails", "ssh"):
        table.add_column(heading)
    for host in _look(lab):
        shown = "\n".join(f"{interface} {state}" for interface, state in host.rails.items())
        table.add_row(host.host, host.state, host.address, shown, host.ssh)
    services = services_state(lab)
    if services:
        table.add_row("services", services, "", "", "")
    return table
