"""Filters of the weights stage: thin. The functions are in module_utils, where the unit tests reach them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ansible.module_utils

# The controller imports filters by path: this checkout's module_utils joins the package by hand.
_MODULE_UTILS = str(Path(__file__).resolve().parent.parent / "module_utils")
if _MODULE_UTILS not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(_MODULE_UTILS)

from ansible.errors import AnsibleFilterError
from ansible.module_utils.twinspark.proof.json_form import ShapeError, to_json
from ansible.module_utils.twinspark.weights import hubcache, verdicts
from ansible.module_utils.twinspark.weights.state import Found


def twinspark_weights_proof(hosts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Verdicts, measurements and evidence of a proof: {{ {host: info.weights} | twinspark_weights_proof }}."""
    try:
        found = {host: Found.from_json(given, f"weights on {host}") for host, given in hosts.items()}
    except ShapeError as error:
        raise AnsibleFilterError(str(error)) from error
    return dict(to_json(verdicts.evidence(found)))


def twinspark_snapshot(home: str, repo: str, commit: str) -> str:
    """Folder of a model's files: {{ hf_home | twinspark_snapshot(repo, commit) }}."""
    return str(hubcache.Layout(home, repo).snapshot(commit))


def twinspark_repo_folder(home: str, repo: str) -> str:
    """Folder of a repository in the cache: {{ hf_home | twinspark_repo_folder(repo) }}."""
    return str(hubcache.Layout(home, repo).root)


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        return {
            "twinspark_weights_proof": twinspark_weights_proof,
            "twinspark_snapshot": twinspark_snapshot,
            "twinspark_repo_folder": twinspark_repo_folder,
        }
