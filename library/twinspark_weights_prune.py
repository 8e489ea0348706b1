#!/usr/bin/python
"""Ansible module: remove old commits of a model from the Hub cache, with the blobs that nothing else needs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_weights_prune
short_description: Remove old commits of a model from the Hub cache
description:
  - Removes the snapshots of the named commits and the blobs that no other snapshot links to. Nothing is removed that
    was not named, and never the commit in use.
options:
  repo: {description: "Repository, as ORG/NAME.", type: str, required: true}
  keep: {description: The commit in use., type: str, required: true}
  commits: {description: Full names of the commits to remove., type: list, elements: str, required: true}
  home: {description: What HF_HOME means on this host., type: path, required: true}
  state_dir: {description: Where the host remembers what it hashed., type: path, default: /var/lib/twinspark}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Remove last month's commit
  twinspark_weights_prune:
    repo: deepseek-ai/DeepSeek-V4-Flash
    keep: "{{ twinspark_weights_revision }}"
    commits: [6976c7ff1b30a1b2cb7805021b8ba4684041f136]
    home: /home/me/.cache/huggingface
"""

RETURN = r"""
removed: {description: Commits that were there and are removed., type: list, elements: str, returned: always}
freed_bytes: {description: Bytes of the blobs that went with them., type: int, returned: always}
"""

import shutil
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.weights import hubcache, manifest
from ansible.module_utils.twinspark_host import snapshot

ARGUMENTS: dict[str, Any] = {
    "repo": {"type": "str", "required": True},
    "keep": {"type": "str", "required": True},
    "commits": {"type": "list", "elements": "str", "required": True},
    "home": {"type": "path", "required": True},
    "state_dir": {"type": "path", "default": "/var/lib/twinspark"},
}


def refused(params: dict[str, Any]) -> str:
    """Why the request is refused; empty when it is sound."""
    if params["keep"] in params["commits"]:
        return f"{params['keep']} is the commit in use; set another twinspark_weights_revision before it is removed"
    odd = [commit for commit in params["commits"] if not manifest.COMMIT.match(commit)]
    return f"{', '.join(odd)}: name commits in full (40 hexadecimal digits)" if odd else ""


def remove(layout: hubcache.Layout, commit: str, state_dir: str) -> None:
    """One commit's snapshot, manifest, refs and memory."""
    shutil.rmtree(layout.snapshot(commit))
    layout.manifest(commit).unlink(missing_ok=True)
    hubcache.state_path(state_dir, layout.repo, commit).unlink(missing_ok=True)
    refs = layout.root / "refs"
    for ref in refs.rglob("*") if refs.is_dir() else []:
        if ref.is_file() and ref.read_text().strip() == commit:
            ref.unlink()


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    params = module.params
    if reason := refused(params):
        module.fail_json(msg=f"Nothing was pruned: {reason}.")
    layout = hubcache.Layout(params["home"], params["repo"])
    there = snapshot.snapshots(layout)
    doomed = [commit for commit in params["commits"] if commit in there]
    freed = hubcache.freed_by(there, snapshot.blob_sizes(layout), doomed)
    if not module.check_mode:
        for commit in doomed:
            remove(layout, commit, params["state_dir"])
        for blob in freed:
            (layout.blobs / blob).unlink()
    module.exit_json(changed=bool(doomed), removed=doomed, freed_bytes=sum(freed.values()))


if __name__ == "__main__":
    main()
