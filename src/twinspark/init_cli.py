"""`twinspark init`: an inventory from what the hosts themselves say."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from ansible.module_utils.twinspark.inventory import host_keys
from ansible.module_utils.twinspark.network import discovery
from ansible.module_utils.twinspark.network.state import Network
from ansible.module_utils.twinspark.proof.json_form import ShapeError

from . import paths, precheck, site, verbs
from .become import AskBecome, become_password
from .exitcodes import Exit

UNREACHED = (
    "Nothing was written: what init writes is what the hosts say, so each of them must answer to ssh and sudo. Where "
    "they can't yet, write inventory/hosts.yml by hand (README, `Use it on Sparks`)."
)
BROWSE = ["avahi-browse", "--resolve", "--parsable", "--terminate", "_ssh._tcp"]


def init(  # noqa: PLR0913, PLR0917 - one parameter an option
    addresses: Annotated[
        list[str] | None,
        typer.Argument(help="Addresses (ADDRESS or ADDRESS:PORT) of the hosts in rank order, the head first."),
    ] = None,
    user: Annotated[str, typer.Option("-u", "--user", help="Login on the hosts; it needs sudo.")] = "nvidia",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Inventory to write, or a folder for the site; else here, or in the checkout."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite it; a copy is kept beside it.")] = False,
    mdns: Annotated[
        bool, typer.Option("--mdns", help="Look for hosts by mDNS where none are named (needs avahi-browse).")
    ] = False,
    match: Annotated[str, typer.Option(help="Host names that --mdns takes, a regular expression.")] = "spark|dgx|gx10",
    group: Annotated[str, typer.Option(help="Put the hosts in this child group of sparks.")] = "",
    key: Annotated[Path | None, typer.Option(help="Private key to log in with.")] = None,
    ssh_args: Annotated[str, typer.Option(help="Further arguments for ssh, as one string.")] = "",
    raise_links: Annotated[
        bool,
        typer.Option("--raise-links", help="Bring ConnectX links that are down up for the look, and down again."),
    ] = False,
    extra: Annotated[
        list[str] | None, typer.Option("-e", "--extra-vars", metavar="NAME=VALUE", help="Set a variable; no secrets.")
    ] = None,
    ask_become: AskBecome = False,
) -> None:
    """Find the hosts' cages and cables, and write a commented inventory. Asks you nothing; configures nothing.

    Each host must be on, and answer to ssh and sudo: what is written is what the hosts say.

    Outside a checkout it writes a site: inventory/, group_vars/ with the settings to edit, and an ansible.cfg.

    Host keys must be known to ssh already: log in once by hand and compare the fingerprint.
    """
    content = paths.content_dir()
    target = target_of(output, content)
    if target.exists() and not force:
        raise precheck.UsageError(f"{target} is there already: name another with --output, or consent with --force")
    hosts = addresses or (browse(match) if mdns else [])
    if not hosts:
        raise precheck.UsageError("no host was named: give addresses, or --mdns")
    if len(set(hosts)) < len(hosts):
        raise precheck.UsageError("an address was named twice")
    connection: dict[str, Any] = {"ansible_user": user}
    if key:
        connection["ansible_ssh_private_key_file"] = str(key.expanduser().absolute())
    if ssh_args:
        connection["ansible_ssh_common_args"] = ssh_args
        for problem in host_keys.problems("--ssh-args", connection):
            raise precheck.UsageError(problem)
    variables = {**precheck.extra_vars(extra or []), "twinspark_discover_raise": raise_links}
    typer.echo(f"Asking {', '.join(hosts)} for links, cables and addresses: 10 to 30 s ...")
    code, reports = ask(content, hosts, connection, variables, become_password(ask_become))
    if code == Exit.UNREACHABLE:
        verbs.tell(UNREACHED)
    if code != Exit.OK:
        raise typer.Exit(code)
    try:
        found = discovery.discover({host: Network.from_json(report, host) for host, report in reports.items()})
    except (discovery.DiscoveryError, ShapeError) as error:
        raise precheck.UsageError(str(error)) from error
    with paths.writing(target, "run it in a folder of yours, or name one with --output"):
        notes = write(target, discovery.inventory(found, connection, group), content)
    for note in [*found.notes, *notes]:
        typer.echo(f"note: {note}")
    typer.echo(f"{target}: {', '.join(host.name for host in found.hosts)}. Look it over, then: twinspark apply --check")


def browse(pattern: str) -> list[str]:
    """Addresses that avahi knows. Raises UsageError where it does not answer."""
    if not shutil.which(BROWSE[0]):
        raise precheck.UsageError("avahi-browse is not installed (apt-get install avahi-utils): give addresses instead")
    done = subprocess.run(BROWSE, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise precheck.UsageError(f"avahi does not answer ({done.stderr.strip()}): give addresses instead")
    addresses: list[str] = discovery.avahi(done.stdout, pattern)
    return addresses


def endpoint(given: str) -> tuple[str, dict[str, Any]]:
    """ADDRESS or ADDRESS:PORT as a name for the time of asking, and the host's connection variables."""
    address, colon, port = given.rpartition(":")
    if not colon or ":" in address:  # a name, an IPv4 address, or a bare IPv6 address
        return given, {"ansible_host": given}
    if not address or not port.isdigit() or not 0 < int(port) < 65536:
        raise precheck.UsageError(f"{given} is neither an address nor ADDRESS:PORT")
    return f"{address}_{port}", {"ansible_host": address, "ansible_port": int(port)}


def ask(
    content: Path, hosts: list[str], connection: dict[str, Any], extra: dict[str, Any], password: str = ""
) -> tuple[Exit, dict[str, Any]]:
    """Run playbooks/discover.yml on the hosts; its exit code, and what each host reports, in the order of the hosts."""
    with tempfile.TemporaryDirectory(prefix="twinspark-init-") as folder:
        inventory = Path(folder) / "hosts.yml"
        endpoints = dict(map(endpoint, hosts))
        tree = {"sparks": {"hosts": endpoints, "vars": connection}}
        inventory.write_text(yaml.safe_dump(tree, sort_keys=False))
        answer = Path(folder) / "reports.json"
        place = verbs.Place(content, inventory)
        variables = {**extra, "twinspark_discover_output": str(answer)}
        try:
            precheck.inventory(place.inventory, place.content)
            code = verbs.quietly(place, place.playbook("discover"), variables, password)
        finally:
            shutil.rmtree(place.site, ignore_errors=True)
        reports = json.loads(answer.read_text()) if answer.exists() else {}
        return Exit(code), {key: {**report, "endpoint": endpoints[key]} for key, report in reports.items()}


def target_of(output: Path | None, content: Path) -> Path:
    """The inventory to write: the file named, or inventory/hosts.yml in the folder named or else in a new site."""
    if output and output.suffix in {".yml", ".yaml"}:
        return output.absolute()
    return (output or paths.new_site(content)).absolute() / paths.INVENTORY


def write(target: Path, text: str, content: Path) -> list[str]:
    """Write the inventory and what a site has besides; notes for the owner. The inventory that was there is kept."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        # Ansible passes over names that end in ~ when it reads the folder as an inventory.
        numbered = (target.with_name(f"{target.name}.{number}~") for number in itertools.count(1))
        shutil.copy2(target, next(path for path in numbered if not path.exists()))
    target.write_text(text)
    return site.furnish(target, content)
