"""Filters of the evaluation and the benchmark: thin. The functions are in module_utils."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ansible.module_utils
from ansible.errors import AnsibleFilterError

# The controller imports filters by path: this checkout's module_utils joins the package by hand.
_MODULE_UTILS = str(Path(__file__).resolve().parent.parent / "module_utils")
if _MODULE_UTILS not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(_MODULE_UTILS)

from ansible.module_utils.twinspark.evaluation import bench as _bench
from ansible.module_utils.twinspark.evaluation import evaluation as _evaluation
from ansible.module_utils.twinspark.proof.json_form import ShapeError, to_json
from ansible.module_utils.twinspark.proof.values import Proof


def twinspark_eval_plan(settings: Mapping[str, Any], inspect: str, log_dir: str) -> dict[str, Any]:
    """The evaluation's commands: {{ settings | twinspark_eval_plan('/env/bin/inspect', '/logs') }}."""
    try:
        return dict(to_json(_evaluation.plan(_evaluation.Settings.from_json(settings), inspect, log_dir)))
    except ShapeError as error:
        raise AnsibleFilterError(str(error)) from error


def twinspark_eval_incomplete(proof: Mapping[str, Any] | None) -> bool:
    """Whether an evaluation lacks samples, by its standing proof: {{ gate.proof | twinspark_eval_incomplete }}."""
    return _evaluation.incomplete(Proof.from_json(proof) if proof else None)


def twinspark_bench_plan(settings: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """The benchmark's cases and commands: {{ settings | twinspark_bench_plan('/results') }}."""
    try:
        return dict(to_json(_bench.plan(_bench.Settings.from_json(settings), folder)))
    except (_bench.BenchError, ShapeError) as error:
        raise AnsibleFilterError(str(error)) from error


def twinspark_files_digest(paths: Iterable[str]) -> dict[str, str]:
    """Name to sha256 of files on the controller: what a proof is bound to, apart from where the checkout lies."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in map(Path, sorted(paths))}


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        return {
            "twinspark_eval_plan": twinspark_eval_plan,
            "twinspark_eval_incomplete": twinspark_eval_incomplete,
            "twinspark_bench_plan": twinspark_bench_plan,
            "twinspark_files_digest": twinspark_files_digest,
        }
