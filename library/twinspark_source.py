#!/usr/bin/python
"""Ansible module: exactly one commit of a Git repository, checked out and unmodified."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_source
short_description: Check out exactly one commit of a Git repository
description:
  - Fetches the commit itself, without history. A clone may not have it once a force push has orphaned its branch,
    and the tip of a branch is never what was pinned.
  - Verifies that the checkout is at that commit, and undoes local changes to files that Git knows. Files that Git
    does not know (a build's caches) are left.
options:
  repo: {description: URL of the repository., type: str, required: true}
  commit: {description: All 40 hex digits., type: str, required: true}
  dest: {description: Folder of the checkout., type: path, required: true}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Check out the recipe
  twinspark_source:
    repo: https://github.com/eugr/spark-vllm-docker.git
    commit: 7a3249e3b4826233972c147a4fe2c6f791227a0b
    dest: /opt/twinspark/src/image
"""

RETURN = r"""
before: {description: Commit that was checked out before or an empty string., type: str, returned: always}
after: {description: Commit that is checked out now., type: str, returned: always}
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.image.source import fetch_problem, steps

ARGUMENTS: dict[str, Any] = {
    "repo": {"type": "str", "required": True},
    "commit": {"type": "str", "required": True},
    "dest": {"type": "path", "required": True},
}


def head_of(module: AnsibleModule, dest: str) -> tuple[str, bool]:
    """The commit that is checked out ("" for none), and whether files known to Git were changed."""
    if not (Path(dest) / ".git").is_dir() or not module.get_bin_path("git"):
        return "", False
    code, out, _ = module.run_command(["git", "-C", dest, "rev-parse", "--verify", "--quiet", "HEAD"])
    if code:
        return "", False
    _, status, _ = module.run_command(["git", "-C", dest, "status", "--porcelain", "--untracked-files=no"])
    return out.strip(), bool(status.strip())


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    repo, commit, dest = (module.params[key] for key in ("repo", "commit", "dest"))
    before, dirty = head_of(module, dest)
    changed = before != commit or dirty
    if not changed or module.check_mode:
        module.exit_json(changed=changed, before=before, after=commit)
    if not module.get_bin_path("git"):
        module.fail_json(msg="git is not installed on this host. Fix: `apt-get install git`.")
    Path(dest).mkdir(parents=True, exist_ok=True)
    # A prompt for a password would hang the run: a private or missing repository must answer at once.
    module.run_command_environ_update = {"GIT_TERMINAL_PROMPT": "0"}
    for argv in steps(repo, commit, dest, present=before == commit):
        code, _, err = module.run_command(argv)
        if code:
            module.fail_json(msg=fetch_problem(repo, commit, err), rc=code, stderr=err)
    after, _ = head_of(module, dest)
    if after != commit:
        module.fail_json(msg=f"{dest} is at {after or 'no commit'} after the fetch of {commit}: nothing was built.")
    module.exit_json(changed=True, before=before, after=after)


if __name__ == "__main__":
    main()
