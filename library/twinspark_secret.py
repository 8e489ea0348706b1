#!/usr/bin/python
"""Ansible module: a secret that lives for one task of the hosts among themselves."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_secret
short_description: Keep a short-lived secret in a file of mode 0600
description:
  - Makes a random secret where there is none, or keeps a given one. Use with C(no_log) on the task.
options:
  path: {description: The file., type: path, required: true}
  value: {description: "The secret. Default: what lies there, else a random one.", type: str, default: ""}
  owner: {description: Owner of the file., type: str, default: root}
  state: {description: Whether it should be there., type: str, choices: [present, absent], default: present}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Create the secret
  twinspark_secret:
    path: /run/twinspark/secret
  no_log: true
"""

RETURN = r"""
secret: {description: The secret., type: str, returned: when present}
"""

import secrets
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark_host.files import write_atomically

ARGUMENTS: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "value": {"type": "str", "default": "", "no_log": True},
    "owner": {"type": "str", "default": "root"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    params = module.params
    path = Path(params["path"])
    old = path.read_text() if path.is_file() else ""
    if params["state"] == "absent":
        if old and not module.check_mode:
            path.unlink(missing_ok=True)
        module.exit_json(changed=bool(old))
    secret = params["value"] or old.strip() or secrets.token_urlsafe(32)
    text = f"{secret}\n"
    if text != old and not module.check_mode:
        write_atomically(path, text, 0o600)
        shutil.chown(path, user=params["owner"])
    module.exit_json(changed=text != old, secret=secret)


if __name__ == "__main__":
    main()
