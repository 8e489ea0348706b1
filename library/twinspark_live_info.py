#!/usr/bin/python
"""Ansible module: one host of the pair at this moment, and on the head its engine and its supervisor, too."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_live_info
short_description: The served pair at this moment
description:
  - Reads the host's memory and what nvidia-smi tells of its GPUs. With O(url), on the head, it reads the engine's
    counters twice, O(seconds) apart, and what the supervisor says.
  - Changes nothing. A figure that nothing gives is null, and C(told) says so in words.
options:
  url: {description: Base URL of the endpoint; empty on all hosts but the head., type: str, default: ""}
  seconds: {description: Seconds between the two looks at the engine's counters., type: float, default: 4}
  folder: {description: Folder of the supervisor's state., type: path, default: /var/lib/twinspark/serve}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Read the pair at this moment
  twinspark_live_info:
    url: http://127.0.0.1:8000
  register: live
"""

RETURN = r"""
live:
  description: >-
    memory (total and available, bytes), gpus (power_watts, sm_clock_mhz, temperature_celsius, utilization_percent),
    gpu_problem, engine (seconds, generated_tokens_per_second, prompt_tokens_per_second, running_requests,
    waiting_requests, kv_cache_used_percent, problem) and supervised (as C(twinspark_supervisor_info) has it).
  type: dict
  returned: always
told: {description: "The same in words, a sentence a thing.", type: list, elements: str, returned: always}
"""

import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.serving import live, rank, supervised

ARGUMENTS: dict[str, Any] = {
    "url": {"type": "str", "default": ""},
    "seconds": {"type": "float", "default": 4},
    "folder": {"type": "path", "default": "/var/lib/twinspark/serve"},
}
MEMINFO = Path("/proc/meminfo")
SMI_SECONDS = 10


def memory() -> rank.Memory | None:
    """The host's; None where the kernel does not tell."""
    try:
        return rank.meminfo(MEMINFO.read_text())
    except (OSError, KeyError, ValueError):
        return None


def gpus() -> tuple[tuple[live.Gpu, ...], str]:
    """What nvidia-smi tells, or why it tells nothing."""
    tool = shutil.which("nvidia-smi")
    if not tool:
        return (), "nvidia-smi is not installed"
    argv = [tool, f"--query-gpu={','.join(live.QUERY)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=SMI_SECONDS)
    except subprocess.TimeoutExpired:
        return (), f"nvidia-smi gave no answer within {SMI_SECONDS} s"
    found = live.gpus(done.stdout) if done.returncode == 0 else ()
    said = " ".join((done.stderr.strip() or done.stdout.strip()).split())[:200] or "nothing"
    return found, "" if found else f"nvidia-smi said: {said}"


def counts(url: str) -> live.Counts | None:
    """What the engine counts; None where it does not answer."""
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:  # noqa: S310 - http, from the role
            return live.counts(answer.read().decode(errors="replace"))
    except (OSError, ValueError):
        return None


def engine(url: str, seconds: float) -> live.Engine:
    """Two looks, so many seconds apart; one that does not answer at first is not waited for."""
    before, began = counts(url), time.monotonic()
    if before is None:
        return live.engine(None, None, 0)
    time.sleep(max(0.1, seconds))
    after, took = counts(url), time.monotonic() - began
    return live.engine(before, after, took)


def supervisor(folder: str) -> supervised.Supervised:
    """What it says; `absent` where it has written nothing."""
    path = Path(folder) / "state.json"
    return supervised.said(path.read_text() if path.exists() else "")


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    url = module.params["url"]
    found, problem = gpus()
    seen = live.Live(
        memory=memory(),
        gpus=found,
        gpu_problem=problem,
        engine=engine(url, module.params["seconds"]) if url else None,
        supervised=supervisor(module.params["folder"]) if url else None,
    )
    module.exit_json(changed=False, live=seen.to_json(), told=live.told(seen, time.time()))


if __name__ == "__main__":
    main()
