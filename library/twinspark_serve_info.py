#!/usr/bin/python
"""Ansible module: how one rank of the served pair is doing, and, on the head, whether the pair answers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_serve_info
short_description: How one rank is doing, and whether the pair answers
description:
  - Reads the unit, its container, its part of the journal and the memory of the host. Changes nothing.
  - Of a rank that has died it reads the kernel's log as well, of the time before the engine's last words.
  - With O(url) it asks the endpoint's health; with O(peers) it asks over ssh whether the other ranks' units live, so
    that one wait on the head ends as soon as any rank has died.
options:
  name: {description: Name of the unit and of the container., type: str, default: twinspark-vllm}
  image: {description: The image as name:tag., type: str, default: ""}
  desired: {description: Digest of what should run; only handed on., type: str, default: ""}
  url: {description: Base URL of the endpoint; empty for none., type: str, default: ""}
  peers: {description: "Other ranks: name, and ssh (argv up to the command).", type: list, elements: dict, default: []}
  lines: {description: Lines from the end of the log to return., type: int, default: 12}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Wait for the endpoint
  twinspark_serve_info:
    url: http://127.0.0.1:8000
  register: found
  until: found.serve.settled
  retries: 240
  delay: 5
"""

RETURN = r"""
serve:
  description: >-
    unit (systemd's properties), container (id, image_id, digest, pid), desired, image_id, health (status, error),
    peers (host to its unit's properties), dead (names of ranks that died), ready, settled (ready or dead), phase,
    cause (name, line, fix), log_tail, ranks, nccl, started (Unix time), ready_seconds, memory (bytes).
  type: dict
  returned: always
"""

import subprocess
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.image.docker import inspected
from ansible.module_utils.twinspark.proof.jobs import properties
from ansible.module_utils.twinspark.serving import rank as ranks
from ansible.module_utils.twinspark.serving.argv import LABEL
from ansible.module_utils.twinspark.serving.causes import cause

ARGUMENTS: dict[str, Any] = {
    "name": {"type": "str", "default": "twinspark-vllm"},
    "image": {"type": "str", "default": ""},
    "desired": {"type": "str", "default": ""},
    "url": {"type": "str", "default": ""},
    "peers": {"type": "list", "elements": "dict", "default": []},
    "lines": {"type": "int", "default": 12},
}
# The start of a log names ranks and devices, its end names the cause of a death; a served week lies between.
HEAD_LINES, TAIL_LINES = 4000, 600
# Seconds of the kernel's log before the engine's last line: a head waits five minutes for a rank that is gone.
KERNEL_SECONDS = 600
HERE = "here"


def show_argv(name: str) -> list[str]:
    """systemctl's argv for the properties that are read."""
    return ["systemctl", "show", f"{name}.service", f"--property={','.join(ranks.SHOW)}"]


def units(module: AnsibleModule) -> dict[str, dict[str, str]]:
    """The properties of every rank's unit by host; a peer that can't be asked has none but the reason."""

    def ask(peer: dict[str, Any]) -> tuple[str, dict[str, str]]:
        argv = [*peer["ssh"], *show_argv(module.params["name"])]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        return peer["name"], properties(done.stdout) if done.returncode == 0 else {"unreachable": done.stderr.strip()}

    _, out, _ = module.run_command(show_argv(module.params["name"]))
    with ThreadPoolExecutor() as pool:
        return {HERE: properties(out), **dict(pool.map(ask, module.params["peers"]))}


def journal(module: AnsibleModule, invocation: str) -> list[tuple[float, str]]:
    """Start and end of the unit's log since its last start."""
    if not invocation:
        return []
    argv = ["journalctl", "--quiet", "--no-pager", "--output=short-unix", "--no-hostname"]
    argv += [f"--unit={module.params['name']}.service", f"_SYSTEMD_INVOCATION_ID={invocation}"]
    _, first, _ = module.run_command([*argv, f"--lines=+{HEAD_LINES}"], errors="surrogate_then_replace")
    lines = ranks.journal(first)
    if len(lines) >= HEAD_LINES:
        _, last, _ = module.run_command([*argv, f"--lines={TAIL_LINES}"], errors="surrogate_then_replace")
        lines += ranks.journal(last)
    return lines


def kernel(module: AnsibleModule, lines: list[tuple[float, str]]) -> list[str]:
    """The kernel's log while the engine ran, of that the end."""
    if not lines:
        return []
    since = max(lines[0][0], lines[-1][0] - KERNEL_SECONDS)
    argv = ["journalctl", "--quiet", "--no-pager", "--output=short-unix", "--no-hostname", "--dmesg"]
    _, text, _ = module.run_command([*argv, f"--since=@{int(since)}"], errors="surrogate_then_replace")
    return [line for _, line in ranks.journal(text)]


def health(url: str) -> ranks.Health:
    """Status of /health: a sign that the server is up, never that it generates."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:  # noqa: S310 - http, from the role
            return ranks.Health(answer.status)
    except urllib.error.HTTPError as error:
        return ranks.Health(error.code, str(error))
    except (OSError, ValueError) as error:
        return ranks.Health(None, str(error))


def docker(module: AnsibleModule) -> tuple[ranks.Container | None, str]:
    """The container of the rank, and the ID of the image under the wanted name."""
    if not module.get_bin_path("docker"):
        return None, ""
    code, out, _ = module.run_command(["docker", "container", "inspect", module.params["name"]])
    found = ranks.container(out, LABEL) if code == 0 else None
    code, out, _ = module.run_command(["docker", "image", "inspect", module.params["image"]])
    image = inspected(out) if code == 0 else None
    return found, image.id if image else ""


def look(module: AnsibleModule) -> ranks.Rank:
    """Everything about the rank of this host."""
    params = module.params
    known = units(module)
    mine = known.pop(HERE)
    lines = journal(module, mine.get("InvocationID", ""))
    text = [line for _, line in lines]
    found, image_id = docker(module)
    answer = health(params["url"]) if params["url"] else ranks.Health(None)
    dead = tuple(host for host, unit in {HERE: mine, **known}.items() if ranks.dead(unit))
    ready = answer.status == 200 and not dead
    started, ready_at = ranks.milestones(lines)
    return ranks.Rank(
        unit=mine,
        container=found,
        desired=params["desired"],
        image_id=image_id,
        health=answer,
        peers=known,
        dead=dead,
        ready=ready,
        settled=ready or bool(dead),
        phase=ranks.phase(text, mine),
        cause=cause(text, kernel(module, lines) if HERE in dead else ()),
        log_tail=tuple(text[-params["lines"] :]),
        ranks=ranks.named(text),
        nccl=ranks.nccl(text),
        started=started,
        ready_seconds=round(ready_at - started, 1) if ready_at and started else None,
        memory=ranks.meminfo(Path("/proc/meminfo").read_text()),
    )


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    module.exit_json(changed=False, serve=look(module).to_json())


if __name__ == "__main__":
    main()
