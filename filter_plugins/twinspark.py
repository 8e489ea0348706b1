"""Filters of twinspark: thin. The functions are in module_utils, where the unit tests reach them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ansible.module_utils
from ansible.errors import AnsibleFilterError

# The controller imports filters by path: this checkout's module_utils joins the package by hand.
_MODULE_UTILS = str(Path(__file__).resolve().parent.parent / "module_utils")
if _MODULE_UTILS not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(_MODULE_UTILS)

from ansible.module_utils.twinspark import fabric as _fabric  # noqa: E402


def twinspark_fabric(hosts: Sequence[str], settings: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rank and addresses of every host: {{ groups['sparks'] | twinspark_fabric(hostvars) }}."""
    unknown = [host for host in hosts if host not in settings]
    if unknown:
        raise AnsibleFilterError(f"no variables for {', '.join(unknown)}")
    try:
        return _fabric.fabric(hosts, settings)
    except _fabric.FabricError as error:
        raise AnsibleFilterError(str(error)) from error


def twinspark_paths(entries: Sequence[Mapping[str, Any]], host: str) -> list[dict[str, Any]]:
    """Every path from host, one a rail and peer: {{ twinspark_fabric | twinspark_paths(host) }}."""
    return _fabric.paths_of(entries, host)


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        return {"twinspark_fabric": twinspark_fabric, "twinspark_paths": twinspark_paths}
