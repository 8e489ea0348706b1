#!/usr/bin/python
"""Ansible module: refuse to go on, in one sentence, before anything was changed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_refusal
short_description: Refuse to go on
description:
  - Fails where there is anything that speaks against going on, as a gate does (exit code 3 of C(twinspark)). Changes
    nothing.
options:
  what: {description: What is refused., type: str, required: true}
  problems: {description: "What speaks against it, one clause each.", type: list, elements: str, required: true}
  fix: {description: What to do about it., type: str, default: ""}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Verify that the image is there
  twinspark_refusal:
    what: rollback
    problems: ["the image is gone on spark2"]
"""

RETURN = r"""
msg: {description: "What is refused, why, and what to do.", type: str, returned: on failure}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

ARGUMENTS: dict[str, Any] = {
    "what": {"type": "str", "required": True},
    "problems": {"type": "list", "elements": "str", "required": True},
    "fix": {"type": "str", "default": ""},
}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    problems = module.params["problems"]
    if problems:
        fix = f" Fix: {module.params['fix']}." if module.params["fix"] else ""
        module.fail_json(msg=f"{module.params['what']} refused: {'; '.join(problems)}. Nothing was changed.{fix}")
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
