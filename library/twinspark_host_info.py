#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""What every stage asks of a host first: which boot it is in, and as whom Ansible is there."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_host_info
short_description: Read the boot ID of a host and the user of the connection
description:
  - One round trip for both. Changes nothing.
options:
  boot_id_path:
    description: File that tells one boot from another.
    type: path
    default: /proc/sys/kernel/random/boot_id
attributes:
  check_mode: {support: full, description: It is read-only.}
  diff_mode: {support: none, description: Nothing changes.}
author: twinspark
"""

EXAMPLES = r"""
- name: Read the boot ID
  twinspark_host_info:
  register: host
"""

RETURN = r"""
boot_id: {description: The boot ID., type: str, returned: success}
uid: {description: Effective user ID of the connection; 0 is root., type: int, returned: success}
"""

import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

ARGUMENTS: dict[str, Any] = {"boot_id_path": {"type": "path", "default": "/proc/sys/kernel/random/boot_id"}}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    path = Path(module.params["boot_id_path"])
    try:
        boot_id = path.read_text().strip()
    except OSError as error:
        module.fail_json(msg=f"{path} can't be read ({error.strerror}): correct twinspark_boot_id_path.")
    module.exit_json(changed=False, boot_id=boot_id, uid=os.geteuid())


if __name__ == "__main__":
    main()
