"""What the verbs have in common: find the content and the inventory, run playbooks, tell what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.twinspark.proof.proofs import STAGES
from rich.console import Console

from . import precheck, reach
from .events import Event
from .exitcodes import Exit
from .place import Options, Place
from .progress import display, recap
from .runner import Order, Outcome, run
from .runstate import NO_HOST, RunState, StageState

console = Console(soft_wrap=True)
complaints = Console(stderr=True, soft_wrap=True)
__all__ = ["Options", "Place", "ask", "collect", "live", "perform", "quietly", "site_stages", "stage_of_plays", "tell"]


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
    reach.remember(place, precheck.inventory(place.inventory, place.content))
    state = RunState(
        {stage: StageState() for stage in stages}, stage_of_plays(place.content), login_of=cache(place.login_of)
    )
    shown = display(state, console)
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
    code = conclude(state, outcome, console)
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


def collect(
    place: Place, playbook: str, extra: Mapping[str, Any], become_password: str, actions: Sequence[str]
) -> tuple[Exit, list[Event]]:
    """Run a playbook and show nothing of it but what stopped it; the results of these modules."""
    reach.remember(place, precheck.inventory(place.inventory, place.content))
    state = RunState({}, {})
    found: list[Event] = []

    def take(event: Event) -> None:
        state.take(event)
        if event.kind == "runner_on_ok" and event.action in actions:
            found.append(event)

    order = Order(
        content=place.content,
        workdir=place.workdir,
        inventory=place.inventory,
        playbooks=(place.playbook(playbook),),
        extra=extra,
        become_password=become_password,
    )
    outcome = run(order, take)
    return (Exit.OK if outcome.rc == 0 and found else conclude(state, outcome, None)), found


def ask(place: Place, question: str, max_tokens: int, become_password: str) -> Exit:
    """Put one question to the served model and print the answer alone."""
    extra = {"ask_question": question, "ask_max_tokens": max_tokens}
    code, answers = collect(place, "ask", extra, become_password, ["twinspark_canary"])
    if code == Exit.OK and answers:
        console.out(answers[-1].result["answer"], highlight=False)
    return code


def live(place: Place, asking: bool, become_password: str) -> tuple[Exit, dict[str, Any]]:
    """What `status --live` reads, as data: `hosts`, each with what was seen there, and `canary`, null without one."""
    modules = ("twinspark_live_info", "twinspark_canary")
    code, found = collect(place, "status", {"live_ask": asking}, become_password, modules)
    hosts = {event.host: event.result["live"] for event in found if "live" in event.result}
    canaries = [event.result["canary"] for event in found if "canary" in event.result]
    return code, {"hosts": hosts, "canary": canaries[-1] if canaries else None}


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
