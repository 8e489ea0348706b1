#!/usr/bin/python
"""Make a pinned Python environment on a host, with uv."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_uv_env
short_description: Make a pinned Python environment
description:
  - Has uv compare the list with the packages that the environment really holds, and installs on a difference.
  - The environment then holds exactly the list (C(uv pip sync)), so a list names every dependency too.
  - An installation that was interrupted is made anew. So is an environment of another interpreter.
  - uv and pip run as the owner, since what they run in the environment is the owner's to change.
  - The index, a proxy or a certificate authority come from the task's environment, as uv and pip read them.
options:
  path:
    description: Folder of the environment.
    type: path
    required: true
  requirements:
    description: Packages as name==version, with extras and markers if need be. Comment lines are dropped.
    type: list
    elements: str
    default: []
  python:
    description: Interpreter that the environment is made from.
    type: path
    default: /usr/bin/python3
  installer:
    description: V(uv), or V(pip) for the environment that holds uv itself.
    type: str
    choices: [uv, pip]
    default: uv
  uv:
    description: The uv executable.
    type: path
    default: /opt/twinspark/env/uv/bin/uv
  owner:
    description: User that owns the environment. Python then keeps its compiled files in it.
    type: str
    default: root
  state:
    description: V(absent) removes the folder.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode: {support: full, description: Asks an index only for what an environment lacks.}
  diff_mode: {support: full, description: The packages that change.}
author: twinspark
"""

EXAMPLES = r"""
- name: Ensure the Hub client is installed
  twinspark_uv_env:
    path: /opt/twinspark/env/hf
    requirements: [huggingface-hub==1.2.0]
"""

RETURN = r"""
reasons:
  description: Each difference as name, current, desired.
  returned: always
  type: list
  elements: dict
"""

import os
import pwd
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.evaluation import environments as env

# Left in an environment whose last installation came to its end.
DONE = ".twinspark.json"

