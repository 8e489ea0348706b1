"""Filters of the image and serve roles: thin. The functions are in module_utils, where the unit tests reach them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ansible.module_utils
from ansible.errors import AnsibleFilterError

# The controller imports filters by path: this checkout's module_utils joins the package by hand.
_MODULE_UTILS = str(Path(__file__).resolve().parent.parent / "module_utils")
if _MODULE_UTILS not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(_MODULE_UTILS)

from ansible.module_utils.twinspark.image import image as _image
from ansible.module_utils.twinspark.inventory.fabric import Host
from ansible.module_utils.twinspark.network import rail_ssh as _ssh
from ansible.module_utils.twinspark.proof.json_form import ShapeError, read, to_json
from ansible.module_utils.twinspark.proof.values import sentence
from ansible.module_utils.twinspark.serving import argv as _engine
from ansible.module_utils.twinspark.serving import serve as _serve
from ansible.module_utils.twinspark.serving.canary import Canary
from ansible.module_utils.twinspark.serving.rank import Memory, Rank


def refusing(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as a filter: what is wrong in its values is one sentence, and its own values leave as JSON."""

    @functools.wraps(function)
    def told(*given: Any) -> Any:
        try:
            return to_json(function(*given))
        except (ShapeError, _image.ImageError, _engine.EngineError) as error:
            raise AnsibleFilterError(f"{what}: {error}") from error

    return told


def twinspark_image_build(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Name, argv, inputs and digest of a build: {{ {name, repo, commit, argv, sources} | twinspark_image_build }}."""
    build = _image.Build.from_json(settings)
    return {"image": build.image, "argv": build.build_argv(), "inputs": build.inputs(), "digest": build.digest()}


def twinspark_image_reasons(
    settings: Mapping[str, Any], present_id: str, history: Sequence[Mapping[str, Any]]
) -> list[_image.Reason]:
    """Why the head has to build: {{ settings | twinspark_image_reasons(id, history) }}."""
    made = read(tuple[_image.Built, ...], history, "history")
    return _image.build_reasons(_image.Build.from_json(settings), present_id or None, made)


def twinspark_image_verdicts(ids: Mapping[str, str], head: str) -> list[Any]:
    """One verdict a host: {{ {host: id} | twinspark_image_verdicts(head) }}."""
    return _image.verdicts(head, {host: image_id or None for host, image_id in ids.items()})


def twinspark_image_measurements(copies: Sequence[Mapping[str, Any]], image: str, built: float | None) -> list[Any]:
    """Figures of a build and its copies: {{ copies | twinspark_image_measurements(name, seconds of the build) }}."""
    told = read(tuple[_image.Copy, ...], copies, "copies")
    return _image.measurements(image, float(built) if built else None, told)


def twinspark_serve_plan(settings: Mapping[str, Any], entry: Mapping[str, Any], ranks: int) -> _engine.RankPlan:
    """Command, environment and digest of one host: {{ settings | twinspark_serve_plan(twinspark_me, ranks) }}."""
    return _engine.plan(_engine.Engine.from_json(settings), Host.from_json(entry), ranks)


def twinspark_serve_inputs(settings: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> _engine.Inputs:
    """What the proof is bound to: {{ settings | twinspark_serve_inputs(twinspark_fabric) }}."""
    return _engine.inputs(_engine.Engine.from_json(settings), read(tuple[Host, ...], entries, "fabric"))


def twinspark_serve_memory(
    host: str, memory: Mapping[str, int], utilization: float | None, memory_gib: float | None
) -> dict[str, Any]:
    """The verdict on a host's memory before a start, and its sentence: {{ host | twinspark_serve_memory(...) }}."""
    verdict = _serve.memory_verdict(host, read(Memory, memory, "memory"), utilization, memory_gib)
    return {**verdict.to_json(), "sentence": sentence(verdict)}


def ranks_of(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Rank]:
    """What the hosts showed, by host."""
    return {host: Rank.from_json(rank, f"rank on {host}") for host, rank in found.items()}


def twinspark_serve_reasons(
    hosts: Sequence[str], found: Mapping[str, Mapping[str, Any]], canary: Mapping[str, Any]
) -> list[_serve.Reason]:
    """Why the pair must be restarted: {{ hosts | twinspark_serve_reasons(host to rank, canary) }}."""
    return _serve.restart_reasons(hosts, ranks_of(found), Canary.from_json(canary))


def twinspark_serve_proof(
    hosts: Sequence[str], found: Mapping[str, Mapping[str, Any]], canary: Mapping[str, Any], rdma: bool
) -> dict[str, Any]:
    """Verdicts, measurements and ranks of a proof: {{ hosts | twinspark_serve_proof(host to rank, canary, rdma) }}."""
    seen, heard = ranks_of(found), Canary.from_json(canary)
    return {
        "verdicts": _serve.verdicts(hosts, seen, heard, rdma),
        "measurements": _serve.measurements(hosts, seen, heard),
        "ranks": _serve.evidence(hosts, seen),
    }


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        image, serve = "the image's settings", "the engine's settings"
        return {
            "twinspark_image_build": refusing(image, twinspark_image_build),
            "twinspark_image_reasons": refusing(image, twinspark_image_reasons),
            "twinspark_image_verdicts": refusing(image, twinspark_image_verdicts),
            "twinspark_image_measurements": refusing(image, twinspark_image_measurements),
            "twinspark_ssh_argv": _ssh.peers,
            "twinspark_endpoint_url": _serve.endpoint_url,
            "twinspark_unit_word": _engine.unit_word,
            "twinspark_serve_plan": refusing(serve, twinspark_serve_plan),
            "twinspark_serve_inputs": refusing(serve, twinspark_serve_inputs),
            "twinspark_serve_memory": refusing(serve, twinspark_serve_memory),
            "twinspark_serve_reasons": refusing(serve, twinspark_serve_reasons),
            "twinspark_serve_proof": refusing(serve, twinspark_serve_proof),
        }
