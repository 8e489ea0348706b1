# SPDX-License-Identifier: Apache-2.0
"""Says at the end of a plain `ansible-playbook` run, in one sentence each, what stopped it and how to fix that."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible.module_utils
from ansible.errors import AnsibleError
from ansible.plugins.callback import CallbackBase

# The controller imports plugins by path: this checkout's module_utils joins the package by hand.
_MODULE_UTILS = str(Path(__file__).resolve().parent.parent / "module_utils")
if _MODULE_UTILS not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(_MODULE_UTILS)

from ansible.module_utils.twinspark.inventory.explain import Failure, explain, inventory_trouble

DOCUMENTATION = r"""
name: twinspark_explain
type: aggregate
short_description: One clear sentence for each failure
description:
  - After the recap, prints for each failed or unreachable host what is wrong, where, and the fix.
  - The sentences are the same that C(twinspark apply) prints.
  - At the start, names each file of variables that does not parse, for which Ansible then ends without its name.
requirements:
  - enabled in ansible.cfg (callbacks_enabled)
"""

NO_HOST = "No host is in the inventory group 'sparks': name at least one under sparks.hosts, with its ansible_host."


def unread(variables: Any) -> Iterator[str]:
    """A sentence for each file of variables that does not parse. Ansible is about to end for it, and says why, but not
    which file it is. variables: Ansible's VariableManager.
    """
    inventory, loader = variables._inventory, variables._loader
    for source in map(Path, inventory._sources):
        folder = source if source.is_dir() else source.parent
        for kind, names in (("group_vars", inventory.groups), ("host_vars", inventory.hosts)):
            for file in (file for name in names for file in loader.find_vars_files(str(folder / kind), name)):
                try:
                    loader.load_from_file(os.fsdecode(file), cache="none")  # what Ansible reads later stays a template
                except AnsibleError as error:
                    yield inventory_trouble(f"[ERROR]: {error}\nOrigin: {error.obj}").sentence(os.fsdecode(file))


class CallbackModule(CallbackBase):
    """Collects failures while the play runs; failures that a rescue dealt with are dropped with the next task."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "twinspark_explain"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.sentences: list[str] = []
        self.no_hosts = False
        self.play: Any = None

    def v2_playbook_on_play_start(self, play: Any) -> None:
        if self.play is None:
            for sentence in unread(play.get_variable_manager()):
                self._display.display(f"twinspark: {sentence}.", color="red")
        self.play = play

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self.last_task = task

    def v2_playbook_on_no_hosts_matched(self) -> None:
        self.no_hosts = True

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            self.remember(result, unreachable=False)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self.remember(result, unreachable=True)

    def remember(self, result: Any, unreachable: bool) -> None:
        """Keep the sentence; the same one from two hosts is said once."""
        told = self.play.get_variable_manager().get_vars(play=self.play, host=result.host) if unreachable else {}
        failure = Failure(
            host=result.host.get_name(),
            result=result.result,
            task=result.task.name or result.task.action,
            action=result.task.resolved_action or result.task.action,
            address=str(result.host.vars.get("ansible_host", "")),
            unreachable=unreachable,
            user=str(told.get("ansible_user", "")),
            port=str(told.get("ansible_port", "")),
        )
        sentence = "\n".join(explain(failure).lines)
        if sentence not in self.sentences:
            self.sentences.append(sentence)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        if self.no_hosts and not stats.processed:
            self.sentences.append(NO_HOST)
        failed = bool(stats.failures or stats.dark)
        if not failed and not self.no_hosts:
            return
        for sentence in self.sentences:
            self._display.display(f"twinspark: {sentence}", color="red")
