#!/usr/bin/python
"""Ansible module: the manifest of a model's commit, from the Hub's own metadata, on the head."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_weights_manifest
short_description: Keep the manifest of a commit beside its snapshot
description:
  - Asks the Hub for the files of a commit with their sizes and sums (sha256 of LFS and Xet files, Git's blob sum of
    small ones) and keeps the answer. A manifest on disk for the same commit and patterns is kept without asking.
  - With O(source_dir), the manifest lists that directory's files; their sums come when they are first hashed.
  - In check mode the Hub is asked but nothing is written; a Hub that does not answer is then a warning only.
options:
  repo: {description: "Repository, as ORG/NAME.", type: str, required: true}
  commit: {description: Full commit., type: str, required: true}
  allow: {description: Patterns of the files to have., type: list, elements: str, default: ["*"]}
  ignore: {description: Patterns of the files to leave out., type: list, elements: str, default: []}
  endpoint: {description: The Hub or a mirror of it., type: str, default: "https://huggingface.co"}
  token_file: {description: File on this host with a token., type: path, default: ""}
  longest_pause: {description: Longest pause between two attempts in seconds., type: int, default: 60}
  source_dir: {description: Directory on this host to take the files from instead., type: path, default: ""}
  home: {description: What HF_HOME means on this host., type: path, required: true}
  owner: {description: Owner of the manifest's file., type: str, required: true}
  text: {description: "A manifest that another host has made, to be kept here as it is.", type: str, default: ""}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Read the manifest of the commit
  twinspark_weights_manifest:
    repo: deepseek-ai/DeepSeek-V4-Flash
    commit: "{{ twinspark_weights_revision }}"
    home: /home/me/.cache/huggingface
    owner: me
"""

RETURN = r"""
text: {description: The manifest's text; empty when the Hub did not answer in check mode., type: str, returned: always}
files: {description: How many files., type: int, returned: always}
total_bytes: {description: Bytes of all of them., type: int, returned: always}
path: {description: Its file., type: str, returned: always}
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.proof.json_form import from_json
from ansible.module_utils.twinspark.weights import manifest
from ansible.module_utils.twinspark.weights.hubcache import Layout
from ansible.module_utils.twinspark_host import hubapi, snapshot
from ansible.module_utils.twinspark_host.files import write_atomically

ARGUMENTS: dict[str, Any] = {
    "repo": {"type": "str", "required": True},
    "commit": {"type": "str", "required": True},
    "allow": {"type": "list", "elements": "str", "default": ["*"]},
    "ignore": {"type": "list", "elements": "str", "default": []},
    "endpoint": {"type": "str", "default": "https://huggingface.co"},
    # Not the token but where it is; no_log would blank the path in every message.
    "token_file": {"type": "path", "default": "", "no_log": False},
    "longest_pause": {"type": "int", "default": 60},
    "source_dir": {"type": "path", "default": ""},
    "home": {"type": "path", "required": True},
    "owner": {"type": "str", "required": True},
    "text": {"type": "str", "default": ""},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The arguments that say which manifest is wanted."""

    repo: str
    commit: str
    allow: tuple[str, ...]
    ignore: tuple[str, ...]
    endpoint: str
    token_file: str
    longest_pause: int
    source_dir: str
    text: str


def check(asked: Asked) -> None:
    """Refuse what can't be a repository or a commit."""
    if not manifest.REPO.match(asked.repo):
        raise manifest.ManifestError(
            f"{asked.repo!r} is not a repository; write ORG/NAME in the profile's weights.repo"
        )
    if not manifest.COMMIT.match(asked.commit):
        raise manifest.ManifestError(
            f"{asked.commit!r} is not a full commit (40 hexadecimal digits); a branch can change. "
            "Write the commit in the profile's weights.revision"
        )


def listed(folder: Path) -> dict[str, int]:
    """Sizes of the files under a directory, by path, links followed; hidden folders (.git, .cache) left out."""
    if not folder.is_dir():
        raise manifest.ManifestError(f"hf_weights_source_dir {folder} is not a directory on the head")
    found = {}
    for base, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(base) / name
            if not path.is_file():
                raise manifest.ManifestError(f"{path} is a link to nothing; give a directory that holds the bytes")
            found[str(path.relative_to(folder))] = path.stat().st_size
    return found


def made(asked: Asked) -> manifest.Manifest:
    """The manifest from its source."""
    bound = (asked.repo, asked.commit, asked.allow, asked.ignore)
    if asked.source_dir:
        return manifest.from_directory(listed(Path(asked.source_dir)), *bound)
    token = Path(asked.token_file).read_text().strip() if asked.token_file else ""
    question = hubapi.Question(asked.endpoint, asked.repo, asked.commit, token, longest_pause=asked.longest_pause)
    return manifest.from_hub(hubapi.read_info(question), *bound)


def wanted(asked: Asked, path: Path) -> manifest.Manifest:
    """The manifest that should lie at `path`: the given one, the one that lies there, or a new one."""
    if asked.text:
        return manifest.from_text(asked.text)
    check(asked)
    old = snapshot.read_manifest(path)
    source = "directory" if asked.source_dir else "hub"
    same = old is not None and old.bound_to(asked.repo, asked.commit, asked.allow, asked.ignore, source)
    return old if old and same else made(asked)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    params = module.params
    path = Layout(params["home"], params["repo"]).manifest(params["commit"])
    try:
        new = wanted(from_json(Asked, params, "twinspark_weights_manifest"), path)
    except (hubapi.HubError, OSError) as error:
        if not module.check_mode:
            module.fail_json(msg=f"No manifest of {params['repo']} at {params['commit']}: {error}.")
        module.warn(f"The manifest is not available now, so sizes are not predicted: {error}.")
        module.exit_json(changed=True, text="", files=0, total_bytes=0, path=str(path))
    except manifest.ManifestError as error:
        module.fail_json(msg=f"{error}.")
    text = new.dump()
    changed = not path.is_file() or path.read_text() != text
    if changed and not module.check_mode:
        write_atomically(path, text)
        shutil.chown(path, user=params["owner"])
    module.exit_json(changed=changed, text=text, files=len(new.entries), total_bytes=new.total, path=str(path))


if __name__ == "__main__":
    main()
