"""Filters of twinspark: thin. The functions are in module_utils, where the unit tests reach them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ansible.module_utils
from ansible import constants as C
from ansible.errors import AnsibleFilterError
from ansible.plugins.loader import connection_loader

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

_SSH = {"plugin_type": "connection", "plugin_name": "ssh"}


def twinspark_fabric(hosts: Sequence[str], settings: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rank and addresses of every host: {{ groups['sparks'] | twinspark_fabric(hostvars) }}."""
    unknown = [host for host in hosts if host not in settings]
    if unknown:
        raise AnsibleFilterError(f"no variables for {', '.join(unknown)}")
    try:
        return _fabric.fabric(hosts, settings)
    except _fabric.FabricError as error:
        raise AnsibleFilterError(str(error)) from error


def twinspark_unpinned(hosts: Sequence[str], variables: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What would let in a host whose key nobody has compared: {{ groups['sparks'] | twinspark_unpinned(hostvars) }}.

    Looked at is every host's own variables, and what ansible.cfg and the environment say where a host says nothing.
    """
    connection_loader.get("ssh", class_only=True)  # makes its settings known
    settings = {f"ansible_{name}": C.config.get_config_value(name, **_SSH) for name in _host_keys.SETTINGS}
    return _host_keys.unpinned(hosts, variables, settings)


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
            "twinspark_fabric": twinspark_fabric,
            "twinspark_unpinned": twinspark_unpinned,
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
