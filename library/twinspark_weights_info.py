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
- name: Read the state of the weights
  twinspark_weights_info:
    repo: deepseek-ai/DeepSeek-V4-Flash
    commit: "{{ twinspark_weights_revision }}"
    home: /home/me/.cache/huggingface
  register: weights
"""

RETURN = r"""
weights:
  description: >-
    state, verified (when it was last found to be so, or null), files (path, size, sha256, state), complaint,
    total_bytes, fetch_bytes (still to come), free_bytes, used_bytes, snapshot, download and copy (figures of the last
    ones, or null), old_commits (commit, frees_bytes), left (those of the paths in O(lent) that are there), verdict,
    space_verdict, manifest_digest.
  type: dict
  returned: always
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.weights import hubcache, manifest, verdicts, weights
from ansible.module_utils.twinspark.weights.state import FileState, Found, Record, State
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


def expected_of(params: dict[str, Any], layout: hubcache.Layout) -> manifest.Manifest | None:
    """The manifest to judge by. One on disk that is bound to other patterns says nothing about these."""
    if params["manifest"]:
        return manifest.from_text(params["manifest"])
    kept = snapshot.read_manifest(layout.manifest(params["commit"]))
    bound = (params["repo"], params["commit"], params["allow"], params["ignore"], params["source"])
    return kept if kept and kept.bound_to(*bound) else None


@dataclass(frozen=True, slots=True)
class Judged:
    """The state of the snapshot and of its files, and bytes still to come; None where only a manifest could tell."""

    state: str
    complaint: str
    files: tuple[FileState, ...] = ()
    fetch_bytes: int | None = None
    judgement: weights.Judgement | None = None


def judged(expected: manifest.Manifest | None, layout: hubcache.Layout, state: State, commit: str) -> Judged:
    """Without a manifest nobody knows what the commit should hold: what lies there is at best partial."""
    if expected is None:
        there = layout.snapshot(commit).is_dir()
        return Judged("partial" if there else "missing", f"no manifest of {commit}")
    judgement = weights.judge(expected, state, snapshot.look_at(layout, expected))
    staged = snapshot.used_bytes(layout.staging)
    files = tuple(
        FileState(e.path, e.size, state.files.get(e.path, Record()).sha256, judgement.files[e.path])
        for e in expected.entries
    )
    need = weights.bytes_to_fetch(expected, judgement, staged, snapshot.blob_sizes(layout))
    return Judged(judgement.state, weights.complaint(judgement), files, need, judgement)


def look(params: dict[str, Any], layout: hubcache.Layout, expected: manifest.Manifest | None) -> Found:
    """Everything about the commit on this host."""
    host, commit = params["host"], params["commit"]
    state = snapshot.read_state(hubcache.state_path(params["state_dir"], params["repo"], commit))
    found = judged(expected, layout, state, commit)
    free = snapshot.free_bytes(layout.root)
    return Found(
        repo=params["repo"],
        commit=commit,
        snapshot=str(layout.snapshot(commit)),
        state=found.state,
        complaint=found.complaint,
        verified=state.verified,
        download=state.download,
        copy=state.copy,
        total_bytes=expected.total if expected else None,
        fetch_bytes=found.fetch_bytes,
        free_bytes=free,
        used_bytes=snapshot.used_bytes(Path(layout.root)),
        manifest_digest=expected.digest() if expected else "",
        complete=bool(expected and expected.complete),
        files=found.files,
        old_commits=snapshot.old_commits(layout, commit),
        left=tuple(path for path in params["lent"] if Path(path).exists()),
        verdict=verdicts.snapshot_verdict(host, commit, found.judgement),
        space_verdict=verdicts.space_verdict(host, found.fetch_bytes or 0, free, layout.home, params["reserve_gib"]),
    )


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    layout = hubcache.Layout(module.params["home"], module.params["repo"])
    try:
        expected = expected_of(module.params, layout)
    except manifest.ManifestError as error:
        module.fail_json(msg=f"{error}.")
    module.exit_json(changed=False, weights=look(module.params, layout, expected).to_json())


if __name__ == "__main__":
    main()
