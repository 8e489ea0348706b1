#!/usr/bin/python
"""Ansible module: a real completion, counted in the tokens that the engine itself says it made."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_canary
short_description: Ask the served model one question, and believe tokens only
description:
  - Sends one chat completion and judges it by C(usage), the time, and optionally a word of the answer. The health of
    the server says nothing, since it stays 200 while generation hangs.
  - Counts what crossed each rail meanwhile, as evidence that the other rank took part. RDMA does not show in a
    network interface's counters, so the device's own are read as well.
  - Changes nothing, never fails; C(canary.ok) is the answer. A completion is made in check mode, too.
options:
  url: {description: Base URL of the endpoint., type: str, required: true}
  model: {description: Served name., type: str, required: true}
  prompt: {description: The question., type: str, required: true}
  expect: {description: Word that the answer must hold; empty for none., type: str, default: ""}
  max_tokens: {description: Length of the answer., type: int, default: 32}
  min_tokens: {description: Tokens that count as alive., type: int, default: 1}
  timeout: {description: Seconds within which the answer must be there., type: int, default: 120}
  rails: {description: Rails of this host as the fabric has them., type: list, elements: dict, default: []}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Read the canary's answer
  twinspark_canary:
    url: http://127.0.0.1:8000
    model: deepseek-v4-flash
    prompt: What is the capital of France?
  register: heard
"""

RETURN = r"""
canary:
  description: >-
    ok, error, tokens, prompt_tokens, seconds, tokens_per_second, text, finish, wanted (min_tokens, timeout, expect),
    and rails (name to bytes received, sent, rdma_received, rdma_sent). Figures are null where nothing answered. Without
    an answer also requests (that the engine holds) and counted (how much its counters of work rose meanwhile).
  type: dict
  returned: always
answer: {description: "The whole answer, without what the model thought before.", type: str, returned: always}
"""

import dataclasses
import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.inventory.fabric import Rail
from ansible.module_utils.twinspark.proof.foreign import json_of
from ansible.module_utils.twinspark.proof.json_form import ShapeError, read
from ansible.module_utils.twinspark.serving import canary, vitals
from ansible.module_utils.twinspark.serving.pair import Counters

ARGUMENTS: dict[str, Any] = {
    "url": {"type": "str", "required": True},
    "model": {"type": "str", "required": True},
    "prompt": {"type": "str", "required": True},
    "expect": {"type": "str", "default": ""},
    "max_tokens": {"type": "int", "default": 32},
    "min_tokens": {"type": "int", "default": 1},
    "timeout": {"type": "int", "default": 120},
    "rails": {"type": "list", "elements": "dict", "default": []},
}


def read_counters(rails: tuple[Rail, ...]) -> dict[str, dict[str, int]]:
    """Every rail's counters in bytes; one that the host does not have is left out."""
    found: dict[str, dict[str, int]] = {}
    for rail in rails:
        found[rail.name] = {}
        for name, (path, scale) in canary.counters(rail).items():
            try:
                found[rail.name][name] = int(Path(path).read_text()) * scale
            except (OSError, ValueError):
                continue
    return found


def counters(url: str) -> Counters | None:
    """What the engine counts; None where it does not tell."""
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:  # noqa: S310 - http, from the role
            return vitals.counters(answer.read().decode(errors="replace"))
    except (OSError, ValueError):
        return None


def ask(params: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The parsed answer, or an empty one and the error."""
    headers = {"Content-Type": "application/json"}
    try:
        body = json.dumps(canary.request(params["model"], params["prompt"], params["max_tokens"])).encode()
        question = urllib.request.Request(f"{params['url']}/v1/chat/completions", body, headers)  # noqa: S310
        with urllib.request.urlopen(question, timeout=params["timeout"]) as answer:  # noqa: S310
            return dict(json_of(answer.read())), ""
    except urllib.error.HTTPError as error:
        return {}, f"HTTP {error.code}: {error.read(400).decode(errors='replace').strip()}"
    except TimeoutError:
        return {}, f"no answer within {params['timeout']} s"
    except (OSError, ValueError, TypeError) as error:
        return {}, str(getattr(error, "reason", error))


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    params = module.params
    try:
        rails = read(tuple[Rail, ...], params["rails"], "rails")
    except ShapeError as error:
        module.fail_json(msg=f"twinspark_canary: {error}.")
    before = read_counters(rails)
    worked, began = counters(params["url"]), time.monotonic()
    answer, error_text = ask(params)
    seconds = time.monotonic() - began
    working = counters(params["url"]) if error_text else None
    wanted = canary.Wanted(params["min_tokens"], params["timeout"], params["expect"])
    judged = canary.judge(answer, error_text, seconds, wanted)
    judged = dataclasses.replace(judged, rails=canary.moved(before, read_counters(rails)))
    if worked and working:
        judged = dataclasses.replace(judged, requests=working.held, counted=working.work - worked.work)
    module.exit_json(changed=False, canary=judged.to_json(), answer=canary.content(answer))


if __name__ == "__main__":
    main()
