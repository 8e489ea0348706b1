#!/usr/bin/python
"""Ansible module: keep a state in which the pair has passed, or put its files back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_kept
short_description: Keep a state in which the pair has passed, or put its files back
description:
  - With O(state=kept) it records the files as they are, under the digest of the proof that passed. Two states are kept,
    the last and the one before; the same state again changes only what differs.
  - With O(state=restored) it makes every file of O(files) what it was in the state O(id). A file that the state did not
    have is removed. What is kept stays as it is.
  - The record is root's alone (0600), since a rank's environment is in it.
options:
  state: {description: "What to do.", type: str, choices: [kept, restored], required: true}
  id: {description: "Digest of the inputs of the state's proof.", type: str, required: true}
  files: {description: Paths of the files that make a state., type: list, elements: path, required: true}
  written: {description: When the proof was written., type: str, default: ""}
  image: {description: ID of the image., type: str, default: ""}
  snapshot: {description: Folder of the weights on this host., type: str, default: ""}
  url: {description: Base URL of the endpoint., type: str, default: ""}
  model: {description: The model's name at the endpoint., type: str, default: ""}
  plan: {description: What this host runs; its environment is taken from O(environment)., type: dict, default: {}}
  environment: {description: "Of O(files), the rank's environment.", type: path, default: ""}
  proof: {description: File of the proof; empty on a host that has none., type: str, default: ""}
  path: {description: The record., type: path, default: /var/lib/twinspark/serve/kept.json}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Restore the files of the state before
  twinspark_kept:
    state: restored
    id: sha256:0f...
    files: [/etc/systemd/system/twinspark-vllm.service, /etc/twinspark/vllm.env]
"""

RETURN = r"""
written: {description: Paths of the files that were made what they were., type: list, elements: str, returned: always}
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.proof.foreign import json_of
from ansible.module_utils.twinspark.proof.json_form import ShapeError, from_json
from ansible.module_utils.twinspark.serving import kept
from ansible.module_utils.twinspark_host import kept as store

ARGUMENTS: dict[str, Any] = {
    "state": {"type": "str", "choices": ["kept", "restored"], "required": True},
    "id": {"type": "str", "required": True},
    "files": {"type": "list", "elements": "path", "required": True},
    "written": {"type": "str", "default": ""},
    "image": {"type": "str", "default": ""},
    "snapshot": {"type": "str", "default": ""},
    "url": {"type": "str", "default": ""},
    "model": {"type": "str", "default": ""},
    "plan": {"type": "dict", "default": {}},
    "environment": {"type": "path", "default": ""},
    "proof": {"type": "str", "default": ""},
    "path": {"type": "path", "default": "/var/lib/twinspark/serve/kept.json"},
}


def present(params: dict[str, Any]) -> kept.Kept:
    """The state of now. Raises ShapeError, OSError."""
    files = store.files(params["files"])
    env = files.get(params["environment"])
    plan = {**params["plan"], "env": kept.environment(env.text if env else "")}
    proof = json_of(Path(params["proof"]).read_text()) if params["proof"] else None
    given = {key: params[key] for key in ("id", "written", "image", "snapshot", "url", "model")}
    return from_json(kept.Kept, {**given, "plan": plan, "files": files, "proof": proof}, "state")


def standing(path: str) -> tuple[kept.Kept, ...]:
    """What is kept; nothing where it can't be read, since the state of now then begins anew."""
    try:
        return store.load(path)
    except ShapeError:
        return ()


def keep(module: AnsibleModule) -> None:
    """Record the state of now."""
    params = module.params
    old = standing(params["path"])
    if module.check_mode and (not old or old[0].id != params["id"]):
        module.exit_json(changed=True, written=[])  # its files may not be there yet
    try:
        new = kept.keep(old, present(params))
    except (ShapeError, OSError, ValueError) as error:
        module.fail_json(msg=f"The state that passed can't be kept for a way back: {error}.")
    if new != old and not module.check_mode:
        store.save(params["path"], new)
    module.exit_json(changed=new != old, written=[])


def restore(module: AnsibleModule) -> None:
    """Put the files back."""
    params = module.params
    try:
        found = {state.id: state for state in store.load(params["path"])}
    except ShapeError as error:
        module.fail_json(msg=f"The kept states can't be read: {error}.")
    state = found.get(params["id"])
    if state is None:
        module.fail_json(msg=f"The state {params['id']} was not kept here. Nothing was changed.")
    now = store.files(params["files"])
    differ = [path for path in params["files"] if now.get(path) != state.files.get(path)]
    for path in differ if not module.check_mode else ():
        store.restore(path, state.files.get(path))
    # An environment may hold what not everybody is to see.
    shown = [path for path in differ if not path.endswith(".env")]
    module.exit_json(
        changed=bool(differ),
        written=differ,
        diff=[
            {
                "before_header": path,
                "after_header": path,
                "before": now[path].text if path in now else "",
                "after": state.files[path].text if path in state.files else "",
            }
            for path in shown
        ],
    )


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    {"kept": keep, "restored": restore}[module.params["state"]](module)


if __name__ == "__main__":
    main()
