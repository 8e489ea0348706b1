"""Filters of twinspark: one table of names onto functions of module_utils, where the unit tests reach them.

`joint` reads the JSON that Ansible gives by the types of the function's parameters, and gives JSON back.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import ansible.module_utils
from ansible import constants as C
from ansible.errors import AnsibleError, AnsibleFilterError
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.parameters import DEFAULT_TYPE_VALIDATORS
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import connection_loader
from ansible.utils.vars import load_extra_vars
from jinja2.exceptions import UndefinedError

# The controller imports filters by path: this checkout's module_utils joins the package by hand.
_MODULE_UTILS = str(Path(__file__).resolve().parent.parent / "module_utils")
if _MODULE_UTILS not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(_MODULE_UTILS)

from ansible.module_utils.twinspark.evaluation import bench, evaluation
from ansible.module_utils.twinspark.image import image
from ansible.module_utils.twinspark.inventory import fabric, host_keys, places, preflight, rules, settings
from ansible.module_utils.twinspark.inventory.fabric import Host
from ansible.module_utils.twinspark.network import known_hosts, rail_ssh
from ansible.module_utils.twinspark.network import plan as network_plan
from ansible.module_utils.twinspark.network import verdicts as network_verdicts
from ansible.module_utils.twinspark.network.state import Network, Settings
from ansible.module_utils.twinspark.proof.json_form import read, to_json
from ansible.module_utils.twinspark.proof.values import Findings, Measurement, Verdict, sentence
from ansible.module_utils.twinspark.rdma import devices as rdma_devices
from ansible.module_utils.twinspark.rdma import figures as rdma_figures
from ansible.module_utils.twinspark.rdma import nccl, perftest_run
from ansible.module_utils.twinspark.rdma import plan as rdma_plan
from ansible.module_utils.twinspark.rdma import verdicts as rdma_verdicts
from ansible.module_utils.twinspark.rdma.causes import Cause
from ansible.module_utils.twinspark.rdma.facts import HostFacts
from ansible.module_utils.twinspark.serving import argv as engine
from ansible.module_utils.twinspark.serving import consent, door, kept, peer_access, serve
from ansible.module_utils.twinspark.serving.canary import Canary
from ansible.module_utils.twinspark.serving.rank import Rank
from ansible.module_utils.twinspark.serving.supervised import Supervised
from ansible.module_utils.twinspark.weights import hubcache
from ansible.module_utils.twinspark.weights import verdicts as weights_verdicts
from ansible.module_utils.twinspark_host import content

SSH = {"plugin_type": "connection", "plugin_name": "ssh"}


def joint(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as a filter. What it refuses, and what is not of its parameters' types, is told in one sentence."""
    hints, signature = get_type_hints(function), inspect.signature(function)

    def value_of(name: str, given: Any) -> Any:
        own = getattr(hints[name], "from_json", None)
        return own(given) if own else read(hints[name], given, name)

    @functools.wraps(function)
    def filtered(*given: Any, **named: Any) -> Any:
        bound = signature.bind(*given, **named).arguments
        try:
            return to_json(function(**{name: value_of(name, value) for name, value in bound.items()}))
        except ValueError as error:
            raise AnsibleFilterError(str(error)) from error

    return filtered


