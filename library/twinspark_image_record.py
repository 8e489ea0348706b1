#!/usr/bin/python
"""Ansible module: remember a build, so that the one before it can be gone back to."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_image_record
short_description: Remember a build in the head's history of images
description:
  - Appends the build to the history, the newest last. The same build again changes nothing.
options:
  entry: {description: "The build: image, id, digest, repo, commit.", type: dict, required: true}
  record: {description: File with the history of builds., type: path, default: /var/lib/twinspark/image/history.json}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Record the build
  twinspark_image_record:
    entry: {image: "engine:0123456789ab", id: "sha256:...", digest: "sha256:...", repo: "...", commit: "..."}
"""

RETURN = r"""
history: {description: "The builds, the newest last.", type: list, elements: dict, returned: always}
previous: {description: The build before the newest; null on a first build., type: dict, returned: always}
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.image.image import Built, previous, recorded
from ansible.module_utils.twinspark.proof.json_form import ShapeError
from ansible.module_utils.twinspark_host.files import write_atomically
from ansible.module_utils.twinspark_host.history import read_history

ARGUMENTS: dict[str, Any] = {
    "entry": {"type": "dict", "required": True},
    "record": {"type": "path", "default": "/var/lib/twinspark/image/history.json"},
}


def text_of(history: list[Built]) -> str:
    """The text of the record."""
    return json.dumps([entry.to_json() for entry in history], indent=2, sort_keys=True) + "\n"


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    path = Path(module.params["record"])
    old = read_history(path)
    built = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        new = recorded(old, Built.from_json({**module.params["entry"], "built": built}))
    except ShapeError as error:
        module.fail_json(msg=f"twinspark_image_record: {error}.")
    changed = new != old
    if changed and not module.check_mode:
        write_atomically(path, text_of(new))
    diff = {"before_header": str(path), "after_header": str(path), "before": text_of(old), "after": text_of(new)}
    before = previous(new)
    module.exit_json(
        changed=changed,
        history=[entry.to_json() for entry in new],
        previous=before.to_json() if before else None,
        diff=diff if changed else {},
    )


if __name__ == "__main__":
    main()
