"""Filters of the image and serve roles: thin. The functions are in module_utils, where the unit tests reach them."""

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

from ansible.module_utils.twinspark.image import image as _image
from ansible.module_utils.twinspark.network import rail_ssh as _ssh
from ansible.module_utils.twinspark.serving import argv as _engine
from ansible.module_utils.twinspark.serving import serve as _serve


def twinspark_image_build(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Name, argv, inputs and digest of a build: {{ {name, repo, commit, argv, sources} | twinspark_image_build }}."""
    try:
        build = _image.Build(**settings)
        return {
            "image": build.image,
            "argv": build.build_argv(),
            "inputs": build.inputs(),
            "digest": build.digest(),
        }
    except (_image.ImageError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"the image's settings: {error}") from error


def twinspark_image_reasons(
    settings: Mapping[str, Any], present_id: str, history: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Why the head has to build: {{ settings | twinspark_image_reasons(id, history) }}."""
    return _image.build_reasons(_image.Build(**settings), present_id or None, history)


def twinspark_image_verdicts(ids: Mapping[str, str], head: str) -> list[dict[str, Any]]:
    """One verdict a host: {{ {host: id} | twinspark_image_verdicts(head) }}."""
    return _image.verdicts(head, {host: image_id or None for host, image_id in ids.items()})


def twinspark_image_measurements(copies: Sequence[Mapping[str, Any]], image: str, built: Any) -> list[dict[str, Any]]:
    """Figures of a build and its copies: {{ copies | twinspark_image_measurements(name, seconds of the build) }}."""
    return _image.measurements(image, float(built) if built else None, copies)


def twinspark_serve_plan(settings: Mapping[str, Any], entry: Mapping[str, Any], ranks: int) -> dict[str, Any]:
    """Unit, environment and digest of one host: {{ settings | twinspark_serve_plan(twinspark_me, ranks) }}."""
    try:
        return _engine.plan(settings, entry, ranks)
    except (_engine.EngineError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"the engine's settings: {error}") from error


def twinspark_serve_inputs(settings: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the proof is bound to: {{ settings | twinspark_serve_inputs(twinspark_fabric) }}."""
    try:
        return _engine.inputs(settings, entries)
    except (_engine.EngineError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"the engine's settings: {error}") from error


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        return {
            "twinspark_image_build": twinspark_image_build,
            "twinspark_image_reasons": twinspark_image_reasons,
            "twinspark_image_verdicts": twinspark_image_verdicts,
            "twinspark_image_measurements": twinspark_image_measurements,
            "twinspark_ssh_argv": _ssh.peers,
            "twinspark_endpoint_url": _serve.endpoint_url,
            "twinspark_serve_plan": twinspark_serve_plan,
            "twinspark_serve_inputs": twinspark_serve_inputs,
            "twinspark_serve_measurements": _serve.measurements,
            "twinspark_serve_evidence": _serve.evidence,
            "twinspark_serve_reasons": _serve.restart_reasons,
            "twinspark_serve_memory": _serve.memory_verdict,
            "twinspark_serve_verdicts": _serve.verdicts,
        }
