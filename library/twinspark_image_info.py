#!/usr/bin/python
"""Ansible module: which image a host has, what was built before, and whether its Docker answers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_image_info
short_description: Which image a host has, and what was built there before
description:
  - Asks Docker for one image, and reads the record of builds and, on the head, the proof of the stage. Changes nothing.
  - Without a Docker that answers it fails with the cause and the fix; in check mode it warns and finds no image.
options:
  image: {description: The image as name:tag., type: str, required: true}
  record: {description: File with the history of builds., type: path, default: /var/lib/twinspark/image/history.json}
  proofs_dir: {description: Folder of the proofs; empty where none is asked for., type: str, default: ""}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Read the image of the host
  twinspark_image_info:
    image: vllm-node-dsv4:7a3249e3b482
  register: found
"""

RETURN = r"""
image: {description: "id, created, size (bytes), tags, labels, layers; null when there is none.", type: dict,
        returned: always}
id: {description: The image's ID or an empty string., type: str, returned: always}
history: {description: "Builds recorded on this host, the newest last: image, id, digest, repo, commit, built.",
          type: list, elements: dict, returned: always}
tags: {description: "All name:tag that the host has under the image's name.", type: list, elements: str,
       returned: always}
proved: {description: "id and previous (of the build before) by the passing proof of this very image; empty where there
         is none. The name may have moved to another ID since.", type: dict, returned: always}
docker: {description: Version of Docker's daemon or an empty string., type: str, returned: always}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.image.docker import daemon_problem, inspected
from ansible.module_utils.twinspark.image.image import Proved, proved
from ansible.module_utils.twinspark.proof.proofs import ProofError
from ansible.module_utils.twinspark_host.history import read_history
from ansible.module_utils.twinspark_host.proofs import load

ARGUMENTS: dict[str, Any] = {
    "image": {"type": "str", "required": True},
    "record": {"type": "path", "default": "/var/lib/twinspark/image/history.json"},
    "proofs_dir": {"type": "str", "default": ""},
}


def docker_version(module: AnsibleModule) -> str:
    """Version of the daemon; ends the module with the cause when there is none."""
    binary = module.get_bin_path("docker")
    problem, out = "Docker is not installed. Fix: DGX OS brings it; elsewhere install docker and its client", ""
    if binary:
        code, out, err = module.run_command([binary, "version", "--format", "{{.Server.Version}}"])
        problem = daemon_problem(code, err)
    if problem and not module.check_mode:
        module.fail_json(msg=f"{problem}.")
    if problem:
        module.warn(f"{problem}.")
    return "" if problem else out.strip()


def proof_of(module: AnsibleModule) -> Proved:
    """What the proof on this host says of the image; ends the module where the file can't be read as one."""
    directory = module.params["proofs_dir"]
    try:
        return proved(load(directory, "image"), module.params["image"]) if directory else Proved()
    except ProofError as error:
        module.fail_json(msg=f"{error}.")


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    known = proof_of(module)
    version = docker_version(module)
    image = None
    tags: list[str] = []
    if version:
        wanted = module.params["image"]
        code, out, _ = module.run_command(["docker", "image", "inspect", wanted])
        image = inspected(out) if code == 0 else None
        _, out, _ = module.run_command(
            ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", wanted.rpartition(":")[0]]
        )
        tags = sorted(out.split())
    module.exit_json(
        changed=False,
        image=image.to_json() if image else None,
        id=image.id if image else "",
        tags=tags,
        history=[entry.to_json() for entry in read_history(module.params["record"])],
        proved=known.to_json(),
        docker=version,
    )


if __name__ == "__main__":
    main()
