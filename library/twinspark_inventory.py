#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Refuse an inventory that can't be right, in one sentence, before any host is touched."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_inventory
short_description: Refuse an inventory that can't be right
description:
  - Runs on the controller, before anything is asked of a host. Changes nothing, anywhere.
  - Finds a group without hosts, two hosts with one address, an unknown profile, keys of a profile that no role reads,
    variables that no role knows (with the name that was probably meant), overrides that name no stage, addresses and
    numbers that are none, settings of a wrong type or out of their range,
      variables that are a role's own, rails that can't work, secrets in a job's environment, and
    whatever would let in a host whose key nobody has compared.
options:
  addresses:
    description: Host name to C(ansible_host), in the order of the group C(sparks); empty means the name itself.
    type: dict
    required: true
  rails:
    description: Host name to that host's C(twinspark_rails).
    type: dict
    default: {}
  variables:
    description: Names of all variables that the hosts have from inventory, group_vars and C(-e).
    type: list
    elements: str
    default: []
  more_variables:
    description: Names of all variables that the task sees, those of its play and of its role among them.
    type: list
    elements: str
    default: []
  owner_variables:
    description: Names of the variables that the inventory, the files beside it and the command line set.
    type: list
    elements: str
    default: []
  remarks:
    description: What in the inventory and the files beside it has no effect, as sentences; each becomes a warning.
    type: list
    elements: str
    default: []
  profile:
    description: Value of C(twinspark_profile).
    type: str
    required: true
  weights_revision:
    description: Value of C(twinspark_weights_revision); empty where only the profile has one, which is not loaded yet.
    type: str
    default: ""
  left_out:
    description: Hosts of the group that C(--limit) leaves out, where the play needs all.
    type: list
    elements: str
    default: []
  override:
    description: Stages whose proof the owner overrides.
    type: list
    elements: str
    default: []
  first_host:
    description: Number of rank 0 in each rail's subnet; the others count up from it.
    type: raw
    default: 11
  mtu:
    description: Value of C(twinspark_rail_mtu).
    type: raw
    default: 9000
  ports:
    description: Host name to its C(ansible_port).
    type: dict
    default: {}
  unpinned:
    description:
      - What in the connection variables, ansible.cfg or the environment would weaken the checking of host keys, as the
        sentences of the filter C(twinspark_unpinned). Never the variables themselves, which may hold a password.
    type: list
    elements: str
    default: []
  wrong:
    description:
      - Settings of a wrong type or out of their range, as the clauses of the filter C(twinspark_wrong). Never what
        could be a secret.
    type: list
    elements: str
    default: []
  client_environment:
    description: Host name to the names of the variables in C(hf_weights_client_environment); never their values.
    type: dict
    default: {}
  content_dir:
    description: Where the roles lie; their files say which settings there are.
    type: path
    required: true
  profile_dirs:
    description: Folders of profiles, those of the site first.
    type: list
    elements: path
    required: true
attributes:
  check_mode:
    support: full
    description: It is read-only.
  diff_mode:
    support: none
    description: Nothing changes.
author: twinspark
"""

EXAMPLES = r"""
- name: Verify the inventory
  twinspark_inventory:
    addresses: {spark1: 192.0.2.1, spark2: 192.0.2.2}
    profile: deepseek-v4-flash
    content_dir: "{{ playbook_dir | dirname }}"
    profile_dirs: ["{{ playbook_dir | dirname }}/profiles"]
  delegate_to: localhost
"""

RETURN = r"""
problems:
  description: Every problem as a sentence with its fix; empty when the inventory is sound.
  returned: always
  type: list
  elements: str
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.twinspark.inventory.rules import RUNTIME, Inventory, problems
from ansible.module_utils.twinspark.inventory.settings import defaults_alone
from ansible.module_utils.twinspark.proof.foreign import ForeignError, yaml_of
from ansible.module_utils.twinspark_host.content import known_names

try:
    import yaml
except ImportError:  # told in main(): ansible-core itself needs it, so only a wrong interpreter lacks it
    yaml = None  # type: ignore[assignment]

ARGUMENTS: dict[str, Any] = {
    "addresses": {"type": "dict", "required": True},
    "rails": {"type": "dict", "default": {}},
    "variables": {"type": "list", "elements": "str", "default": []},
    "more_variables": {"type": "list", "elements": "str", "default": []},
    "owner_variables": {"type": "list", "elements": "str", "default": []},
    "remarks": {"type": "list", "elements": "str", "default": []},
    "profile": {"type": "str", "required": True},
    "weights_revision": {"type": "str", "default": ""},
    "left_out": {"type": "list", "elements": "str", "default": []},
    "override": {"type": "list", "elements": "str", "default": []},
    "first_host": {"type": "raw", "default": 11},
    "mtu": {"type": "raw", "default": 9000},
    "ports": {"type": "dict", "default": {}},
    "unpinned": {"type": "list", "elements": "str", "default": []},
    "wrong": {"type": "list", "elements": "str", "default": []},
    "client_environment": {"type": "dict", "default": {}},
    "content_dir": {"type": "path", "required": True},
    "profile_dirs": {"type": "list", "elements": "path", "required": True},
}


def profile_content(name: str, folders: Iterable[str]) -> Any:
    """The profile of that name, of the first folder that has one; None where there is none."""
    for folder in folders:
        path = Path(folder) / f"{name}.yml"
        if path.is_file():
            return yaml_of(path.read_text())
    return None


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if yaml is None:
        module.fail_json(msg=missing_required_lib("PyYAML"))
    given = dict(module.params)
    content, profiles = Path(given.pop("content_dir")), given.pop("profile_dirs")
    for remark in given.pop("remarks"):
        module.warn(remark)
    given["addresses"] = {host: str(address or host) for host, address in given["addresses"].items()}
    try:
        known = known_names(content, tuple(profiles))
        given["profile_content"] = profile_content(given["profile"], profiles)
    except (OSError, ForeignError, yaml.YAMLError) as error:
        module.fail_json(
            msg=f"a file of {content} or the profile can't be read ({error}): correct or restore that file"
        )
    said = defaults_alone(
        given["variables"], given["profile"], known.variables - RUNTIME, weights=bool(given["weights_revision"])
    )
    given["variables"] = {*given["variables"], *given.pop("more_variables")}
    found = problems(Inventory(**given), known)
    if found:
        sentences = [f"{problem}{'' if problem.endswith('?') else '.'}" for problem in found]
        module.fail_json(msg=" Besides, ".join(sentences) + " Nothing was changed.", problems=found)
    if said:
        module.warn(said)
    module.exit_json(changed=False, problems=[])


if __name__ == "__main__":
    main()
