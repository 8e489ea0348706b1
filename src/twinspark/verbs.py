"""What the verbs have in common: find the content and the inventory, run playbooks, tell what came of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.twinspark.proof.proofs import STAGES
from rich.console import Console

from . import paths, precheck
from .events import Event
from .exitcodes import Exit
from .progress import display, recap
from .runner import Order, Outcome, run
from .runstate import NO_HOST, RunState, StageState

console = Console(soft_wrap=True)
complaints = Console(stderr=True, soft_wrap=True)


@dataclass(frozen=True)
class Place:
    """The content (playbooks, roles), the inventory, and what is kept about it."""

    content: Path
    inventory: Path

    @property
    def site(self) -> Path:
        return paths.site_dir(self.inventory)

    @property
    def proofs(self) -> Path:
        return self.site / "proofs"

    @classmethod
    def find(cls, inventory: str | Path | None) -> Place:
        """Both, seen to exist."""
        content = paths.content_dir()
        return cls(content, paths.inventory_path(inventory, content))

    @property
    def workdir(self) -> Path:
        """Where Ansible runs, and so what relative paths in settings mean: the checkout, else the site."""
        return self.content if paths.is_checkout(self.content) else paths.site_of(self.inventory)

    def login_of(self, host: str) -> tuple[str, str]:
        """User and port by which the inventory says that a host is logged in to; "" for what it doesn't say."""
        argv = [str(Path(sys.executable).with_name("ansible-inventory")), "-i", str(self.inventory), "--host", host]
        done = subprocess.run(argv, cwd=self.workdir, capture_output=True, text=True, check=False, timeout=60)
        told = json.loads(done.stdout) if done.returncode == 0 else {}
        return str(told.get("ansible_user", "")), str(told.get("ansible_port", ""))

    def playbook(self, verb: str) -> Path:
        """The playbook of a verb or a stage."""
        found = self.content / f"playbooks/{verb}.yml"
        if not found.is_file():
            raise precheck.UsageError(f"{self.content} has no {found.relative_to(self.content)}: update it")
        return found


@dataclass(frozen=True)
class Options:
    """How playbooks are run."""

    check: bool = False
    diff: bool = False
    verbosity: int = 0
    expect_unchanged: bool = False
    become_password: str = field(default="", repr=False)
    aside: bool = False  # progress on stderr, where stdout is for a machine


def site_stages(content: Path) -> list[str]:
    """The stages that site.yml runs, in its order."""
    plays = yaml.safe_load((content / "site.yml").read_text()) or []
    imported = [Path(str(play.get("ansible.builtin.import_playbook", ""))).stem for play in plays]
    return [stage for stage in imported if stage in STAGES]


def stage_of_plays(content: Path) -> dict[str, str]:
    """The stage of each play by its name, from the `twinspark_stage` that every stage's play sets."""
    found: dict[str, str] = {}
    for stage in STAGES:
        playbook = content / f"playbooks/{stage}.yml"
        for play in yaml.safe_load(playbook.read_text()) or [] if playbook.is_file() else []:
            named = (play.get("vars") or {}).get("twinspark_stage", stage)
            found[str(play.get("name", ""))] = str(named)
    return found


def perform(
    place: Place, playbooks: Sequence[Path], stages: Sequence[str], extra: Mapping[str, Any], how: Options
) -> Exit:
    """Run playbooks and tell what came of it."""
    precheck.inventory(place.inventory, place.content)
    state = RunState(
        {stage: StageState() for stage in stages}, stage_of_plays(place.content), login_of=cache(place.login_of)
    )
    out = complaints if how.aside else console
    shown = display(state, out)
    order = Order(
        content=place.content,
        workdir=place.workdir,
        inventory=place.inventory,
        playbooks=tuple(playbooks),
        extra=extra,
        check=how.check,
        diff=how.diff,
        verbosity=how.verbosity,
        become_password=how.become_password,
    )
    with shown.showing():
        outcome = run(order, shown.take)
    code = conclude(state, outcome, out)
    if code == Exit.OK and how.expect_unchanged and state.changed:
        tell(f"{state.changed} tasks {'would change' if how.check else 'changed'} something, and nothing should.")
        return Exit.CHANGED
    return code


def quietly(place: Place, playbook: Path, extra: Mapping[str, Any], become_password: str) -> Exit:
    """Run a playbook that only looks: nothing is told but what stopped it."""
    state = RunState({}, {}, login_of=cache(place.login_of))
    order = Order(
        content=place.content,
        workdir=place.workdir,
        inventory=place.inventory,
        playbooks=(playbook,),
        extra=extra,
        become_password=become_password,
    )

    def take(event: Event) -> None:
        state.take(event)

    return conclude(state, run(order, take), None)


def ask(place: Place, question: str, max_tokens: int, become_password: str) -> Exit:
    """Put one question to the served model and print the answer alone."""
    precheck.inventory(place.inventory, place.content)
    state = RunState({}, {})
    answers: list[str] = []

    def take(event: Event) -> None:
        state.take(event)
        if event.kind == "runner_on_ok" and event.action == "twinspark_canary":
            answers.append(event.result["answer"])

    extra = {"ask_question": question, "ask_max_tokens": max_tokens}
    order = Order(
        content=place.content,
        workdir=place.workdir,
        inventory=place.inventory,
        playbooks=(place.playbook("ask"),),
        extra=extra,
        become_password=become_password,
    )
    outcome = run(order, take)
    if outcome.rc == 0 and answers:
        console.out(answers[-1], highlight=False)
        return Exit.OK
    return conclude(state, outcome, None)


def conclude(state: RunState, outcome: Outcome, out: Console | None) -> Exit:
    """The recap on *out*, if any, then what stopped the run, and the exit code."""
    if out:
        recap(state, out)
    code = state.exit(outcome.rc, outcome.interrupted)
    if code == Exit.OK:
        return code
    if code == Exit.INTERRUPTED:
        tell("Interrupted. Nothing is lost: jobs on the hosts go on, and the same command continues from here.")
        return code
    if state.no_hosts and not state.failures:
        tell(NO_HOST)
    for said in state.final():
        for line in said.lines:
            tell(line)
    if code == Exit.INTERNAL:
        errors = [text for text in state.complaints if "error" in text.lower()]
        for text in errors or [text for text in state.complaints if text][-5:]:
            tell(text)
        tell(f"This should not happen. What Ansible said is in {outcome.run_dir}/artifacts/run/stdout")
    if state.stage and code != Exit.INTERNAL:
        tell(f"Stopped at {state.stage}. When fixed, run the same command again: what is done stays done.")
    return code


def tell(text: str) -> None:
    """One sentence on stderr."""
    complaints.print(text, style="red", markup=False, highlight=False)
