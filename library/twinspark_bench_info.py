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

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.evaluation import bench_result
from ansible.module_utils.twinspark.proof.foreign import json_of
from ansible.module_utils.twinspark.proof.json_form import ShapeError, from_json, read, to_json

ARGUMENTS: dict[str, Any] = {
    "plan": {"type": "path", "required": True},
    "published": {"type": "list", "elements": "dict", "default": []},
}


def text(path: Path) -> str:
    """A file's text, empty when there is none."""
    return path.read_text(errors="replace") if path.is_file() else ""


@dataclass(frozen=True, slots=True)
class Case:
    """What is read here of a case in the plan."""

    label: str
    slug: str
    concurrency: int
    prompts: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read here of the plan."""

    folder: str
    cases: tuple[Case, ...]


def read_case(folder: Path, case: Case) -> bench_result.Measured:
    """One case of the plan, with all that was kept of it."""
    result = text(folder / f"{case.slug}.json")
    return bench_result.Measured(
        label=case.label,
        concurrency=case.concurrency,
        prompts=case.prompts,
        result=bench_result.Result.from_json(json_of(result), f"{case.slug}.json") if result else None,
        engine_log=text(folder / f"{case.slug}.engine.log").splitlines(),
        power=bench_result.power(text(folder / f"{case.slug}.power.csv")),
    )


def files_of(plan: Plan) -> list[dict[str, str]]:
    """Path and sha256 of every result."""
    paths = [Path(plan.folder) / f"{case.slug}.json" for case in plan.cases]
    return [
        {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in paths if path.is_file()
    ]


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    told = text(Path(module.params["plan"]))
    try:
        plan = from_json(Plan, json_of(told), "plan") if told else Plan("", ())
        cases = [read_case(Path(plan.folder), case) for case in plan.cases]
        published = read(tuple[bench_result.Published, ...], module.params["published"], "published")
    except (ValueError, ShapeError) as error:
        module.fail_json(msg=f"benchmark: {module.params['plan']} or a result beside it can't be read: {error}.")
    if not any(case.result for case in cases):
        module.exit_json(changed=False, found=False)
    found = bench_result.judge(cases, published)
    found = dataclasses.replace(found, evidence={**found.evidence, "files": files_of(plan)})
    module.exit_json(changed=False, found=True, judgement=to_json(found))


if __name__ == "__main__":
    main()
