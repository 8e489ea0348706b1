#!/usr/bin/python
"""Ansible module: the state of a model's weights on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_weights_info
short_description: The state of a model's weights on a host
description:
  - Judges the snapshot of a commit as missing, partial, wrong or verified, from the manifest, from sizes, times and
    inodes as they were when each file was last hashed, and from what lies there now. Reads no weights, takes no time.
  - Also tells disk use, older commits, and what removing each of them would free.
options:
  repo: {description: "Repository, as ORG/NAME.", type: str, required: true}
  commit: {description: Full commit., type: str, required: true}
  home: {description: What HF_HOME means on this host., type: path, required: true}
  state_dir: {description: Where the host remembers what it hashed., type: path, default: /var/lib/twinspark}
  manifest: {description: "Text of the manifest. Default: the one kept with the snapshot.", type: str, default: ""}
  allow: {description: Patterns that the manifest must be bound to., type: list, elements: str, default: ["*"]}
  ignore: {description: Patterns that the manifest must be bound to., type: list, elements: str, default: []}
  source: {description: Where the manifest must be from., type: str, choices: [hub, directory], default: hub}
  reserve_gib: {description: What must stay free on the disk., type: float, default: 1}
  host: {description: Name of the host in verdicts., type: str, default: ""}
  lent: {description: Paths that only a running copy needs., type: list, elements: path, default: []}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Look at the weights
  twinspark_weights_info:
    repo: deepseek-ai/DeepSeek-V4-Flash
    commit: "{{ twinspark_weights_revision }}"
    home: /home/me/.cache/huggingface
  register: weights
"""

RETURN = r"""
weights:
  description: >-
    state, verified (when it was last found to be so), files (path, size, sha256, state), complaint, total_bytes,
    fetch_bytes (still to come), free_bytes, used_bytes, snapshot, download and copy (figures of the last ones),
    old_commits (commit, frees_bytes), left (those of the paths in O(lent) that are there), verdict, space_verdict,
    manifest_digest.
  type: dict
  returned: always
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.weights import hubcache, manifest, weights
from ansible.module_utils.twinspark_host import snapshot

ARGUMENTS: dict[str, Any] = {
    "repo": {"type": "str", "required": True},
    "commit": {"type": "str", "required": True},
    "home": {"type": "path", "required": True},
    "state_dir": {"type": "path", "default": "/var/lib/twinspark"},
    "manifest": {"type": "str", "default": ""},
    "allow": {"type": "list", "elements": "str", "default": ["*"]},
    "ignore": {"type": "list", "elements": "str", "default": []},
    "source": {"type": "str", "choices": ["hub", "directory"], "default": "hub"},
    "reserve_gib": {"type": "float", "default": 1},
    "host": {"type": "str", "default": ""},
    "lent": {"type": "list", "elements": "path", "default": []},
}


def of_manifest(
    expected: manifest.Manifest, layout: hubcache.Layout, state: dict[str, Any], params: dict[str, Any]
) -> dict[str, Any]:
    """What can be said only with a manifest: the state of every file, and of the whole."""
    judgement = weights.judge(expected, state, snapshot.look_at(layout, expected))
    records = state.get("files") or {}
    staged = snapshot.used_bytes(layout.staging)
    need = weights.bytes_to_fetch(expected, judgement, staged, snapshot.blob_sizes(layout))
    free = snapshot.free_bytes(layout.root)
    return {
        "state": judgement.state,
        "complaint": weights.complaint(judgement),
        "total_bytes": expected.total,
        "fetch_bytes": need,
        "manifest_digest": expected.digest(),
        "complete": expected.complete,
        "files": [
            {
                "path": entry.path,
                "size": entry.size,
                "sha256": (records.get(entry.path) or {}).get("sha256", ""),
                "state": judgement.files[entry.path],
            }
            for entry in expected.entries
        ],
        "verdict": weights.snapshot_verdict(params["host"], expected.commit, judgement),
        "space_verdict": weights.space_verdict(params["host"], need, free, layout.home, params["reserve_gib"]),
    }


def expected_of(params: dict[str, Any], layout: hubcache.Layout) -> manifest.Manifest | None:
    """The manifest to judge by. One on disk that is bound to other patterns says nothing about these."""
    if params["manifest"]:
        return manifest.from_text(params["manifest"])
    kept = snapshot.read_manifest(layout.manifest(params["commit"]))
    bound = (params["repo"], params["commit"], params["allow"], params["ignore"], params["source"])
    return kept if kept and kept.bound_to(*bound) else None


def without_manifest(commit: str, layout: hubcache.Layout, host: str) -> dict[str, Any]:
    """Nobody knows what the commit should hold: what lies there is at best partial."""
    return {
        "state": "partial" if layout.snapshot(commit).is_dir() else "missing",
        "complaint": f"no manifest of {commit}",
        "total_bytes": None,
        "fetch_bytes": None,
        "manifest_digest": "",
        "complete": False,
        "files": [],
        "verdict": weights.snapshot_verdict(host, commit, None),
        "space_verdict": weights.space_verdict(host, 0, snapshot.free_bytes(layout.root), layout.home, 0),
    }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    params = module.params
    layout = hubcache.Layout(params["home"], params["repo"])
    commit = params["commit"]
    try:
        expected = expected_of(params, layout)
    except manifest.ManifestError as error:
        module.fail_json(msg=f"{error}.")
    state = snapshot.read_state(hubcache.state_path(params["state_dir"], params["repo"], commit))
    found: dict[str, Any] = {
        "repo": params["repo"],
        "commit": commit,
        "snapshot": str(layout.snapshot(commit)),
        "verified": state.get("verified"),
        "download": state.get("download") or {},
        "copy": state.get("copy") or {},
        "free_bytes": snapshot.free_bytes(layout.root),
        "used_bytes": snapshot.used_bytes(Path(layout.root)),
        "old_commits": snapshot.old_commits(layout, commit),
        "left": [path for path in params["lent"] if Path(path).exists()],
    }
    if expected:
        found.update(of_manifest(expected, layout, state, params))
    else:
        found.update(without_manifest(commit, layout, params["host"]))
    module.exit_json(changed=False, weights=found)


if __name__ == "__main__":
    main()
