"""Filters of twinspark: thin. The functions are in module_utils, where the unit tests reach them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ansible.module_utils
from ansible.errors import AnsibleFilterError

# The controller imports filters by path: this checkout's module_utils joins the package by hand.
_MODULE_UTILS = str(Path(__file__).resolve().parent.parent / "module_utils")
if _MODULE_UTILS not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(_MODULE_UTILS)

from ansible.module_utils.twinspark.inventory import fabric as _fabric
from ansible.module_utils.twinspark.inventory import host_keys as _host_keys
from ansible.module_utils.twinspark.inventory import preflight as _preflight
from ansible.module_utils.twinspark.network import known_hosts as _known_hosts
from ansible.module_utils.twinspark.network import plan as _network_plan
from ansible.module_utils.twinspark.network import verdicts as _net_verdicts


def twinspark_fabric(hosts: Sequence[str], settings: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rank and addresses of every host: {{ groups['sparks'] | twinspark_fabric(hostvars) }}."""
    unknown = [host for host in hosts if host not in settings]
    if unknown:
        raise AnsibleFilterError(f"no variables for {', '.join(unknown)}")
    try:
        return _fabric.fabric(hosts, {host: _here(settings[host]) for host in hosts})
    except _fabric.FabricError as error:
        raise AnsibleFilterError(str(error)) from error


def _here(variables: Mapping[str, Any]) -> dict[str, Any]:
    """A host's settings: as the role `common` found them in this play, or as the inventory alone has them."""
    known = ("twinspark_rails", "twinspark_rails_first_host", "twinspark_user", "ansible_user", "ansible_host")
    raw = {name: variables[name] for name in known if name in variables}
    return {**raw, **variables.get("twinspark_here", {})}


def twinspark_by_host(
    hosts: Sequence[str], variables: Mapping[str, Mapping[str, Any]], path: str, *default: Any
) -> Any:
    """{host: value}, the value by a dotted path into each host's variables, or the default where a part is not there.

    {{ groups['sparks'] | twinspark_by_host(hostvars, '__rdma_verify_before.devices') }}
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


def twinspark_paths(entries: Sequence[Mapping[str, Any]], host: str) -> list[dict[str, Any]]:
    """Every path from host, one a rail and peer: {{ twinspark_fabric | twinspark_paths(host) }}."""
    return _fabric.paths_of(entries, host)


def twinspark_network_plan(
    entries: Sequence[Mapping[str, Any]], host: str, states: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What would be done to a host's network, and what speaks against it."""
    return dataclasses.asdict(_network_plan.plan(_fabric.me_of(entries, host), states, entries, settings))


def twinspark_network_verdicts(
    entries: Sequence[Mapping[str, Any]], found: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Verdicts, measurements and evidence from what all hosts found: networks, pings, logins, each by host."""
    results = {
        entry["host"]: _net_verdicts.Result(
            network=found["networks"][entry["host"]],
            pings=found["pings"][entry["host"]],
            logins=found["logins"][entry["host"]],
        )
        for entry in entries
    }
    return _net_verdicts.judge(entries, results, settings)


def twinspark_network_drifted(
    entries: Sequence[Mapping[str, Any]], networks: Mapping[str, Any], settings: Mapping[str, Any]
) -> list[str]:
    """How the kernels of all hosts differ from the plan, one clause each."""
    return [
        f"{entry['host']}: {_net_verdicts.clause(item)}"
        for entry in entries
        for item in _network_plan.drift(entry["rails"], networks[entry["host"]], settings)
    ]


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        return {
            "twinspark_by_host": twinspark_by_host,
            "twinspark_fabric": twinspark_fabric,
            "twinspark_unpinned": _host_keys.unpinned,
            "twinspark_paths": twinspark_paths,
            "twinspark_network_plan": twinspark_network_plan,
            "twinspark_network_verdicts": twinspark_network_verdicts,
            "twinspark_network_refused": _net_verdicts.refused,
            "twinspark_network_drifted": twinspark_network_drifted,
            "twinspark_preflight": _preflight.judge,
            "twinspark_peer_known_hosts": _known_hosts.known_hosts,
            "twinspark_peer_ssh_config": _known_hosts.ssh_config,
            "twinspark_peer_authorized_keys": _known_hosts.authorized_keys,
        }
