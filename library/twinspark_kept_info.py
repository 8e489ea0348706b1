#!/usr/bin/python
"""Ansible module: in which states the pair has passed that this host can go back to."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_kept_info
short_description: In which states the pair has passed that this host can go back to
description:
  - Reads what C(twinspark_kept) has kept, and whether the files and the weights of each state are there. Changes
    nothing.
options:
  files: {description: Paths of the files that make a state., type: list, elements: path, required: true}
  path: {description: The record., type: path, default: /var/lib/twinspark/serve/kept.json}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Read the kept states
  twinspark_kept_info:
    files: [/etc/systemd/system/twinspark-vllm.service, /etc/twinspark/vllm.env]
  register: found
"""

RETURN = r"""
found:
  description: >-
    kept (the last state first: id, written, image, snapshot, url, model, plan, installed, lacks, proof), error (why the
    record can't be read).
  type: dict
  returned: always
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.proof.json_form import ShapeError, to_json
from ansible.module_utils.twinspark.serving.kept import Found, Kept, State
from ansible.module_utils.twinspark_host import kept as store

ARGUMENTS: dict[str, Any] = {
    "files": {"type": "list", "elements": "path", "required": True},
    "path": {"type": "path", "default": "/var/lib/twinspark/serve/kept.json"},
}


def told(state: Kept, installed: bool) -> State:
    """A kept state, without its files."""
    return State(
        id=state.id,
        written=state.written,
        image=state.image,
        snapshot=state.snapshot,
        url=state.url,
        model=state.model,
        plan=state.plan,
        installed=installed,
        lacks=store.lacks(state.snapshot),
        proof=state.proof,
    )


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    now = store.files(module.params["files"])
    try:
        kept = store.load(module.params["path"])
    except ShapeError as error:
        module.exit_json(changed=False, found=to_json(Found(error=str(error))))
    found = Found(tuple(told(state, dict(state.files) == now) for state in kept))
    module.exit_json(changed=False, found=to_json(found))


if __name__ == "__main__":
    main()
