#!/usr/bin/python
"""Ansible module: what the owner wants of the pair, written down where its supervisor reads it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_wish
short_description: Tell the pair's supervisor to start, stop or restart it
description:
  - Writes the wish on the head. The supervisor follows it with its next look; C(twinspark_supervisor_info) says when
    it has.
  - C(start) leaves alone what runs, C(restart) takes all ranks down and up once. Either begins a new count of
    restarts.
  - Does nothing where the last wish was the same C(start) or C(stop) and the supervisor has not given up since.
options:
  verb: {description: What is wanted., type: str, choices: [start, stop, restart], required: true}
  why: {description: "Why, for the journal.", type: str, default: ""}
  folder: {description: Folder of the supervisor's state., type: path, default: /var/lib/twinspark/serve}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Restart the pair
  twinspark_wish:
    verb: restart
    why: "--max-num-seqs: 2 -> 8"
"""

RETURN = r"""
id: {description: "The wish that stands, for C(twinspark_supervisor_info).", type: str, returned: always}
"""

import json
import uuid
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.proof.foreign import json_of
from ansible.module_utils.twinspark.proof.json_form import from_json, to_json
from ansible.module_utils.twinspark.serving import supervised
from ansible.module_utils.twinspark.serving.pair import Wish
from ansible.module_utils.twinspark_host.files import write_atomically

ARGUMENTS: dict[str, Any] = {
    "verb": {"type": "str", "choices": ["start", "stop", "restart"], "required": True},
    "why": {"type": "str", "default": ""},
    "folder": {"type": "path", "default": "/var/lib/twinspark/serve"},
}


def text_of(path: Path) -> str:
    """A file's text; empty where there is none."""
    try:
        return path.read_text()
    except OSError:
        return ""


def standing(path: Path) -> Wish | None:
    """The wish that is there; None where there is none, or none that can be read, which a new one then replaces."""
    try:
        return from_json(Wish, json_of(text_of(path)), str(path))
    except ValueError:
        return None


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    folder, verb = Path(module.params["folder"]), module.params["verb"]
    old = standing(folder / "wanted.json")
    if old and not supervised.needs_wish(verb, old, supervised.said(text_of(folder / "state.json"))):
        module.exit_json(changed=False, id=old.id)
    new = Wish(id=uuid.uuid4().hex, verb=verb, why=module.params["why"])
    if not module.check_mode:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "wanted.json", json.dumps(to_json(new)) + "\n", 0o644)
    module.exit_json(changed=True, id=new.id)


if __name__ == "__main__":
    main()
