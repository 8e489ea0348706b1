#!/usr/bin/python
"""Ansible module: a user's own key pair for the peers, and the public halves that go to them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_peer_key
short_description: Ensure a host has its own key pair, and return the public keys of the pair and of the host
description:
  - Makes an Ed25519 pair for one user when there is none. The private half never leaves the host, nor this module.
  - Repairs a public half that is missing or does not belong to the private one, and modes and owners.
options:
  user: {description: User that owns the pair., type: str, required: true}
  path: {description: File of the private half; C(~) is the user's home., type: str, default: ~/.ssh/twinspark_ed25519}
  comment: {description: Comment in the public half., type: str, default: twinspark}
  state: {description: "Whether the pair is there; C(read) only tells of it, and of the host's keys.", type: str,
          choices: [present, absent, read], default: present}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Ensure the host has a key pair
  twinspark_peer_key: {user: spark, comment: twinspark@spark1}
"""

RETURN = r"""
public_key: {description: The public half; empty in check mode while there is none., type: str, returned: always}
host_keys: {description: The host's own public keys., type: list, returned: always}
home: {description: The user's home., type: str, returned: always}
"""

import os
import pwd
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark_host.files import write_atomically

ARGUMENTS: dict[str, Any] = {
    "user": {"type": "str", "required": True},
    "path": {"type": "str", "default": "~/.ssh/twinspark_ed25519"},
    "comment": {"type": "str", "default": "twinspark"},
    "state": {"type": "str", "choices": ["present", "absent", "read"], "default": "present"},
}


def host_keys() -> list[str]:
    """The public keys that this host's sshd shows."""
    found = [path.read_text().strip() for path in sorted(Path("/etc/ssh").glob("ssh_host_*_key.pub"))]
    return [" ".join(key.split()[:2]) for key in found if key]


def own(path: Path, user: pwd.struct_passwd, mode: int, check: bool) -> bool:
    """Give the file or folder to the user with this mode. Whether that changed it."""
    now = path.stat()
    if (now.st_uid, now.st_gid, now.st_mode & 0o7777) == (user.pw_uid, user.pw_gid, mode):
        return False
    if not check:
        os.chown(path, user.pw_uid, user.pw_gid)
        path.chmod(mode)
    return True


def remove(module: AnsibleModule, private: Path, public: Path) -> bool:
    """Remove the pair. Whether there was one."""
    there = [path for path in (private, public) if path.exists()]
    for path in there if not module.check_mode else []:
        path.unlink()
    return bool(there)


def make(module: AnsibleModule, private: Path, public: Path, user: pwd.struct_passwd) -> bool:
    """Make what is missing of the pair. Whether anything was."""
    check = module.check_mode
    if not private.exists():
        if not check:
            private.parent.mkdir(mode=0o700, exist_ok=True)
            own(private.parent, user, 0o700, check)
            argv = [
                "ssh-keygen",
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-C",
                module.params["comment"],
                "-f",
                str(private),
            ]
            module.run_command(argv, check_rc=True)
            own(private, user, 0o600, check)
            own(public, user, 0o644, check)
        return True
    changed = own(private, user, 0o600, check)  # first: ssh-keygen does not read a key that others can read
    code, out, err = module.run_command(["ssh-keygen", "-y", "-P", "", "-f", str(private)])
    if code and not changed:
        module.fail_json(
            msg=f"{private} is not a private key without a passphrase ({err.strip()}): move it away and run again."
        )
    half = f"{' '.join(out.split()[:2])} {module.params['comment']}\n"
    if not code and (not public.exists() or public.read_text().split()[:2] != half.split()[:2]):
        changed = True
        if not check:
            write_atomically(public, half)
    if public.exists():
        changed = own(public, user, 0o644, check) or changed
    return changed


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    name = module.params["user"]
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        module.fail_json(msg=f"There is no user {name}: correct twinspark_user.")
    home = Path(user.pw_dir)
    given = module.params["path"]
    private = home / given[2:] if given.startswith("~/") else Path(given)
    public = Path(f"{private}.pub")
    if module.params["state"] == "absent":
        changed = remove(module, private, public)
    elif module.params["state"] == "read":
        changed = False
    else:
        changed = make(module, private, public, user)
    text = public.read_text().strip() if public.exists() else ""
    module.exit_json(changed=changed, public_key=text, host_keys=host_keys(), home=str(home))


if __name__ == "__main__":
    main()
