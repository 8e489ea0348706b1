#!/usr/bin/python
"""Make a pinned Python environment on a host, with uv."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_uv_env
short_description: Make a pinned Python environment
description:
  - Compares the pinned requirements with the packages that the environment really holds, and installs on a difference.
  - A package that nobody pins, but that changed since the last run, counts as a difference too.
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
  check_mode: {support: full, description: Predicts from what is installed, without asking an index.}
  diff_mode: {support: full, description: Lists of packages before and after.}
author: twinspark
"""

EXAMPLES = r"""
- name: Have the Hub client
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
packages:
  description: Name to version of what is installed now, or would be.
  returned: always
  type: dict
python:
  description: Interpreter of the environment.
  returned: always
  type: str
digest:
  description: sha256 of what the environment is made from.
  returned: when present
  type: str
"""

import json
import os
import pwd
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.evaluation import environments as env

STAMP = ".twinspark.json"

ARGUMENTS: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "requirements": {"type": "list", "elements": "str", "default": []},
    "python": {"type": "path", "default": "/usr/bin/python3"},
    "installer": {"type": "str", "choices": ["uv", "pip"], "default": "uv"},
    "uv": {"type": "path", "default": "/opt/twinspark/env/uv/bin/uv"},
    "owner": {"type": "str", "default": "root"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def read_actual(path: Path) -> env.Actual:
    """Read interpreter, packages and stamp off the disk; a half-installed package does not count."""
    python = path / "bin" / "python"
    if not python.exists():
        return env.Actual()
    infos = [
        info.name
        for info in path.glob("lib/python3*/site-packages/*.dist-info")
        if (info / "METADATA").is_file() and (info / "RECORD").is_file()
    ]
    try:
        stamp = json.loads((path / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        stamp = {}
    try:
        owner = path.owner()
    except KeyError:
        owner = ""
    return env.Actual(str(python.resolve()), env.packages_of(infos), stamp, owner)


def write_stamp(path: Path, digest: str, packages: dict[str, str]) -> None:
    """Last step of a run: an interrupted one leaves no stamp, and so is done again."""
    fresh = path / (STAMP + ".new")
    fresh.write_text(json.dumps({"digest": digest, "packages": packages}, indent=1, sort_keys=True) + "\n")
    fresh.chmod(0o644)
    fresh.replace(path / STAMP)


def give_to(path: Path, owner: str) -> None:
    """Hand the tree to its owner; links are handed over, not what they point at."""
    entry = pwd.getpwnam(owner)
    os.chown(path, entry.pw_uid, entry.pw_gid)
    for folder, folders, files in os.walk(path):
        for name in folders + files:
            os.chown(Path(folder, name), entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def run(module: AnsibleModule, argv: list[str], what: str) -> None:
    """Run one command, or fail with its own words and the usual fix."""
    code, out, err = module.run_command(argv)
    if code != 0:
        lines = (err or out).strip().splitlines()[-12:]
        module.fail_json(
            msg=f"uv_env: {what} failed with exit {code}: {' / '.join(lines)}. "
            "Fix: see that this host reaches a package index, or name one in uv_env_environment.",
            cmd=argv,
            rc=code,
        )


def apply(module: AnsibleModule, desired: env.Desired, todo: env.Plan) -> env.Actual:
    """Make, install, read again; what is still different afterwards is a failure."""
    path = Path(desired.path)
    if todo.create:
        path.parent.mkdir(parents=True, exist_ok=True)
        run(module, env.create_argv(desired), f"making {desired.path}")
    (path / STAMP).unlink(missing_ok=True)
    if desired.requirements:
        run(module, env.install_argv(desired), f"installing {len(desired.requirements)} package(s) into {desired.path}")
    now = read_actual(path)
    left = [r for r in env.plan(desired, now).reasons if r["name"] != "stamp"]
    if left:
        module.fail_json(msg=f"uv_env: {desired.path} still differs after the installation: {left}", reasons=left)
    write_stamp(path, env.digest(desired), now.packages)
    return now


def absent(module: AnsibleModule, path: Path) -> dict[str, object]:
    """Remove the folder."""
    there = path.exists()
    if there and not module.check_mode:
        shutil.rmtree(path)
    diff = {"before": f"{path}\n" if there else "", "after": ""}
    return {"changed": there, "reasons": [], "packages": {}, "python": "", "diff": diff}


def present(module: AnsibleModule) -> dict[str, object]:
    """Read, plan, apply unless checking, and tell."""
    p = module.params
    desired = env.Desired(
        path=p["path"],
        requirements=env.parse_requirements(p["requirements"]),
        python=os.path.realpath(p["python"]),
        installer=p["installer"],
        uv=p["uv"],
    )
    path = Path(desired.path)
    before = read_actual(path)
    todo = env.plan(desired, before)
    reasons = list(todo.reasons)
    after, python = env.predicted(desired, before, todo), desired.python
    if todo.install and not module.check_mode:
        now = apply(module, desired, todo)
        after, python = now.packages, now.python
    if todo.install or before.owner != p["owner"]:
        if before.owner != p["owner"]:
            reasons.append({"name": "owner", "current": before.owner, "desired": p["owner"]})
        if not module.check_mode:
            give_to(path, p["owner"])
    diff = {
        "before": env.listing(desired.path, before.python, before.packages),
        "after": env.listing(desired.path, python, after),
    }
    return {
        "changed": bool(reasons),
        "reasons": reasons,
        "packages": after,
        "python": python,
        "digest": env.digest(desired),
        "diff": diff,
    }


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