ARGUMENTS: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "requirements": {"type": "list", "elements": "str", "default": []},
    "python": {"type": "path", "default": "/usr/bin/python3"},
    "installer": {"type": "str", "choices": ["uv", "pip"], "default": "uv"},
    "uv": {"type": "path", "default": "/opt/twinspark/env/uv/bin/uv"},
    "owner": {"type": "str", "default": "root"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def unmade(desired: env.Desired) -> list[dict[str, str]]:
    """Why the environment has to be made from nothing; empty when it need not be."""
    python = Path(desired.path, "bin/python")
    current = str(python.resolve()) if python.exists() else ""
    if current != desired.python:
        return [env.change("python", current, desired.python)]
    whole = Path(desired.path, DONE).is_file()
    return [] if whole else [env.change("installation", "interrupted", "whole")]


def owner_of(path: Path) -> str:
    """The folder's owner; empty where there is no folder, or no such user any more."""
    try:
        return path.owner()
    except (FileNotFoundError, KeyError):
        return ""


def account(module: AnsibleModule) -> pwd.struct_passwd:
    """The owner's entry in the user database."""
    try:
        return pwd.getpwnam(module.params["owner"])
    except KeyError:
        module.fail_json(msg=f"uv_env: this host has no user {module.params['owner']!r}: name another in uv_env_owner")
        raise


def give_to(path: Path, entry: pwd.struct_passwd) -> None:
    """Hand the tree to its owner; links are handed over, not what they point at."""
    os.chown(path, entry.pw_uid, entry.pw_gid)
    for folder, folders, files in os.walk(path):
        for name in folders + files:
            os.chown(Path(folder, name), entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def run(module: AnsibleModule, argv: list[str], data: str = "") -> tuple[int, str, str]:
    """Run one command as the environment's owner: exit code, output, complaints."""
    entry = account(module)
    become = [] if entry.pw_uid == os.geteuid() else ["runuser", "-u", entry.pw_name, "--"]
    code, out, err = module.run_command(
        [*become, *argv], data=data, binary_data=True, cwd="/", environ_update={"HOME": entry.pw_dir}
    )
    return code, out, err


def fail(module: AnsibleModule, what: str, done: tuple[int, str, str]) -> None:
    """End with the command's own words and the usual fix."""
    code, out, err = done
    lines = (err or out).strip().splitlines()[-12:]
    module.fail_json(
        msg=f"uv_env: {what} failed with exit {code}: {' / '.join(lines)}. "
        "Fix: check that this host reaches a package index, or name one in uv_env_environment.",
        rc=code,
    )


def sync(module: AnsibleModule, desired: env.Desired) -> list[dict[str, str]]:
    """Make the packages what is asked for; the changes."""
    if not desired.requirements and desired.installer == "pip":
        return []
    done = run(module, env.sync_argv(desired), wanted(desired))
    if done[0] != 0:
        fail(module, f"installing {len(desired.requirements)} package(s) into {desired.path}", done)
    if desired.installer == "uv":
        lacking = run(module, env.lacking_argv(desired))
        if lacking[0] != 0:
            lines = " / ".join(lacking[2].strip().splitlines())
            module.fail_json(msg=f"uv_env: the list of {desired.path} is not complete. {lines}. Fix: complete it")
    return env.changes(desired, done[1]) or []


def look(module: AnsibleModule, desired: env.Desired) -> list[dict[str, str]]:
    """The changes that `sync` would make."""
    if module.check_mode and desired.installer == "uv" and not os.access(desired.uv, os.X_OK):
        module.warn(f"uv_env: there is no {desired.uv} yet to compare {desired.path} with its list")
        return []
    if not desired.requirements and desired.installer == "pip":
        return []
    done = (0, "", "")
    for options in env.looks(desired):
        done = run(module, env.sync_argv(desired, *options), wanted(desired))
        found = env.changes(desired, done[1])
        if found is not None:
            return found
    fail(module, f"comparing {desired.path} with its list", done)
    return []


def wanted(desired: env.Desired) -> str:
    """The list as uv and pip read it."""
    return "".join(f"{line}\n" for line in desired.requirements)


def make(module: AnsibleModule, desired: env.Desired) -> None:
    """An environment without packages in the place of whatever is there."""
    path = Path(desired.path)
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(parents=True)
    give_to(path, account(module))
    done = run(module, env.create_argv(desired))
    if done[0] != 0:
        fail(module, f"making {desired.path}", done)


def absent(module: AnsibleModule, path: Path) -> dict[str, object]:
    """Remove the folder."""
    there = path.exists()
    if there and not module.check_mode:
        shutil.rmtree(path)
    diff = {"before": f"{path}\n" if there else "", "after": ""}
    return {"changed": there, "reasons": [], "diff": diff}


def present(module: AnsibleModule) -> dict[str, object]:
    """Compare, apply unless checking, and tell."""
    p = module.params
    desired = env.Desired(
        path=p["path"],
        requirements=env.parse_requirements(p["requirements"]),
        python=os.path.realpath(p["python"]),
        installer=p["installer"],
        uv=p["uv"],
    )
    path = Path(desired.path)
    reasons = unmade(desired)
    new, owner = bool(reasons), owner_of(path)
    if not new and owner != p["owner"]:
        reasons.append(env.change("owner", owner, p["owner"]))
        if not module.check_mode:
            give_to(path, account(module))
    if new and not module.check_mode:
        make(module, desired)
    todo = env.predicted(desired) if new else look(module, desired)
    if (new or todo) and not module.check_mode:
        (path / DONE).unlink(missing_ok=True)
        todo = sync(module, desired)
        (path / DONE).touch(exist_ok=False)  # follows no link that the owner may have laid there
    reasons += todo
    diff = {side: env.listing(reasons, name) for side, name in (("before", "current"), ("after", "desired"))}
    headers = {"before_header": desired.path, "after_header": desired.path}
    return {"changed": bool(reasons), "reasons": reasons, "diff": diff | headers}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    try:
        gone = module.params["state"] == "absent"
        result = absent(module, Path(module.params["path"])) if gone else present(module)
    except env.RequirementError as error:
        module.fail_json(msg=f"uv_env: {error}")
    except OSError as error:
        module.fail_json(msg=f"uv_env: {module.params['path']}: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
