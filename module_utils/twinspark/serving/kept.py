"""The states in which the pair has passed, as each host keeps them: the last one and the one before. And the way back.

A state is known by the digest of its proof's inputs, which is of the image, the argv and every host's digest: the same
on all hosts, so that no two of them can go back to different states.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .argv import RankPlan
from .changes import changes
from .rank import Rank
from .serve import Reason

# This one and the one before.
GENERATIONS = 2
APPLY = "`twinspark apply --stage serve`"


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was. mode: its permissions; what is kept is root's."""

    mode: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A state that passed. written: of its proof, UTC, ISO 8601. snapshot: folder of the weights on this host.

    url, model: where the engine was asked, and by which name. files: by path. proof: the document, on the head only.
    """

    id: str
    written: str
    image: str
    snapshot: str
    url: str
    model: str
    plan: RankPlan
    files: Mapping[str, File]
    proof: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A kept state as a host tells of it, without its files. lacks: what of its weights is not there any more.

    installed: whether the files on this host are those of the state.
    """

    id: str
    written: str
    image: str
    snapshot: str
    url: str
    model: str
    plan: RankPlan
    installed: bool = False
    lacks: str = ""
    proof: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a host has kept, the last state first. error: why that can't be read."""

    kept: tuple[State, ...] = ()
    error: str = ""

    def of(self, id: str) -> State | None:
        """The state of this ID."""
        return next((state for state in self.kept if state.id == id), None)


@dataclass(frozen=True, slots=True)
class Target:
    """The state to go back to; empty with the reasons why there is none."""

    id: str = ""
    written: str = ""
    problems: list[str] = field(default_factory=list)


def keep(old: Sequence[Kept], new: Kept) -> tuple[Kept, ...]:
    """What is kept once `new` has passed. The same state again takes its own place; another one moves it back by one.

    So after a rollback the two have changed places, and a second rollback goes forward again.
    """
    before = old[1:] if old and old[0].id == new.id else old
    return (new, *before)[:GENERATIONS]


def environment(text: str) -> dict[str, str]:
    """The variables of an environment file as Docker reads it: NAME=VALUE to the end of the line."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def target(hosts: Sequence[str], found: Mapping[str, Found]) -> Target:
    """Which state to go back to: the last that passed, or where all hosts have that one installed, the one before.

    An apply that did not pass has left other files on a host, and has kept nothing.
    """
    unread = [f"on {host} the kept states can't be read: {found[host].error}" for host in hosts if found[host].error]
    if unread:
        return Target(problems=unread)
    head = found[hosts[0]].kept
    if not head:
        return Target(problems=[f"no state was kept yet; {APPLY} keeps each one that passes"])
    last = [found[host].of(head[0].id) for host in hosts]
    installed = all(state is not None and state.installed for state in last)
    if installed and len(head) == 1:
        return Target(problems=[f"the state that is here (it passed {head[0].written}) is the only one that was kept"])
    wanted = head[1 if installed else 0]
    without = [host for host in hosts if found[host].of(wanted.id) is None]
    problems = [f"{host} has not kept the state that passed {wanted.written}" for host in without]
    return Target(wanted.id if not problems else "", wanted.written, problems)


def missing(hosts: Sequence[str], states: Mapping[str, State], ranks: Mapping[str, Rank], door: str = "") -> list[str]:
    """What stands in the way of the state, one clause each.

    ranks: as seen with the state's image asked for. door: URL of the engine to which the door passes on, or empty. The
    door stays as the settings have it.
    """
    url = states[hosts[0]].url
    found = []
    if door not in ("", url):
        found.append(f"the door passes on to {door}, and in that state the engine listens at {url}")
    for host in hosts:
        state = states[host]
        if ranks[host].image_id != state.image:
            found.append(f"on {host} Docker does not have the image {state.image}, or does not answer")
        if state.lacks:
            found.append(f"on {host} {state.lacks}")
    return found


def ahead(
    hosts: Sequence[str], states: Mapping[str, State], wanted: Mapping[str, RankPlan], image: str
) -> list[Reason]:
    """By what the settings go beyond the state: what the next apply changes. `image`: the ID that they mean."""
    found = []
    for host in hosts:
        state, plan = states[host], wanted[host]
        if state.image != image:
            found.append(Reason(host, "image", state.image, image))
        if state.plan.digest == plan.digest:
            continue
        lines = [f"{name}={value}" for name, value in state.plan.env.items()]
        named = [
            Reason(host, change.name, change.current, change.desired)
            for change in changes(state.plan.argv, lines, plan.argv, plan.env)
        ]
        if not named and state.image == image:
            named = [Reason(host, "digest", state.plan.digest, plan.digest)]
        found += named
    return found