def fabric_of(hosts: Sequence[str], settings: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rank and addresses of every host: {{ groups['sparks'] | twinspark_fabric(hostvars) }}.

    No joint: reading all of hostvars would template every variable of every host.
    """
    unknown = [host for host in hosts if host not in settings]
    if unknown:
        raise AnsibleFilterError(f"no variables for {', '.join(unknown)}")
    try:
        return [host.to_json() for host in fabric.fabric(hosts, {host: here(settings[host]) for host in hosts})]
    except fabric.FabricError as error:
        raise AnsibleFilterError(str(error)) from error


def here(variables: Mapping[str, Any]) -> dict[str, Any]:
    """A host's settings: as the role `common` found them in this play, else as the inventory alone has them."""
    names = ("twinspark_rails", "twinspark_rails_first_host", "twinspark_user", "ansible_user", "ansible_host")
    return {**{name: variables[name] for name in names if name in variables}, **variables.get("twinspark_here", {})}


def unpinned(hosts: Sequence[str], variables: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What would let in a host whose key nobody has compared: {{ groups['sparks'] | twinspark_unpinned(hostvars) }}.

    Looked at is every host's own variables, and what ansible.cfg and the environment say where a host says nothing.
    """
    connection_loader.get("ssh", class_only=True)  # makes its settings known
    settings = {f"ansible_{name}": C.config.get_config_value(name, **SSH) for name in host_keys.SETTINGS}
    return host_keys.unpinned(hosts, variables, settings)


def wrong_types(
    hosts: Sequence[str], variables: Mapping[str, Mapping[str, Any]], folder: str, sources: Sequence[str] = ()
) -> list[str]:
    """Settings of a wrong type: {{ groups['sparks'] | twinspark_wrong(hostvars, twinspark_content_dir) }}.

    One that all hosts have is told once. What needs the profile can't be judged before that is loaded. With the
    inventory's sources each is told with the place where it is set.
    """
    specs = content.specs(Path(folder))
    found: dict[str, list[str]] = {}
    for host in hosts:
        own = variables[host]
        for name in sorted(specs.keys() & set(own) - rules.JUDGED):
            try:
                clauses = list(settings.wrong(name, own[name], specs[name], DEFAULT_TYPE_VALIDATORS))
            except (UndefinedError, AnsibleError):
                continue
            for clause in clauses:
                told = name + set_in(name, tuple(sources)) + clause.removeprefix(name)
                found.setdefault(told, []).append(host)
    return [clause if len(where) == len(hosts) else f"{', '.join(where)}: {clause}" for clause, where in found.items()]


def set_in(name: str, sources: tuple[str, ...]) -> str:
    """` (set in A)`: where a setting is set, as far as it can be told."""
    if not sources:
        return ""
    return " (set by -e)" if name in extra_variables() else places.told(site_of(sources).where(name))


def extra_variables() -> Mapping[str, Any]:
    """What the command line sets."""
    return load_extra_vars(DataLoader())


@functools.cache
def site_of(sources: tuple[str, ...]) -> places.Site:
    """What the inventory and the files of variables beside it set, each read apart. What only a vault's password opens
    counts as empty: Ansible itself has read it before.
    """
    loader = DataLoader()
    try:
        inventory = InventoryManager(loader, sources=list(sources))
    except AnsibleError:
        return places.Site(groups={})
    existing = [source for source in map(Path, sources) if source.exists()]  # a list of hosts has no files beside it
    files: list[places.File] = []
    present: dict[str, list[tuple[str, str]]] = {kind: [] for kind in places.KINDS}
    for folder in dict.fromkeys(source if source.is_dir() else source.parent for source in existing):
        for kind, name in places.KINDS.items():
            names = inventory.groups if kind == "group" else inventory.hosts
            files += files_read(loader, kind, folder / name, names)
            present[kind] += files_in(folder / name)
    sparks = inventory.groups["sparks"].get_hosts() if "sparks" in inventory.groups else []
    return places.Site(
        groups={host.name: [group.name for group in host.get_groups()] for host in sparks},
        hosts={host.name: dict(host.vars) for host in sparks},
        group_variables={name: dict(group.vars) for name, group in inventory.groups.items()},
        inventory=" and ".join(shown(source, source.parent) for source in existing),
        files=files,
        present=present,
        all_groups=list(inventory.groups),
        all_hosts=list(inventory.hosts),
    )


def files_read(loader: DataLoader, kind: str, folder: Path, names: Iterable[str]) -> list[places.File]:
    """The files of group_vars or host_vars that Ansible takes for these names, the weakest first."""
    return [
        places.File(kind, name, shown(file, folder.parent), loaded(loader, file))
        for name in sorted(names, key=lambda name: (name != "all", name))
        for file in loader.find_vars_files(str(folder), name)
    ]


def files_in(folder: Path) -> list[tuple[str, str]]:
    """Every file below, as (entry of the folder, path), but what Ansible passes over for its name alone."""
    entries = [(file, file.relative_to(folder.resolve()).parts) for file in sorted(folder.resolve().rglob("*"))]
    return [
        (parts[0], shown(file, folder.parent))
        for file, parts in entries
        if file.is_file() and not any(part.startswith(".") or part.endswith("~") for part in parts)
    ]


def shown(file: str | bytes | Path, beside: Path) -> str:
    """A path as its owner would write it in the site's folder; whole, where it is elsewhere."""
    site = (beside.parent if beside.name == "inventory" else beside).resolve()
    path = Path(os.fsdecode(file)).resolve()
    return str(path.relative_to(site) if path.is_relative_to(site) else path)


def loaded(loader: DataLoader, file: str | bytes) -> dict[str, Any]:
    """A file of variables; empty where it can't be read, which Ansible itself tells."""
    try:
        found = loader.load_from_file(os.fsdecode(file))
    except AnsibleError:
        return {}
    return dict(found) if isinstance(found, Mapping) else {}


def site_told(sources: Sequence[str], folder: str) -> dict[str, list[str]]:
    """{{ ansible_inventory_sources | twinspark_site(twinspark_content_dir) }}: `remarks` on what has no effect there,
    and the `names` of all variables that the owner sets, on the command line, too.
    """
    site = site_of(tuple(sources))
    known = frozenset(content.specs(Path(folder)))
    try:
        found = places.remarks(site, known)
    except AnsibleError:  # a value that only a vault's password opens can't be compared
        found = places.unread(site)
    return {"remarks": found, "names": sorted({*site.names(), *extra_variables()})}


def by_host(
    hosts: Sequence[str], variables: Mapping[str, Mapping[str, Any]], path: str, *default: Any
) -> dict[str, Any]:
    """{host: value}, the value by a dotted path into each host's variables, or the default where a part is not there.

    {{ groups['sparks'] | twinspark_by_host(hostvars, '__rdma_verify_before.devices') }}. No joint, as above.
    """
    found: dict[str, Any] = {}
    for host in hosts:
        value: Any = variables[host]
        for part in path.split("."):
            try:
                value = value[part]
            except (KeyError, TypeError):
                if default:
                    value = default[0]
                    break
                raise AnsibleFilterError(
                    f"{host} has no {path} in this play: it must run on all hosts of the group sparks, without --limit"
                ) from None
        found[host] = value
    return found


def network_planned(
    entries: Sequence[Host], host: str, states: Mapping[str, Network], settings: Settings
) -> network_plan.Plan:
    """What would be done to a host's network, and what speaks against it."""
    return network_plan.plan(fabric.me_of(entries, host), states, entries, settings)


def network_judged(entries: Sequence[Host], found: network_verdicts.Found, settings: Settings) -> Findings:
    """Verdicts, measurements and evidence from what all hosts found."""
    return network_verdicts.judge(entries, found.by_host(), settings)


def network_drifted(entries: Sequence[Host], networks: Mapping[str, Network], settings: Settings) -> list[str]:
    """How the kernels of all hosts differ from the plan, one clause each."""
    return [
        f"{entry.host}: {network_verdicts.clause(item)}"
        for entry in entries
        for item in network_plan.drift(entry.rails, networks[entry.host], settings)
    ]


def rdma_planned(
    entries: Sequence[Host], settings: rdma_plan.Settings, facts: Mapping[str, HostFacts] | None = None
) -> rdma_plan.Plan:
    """Steps, what is left out and why, and the estimate. Without facts every rail counts as usable."""
    return rdma_plan.plan(entries, settings, rdma_devices.unusable(entries, facts) if facts else None)


def rdma_clients(step: rdma_plan.Step, servers: Mapping[str, rdma_plan.Servers]) -> list[rdma_plan.Listening]:
    """A step's runs, the spare ones too, with the ports that their servers took; `servers` is the result by host."""
    started = servers.get(step.server)
    return rdma_plan.listening(step, started.runs if started else ())


def rdma_cause(causes: Sequence[Cause | None]) -> Cause | dict[str, Any]:
    """Of the causes that the two ends of a run name, the one that explains the other; empty when neither names one."""
    return perftest_run.worst(causes) or {}


def rdma_report(
    plan: rdma_plan.Plan,
    entries: Sequence[Host],
    facts: rdma_verdicts.Looks,
    runs: rdma_verdicts.Runs,
    limits: rdma_figures.Thresholds,
) -> Findings:
    """What the proof is made of: {{ plan | twinspark_rdma_report(twinspark_fabric, facts, runs, limits) }}."""
    return rdma_verdicts.report(entries, plan, facts, runs, limits)


def image_planned(settings: image.Build) -> dict[str, Any]:
    """Name, argv, inputs and digest of a build: {{ {name, repo, commit, argv, sources} | twinspark_image_build }}."""
    return {
        "image": settings.image,
        "argv": settings.build_argv(),
        "inputs": settings.inputs(),
        "digest": settings.digest(),
    }


def image_reasons(settings: image.Build, present_id: str, history: Sequence[image.Built]) -> list[image.Reason]:
    """Why the head has to build: {{ settings | twinspark_image_reasons(id, history) }}."""
    return image.build_reasons(settings, present_id or None, history)


def image_verdicts(ids: Mapping[str, str | None], head: str) -> list[Verdict]:
    """One verdict a host: {{ {host: id} | twinspark_image_verdicts(head) }}."""
    return image.verdicts(head, {host: image_id or None for host, image_id in ids.items()})


def image_measurements(copies: Sequence[image.Copy], name: str, built: float | str | None) -> list[Measurement]:
    """Figures of a build and its copies: {{ copies | twinspark_image_measurements(name, seconds of the build) }}."""
    return image.measurements(name, float(built) if built else None, copies)


def serve_proof(  # noqa: PLR0913, PLR0917 - each is another thing that was seen
    hosts: Sequence[str],
    found: Mapping[str, Rank],
    canary: Canary,
    rdma: bool,
    entries: Sequence[Host],
    says: Supervised,
    started: bool,
) -> dict[str, Any]:
    """What a proof says: {{ hosts | twinspark_serve_proof(seen, canary, rdma, fabric, supervisor, started) }}."""
    hcas = {entry.host: [rail.hca for rail in entry.rails] for entry in entries} if rdma else {}
    return {
        "verdicts": serve.verdicts(hosts, found, canary, hcas, says, started),
        "measurements": serve.measurements(hosts, found, canary),
        "ranks": serve.evidence(hosts, found),
    }


def snapshot(home: str, repo: str, commit: str) -> str:
    """Folder of a model's files: {{ hf_home | twinspark_snapshot(repo, commit) }}."""
    return str(hubcache.Layout(home, repo).snapshot(commit))


def repo_folder(home: str, repo: str) -> str:
    """Folder of a repository in the cache: {{ hf_home | twinspark_repo_folder(repo) }}."""
    return str(hubcache.Layout(home, repo).root)


def files_digest(paths: Iterable[str]) -> dict[str, str]:
    """Name to sha256 of files on the controller: what a proof is bound to, apart from where the checkout lies."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in map(Path, sorted(paths))}


def absent(paths: Iterable[str]) -> list[str]:
    """Files that are not there, on the controller."""
    return [path for path in paths if not Path(path).expanduser().is_file()]


JOINTS: dict[str, Callable[..., Any]] = {
    "twinspark_paths": fabric.paths_of,
    "twinspark_preflight": preflight.judge,
    "twinspark_network_plan": network_planned,
    "twinspark_network_verdicts": network_judged,
    "twinspark_network_refused": network_verdicts.refused,
    "twinspark_network_drifted": network_drifted,
    "twinspark_peer_known_hosts": known_hosts.known_hosts,
    "twinspark_peer_ssh_config": known_hosts.ssh_config,
    "twinspark_peer_authorized_keys": known_hosts.authorized_keys,
    "twinspark_ssh_argv": rail_ssh.peers,
    "twinspark_rdma_plan": rdma_planned,
    "twinspark_rdma_servers": rdma_plan.servers,
    "twinspark_rdma_clients": rdma_clients,
    "twinspark_rdma_cause": rdma_cause,
    "twinspark_rdma_report": rdma_report,
    "twinspark_nccl_judge": nccl.judge,
    "twinspark_nccl_memory": nccl.memory,
    "twinspark_verdict_sentence": sentence,
    "twinspark_weights_proof": weights_verdicts.evidence,
    "twinspark_snapshot": snapshot,
    "twinspark_repo_folder": repo_folder,
    "twinspark_image_build": image_planned,
    "twinspark_image_reasons": image_reasons,
    "twinspark_image_verdicts": image_verdicts,
    "twinspark_image_measurements": image_measurements,
    "twinspark_serve_plan": engine.plan,
    "twinspark_serve_inputs": engine.inputs,
    "twinspark_stale_caches": engine.stale_caches,
    "twinspark_serve_reasons": serve.restart_reasons,
    "twinspark_serve_told": consent.told,
    "twinspark_serve_proof": serve_proof,
    "twinspark_rollback": kept.target,
    "twinspark_rollback_missing": kept.missing,
    "twinspark_rollback_ahead": kept.ahead,
    "twinspark_door": door.opening,
    "twinspark_door_certificate": door.certificate,
    "twinspark_door_unnamed": door.unnamed,
    "twinspark_eval_plan": evaluation.plan,
    "twinspark_eval_incomplete": evaluation.incomplete,
    "twinspark_bench_plan": bench.plan,
}
PLAIN: dict[str, Callable[..., Any]] = {
    "twinspark_by_host": by_host,
    "twinspark_fabric": fabric_of,
    "twinspark_unpinned": unpinned,
    "twinspark_wrong": wrong_types,
    "twinspark_site": site_told,
    "twinspark_unit_word": engine.unit_word,
    "twinspark_cache_key": engine.cache_key,
    "twinspark_files_digest": files_digest,
    "twinspark_absent": absent,
    "twinspark_hand_sudoers": peer_access.sudoers,
    "twinspark_hand_key": peer_access.authorized_key,
    "twinspark_door_pattern": door.pattern,
}


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {**PLAIN, **{name: joint(function) for name, function in JOINTS.items()}}
