#!/usr/bin/python
"""Ansible module: what a benchmark of the service measured."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_bench_info
short_description: What a benchmark of the service measured
description:
  - Reads vLLM's results, the engine's log lines and the power samples of every case in a plan, and judges them.
  - Where there is no plan yet, as in check mode on a bare host, O(ignore:found) is false.
options:
  plan: {description: The plan that the benchmark ran., type: path, required: true}
  published: {description: "Published figures, each label, rate (tokens/s), source.", type: list, elements: dict,
              default: []}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Read the figures
  twinspark_bench_info:
    plan: /var/lib/twinspark/benchmark/plan-0123456789ab.json
"""

RETURN = r"""
found: {description: Whether any case was measured., type: bool, returned: always}
judgement: {description: "measurements, verdicts and evidence, as twinspark_proof takes them.", type: dict,
            returned: when found}
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.evaluation import bench_result

ARGUMENTS: dict[str, Any] = {
    "plan": {"type": "path", "required": True},
    "published": {"type": "list", "elements": "dict", "default": []},
}


def text(path: Path) -> str:
    """A file's text, empty when there is none."""
    return path.read_text(errors="replace") if path.is_file() else ""


def read_case(folder: Path, case: dict[str, Any]) -> dict[str, Any]:
    """One case of the plan, with all that was kept of it."""
    slug = case["slug"]
    return {
        "label": case["label"],
        "concurrency": case["concurrency"],
        "prompts": case["prompts"],
        "result": json.loads(text(folder / f"{slug}.json") or "{}"),
        "engine_log": text(folder / f"{slug}.engine.log").splitlines(),
        "power": bench_result.power(text(folder / f"{slug}.power.csv")),
    }


def files_of(folder: Path, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Path and sha256 of every result."""
    paths = [folder / f"{case['slug']}.json" for case in cases]
    return [
        {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in paths if path.is_file()
    ]


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    try:
        plan = json.loads(text(Path(module.params["plan"])) or "{}")
        folder = Path(plan.get("folder", ""))
        cases = [read_case(folder, case) for case in plan.get("cases", [])]
    except (ValueError, KeyError) as error:
        module.fail_json(msg=f"benchmark: {module.params['plan']} or a result beside it can't be read: {error!r}.")
    if not any(case["result"] for case in cases):
        module.exit_json(changed=False, found=False)
    judgement = bench_result.judge(cases, module.params["published"])
    judgement["evidence"]["files"] = files_of(folder, plan["cases"])
    module.exit_json(changed=False, found=True, judgement=judgement)


if __name__ == "__main__":
    main()
