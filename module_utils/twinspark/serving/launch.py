"""A start of the pair, stage by stage: read the logs, stop all, pause, wait for room, workers, head, the first token.

What is left of ended ranks goes with the stop, ahead of the look at the memory: it holds the memory that is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from . import faults
from .pair import Action, HostSeen, Known, Limits, Seen, Stage, State
from .rank import GIB

Stepped = tuple[State, tuple[Action, ...]]
# Seconds to wait for the logs of ranks that died; without them there is no cause to name, and no more.
LOG_SECONDS = 20


def at(state: State, stage: Stage, phase: str = "") -> State:
    """The state at the beginning of another stage."""
    return replace(state, stage=stage, spent=0.0, phase=phase)


def read_logs(state: State, seen: Seen) -> Stepped:
    """Read every rank's log before the stop writes into it; then its cause stands behind the reason."""
    asked = [host for host in seen.hosts if host.reachable and host.host in state.ranks]
    waiting = [host for host in asked if host.log is None]
    if waiting and state.spent < LOG_SECONDS:
        return replace(state, phase="reading the logs"), tuple(Action("log", host.host) for host in waiting)
    cause = faults.root_cause(seen)
    return at(replace(state, why=f"{state.why}: {cause}" if cause else state.why), "stop"), ()


def stop(state: State, seen: Seen) -> Stepped:
    """Stop the head, then the others: a head would take a worker that leaves for a fault. Stage "" when all is gone."""
    first, others = seen.head, seen.hosts[1:]
    left = [host for host in others if host.reachable and not host.cleared]
    if first.reachable and not first.cleared:
        # A head that is over has only leftovers; its workers need not wait for those.
        now = [first, *left] if first.over else [first]
        return replace(state, phase=f"stopping the rank on {first.host}"), _each("stop", now)
    if left:
        return replace(state, phase=f"stopping the rank on {faults.names(left)}"), _each("stop", left)
    away = [host for host in seen.hosts if not host.reachable]
    if away:
        return replace(state, phase=f"waiting for {faults.names(away)}"), ()
    return at(replace(state, ranks={}), ""), ()


def launch(state: State, seen: Seen, limits: Limits) -> Stepped:
    """One step of a start. A death in it is the supervisor's to judge, before this is called."""
    match state.stage:
        case "log":
            stepped = read_logs(state, seen)
        case "stop":
            state, actions = stop(state, seen)
            stepped = (state if state.stage == "stop" else at(state, "pause")), actions
        case "pause" if state.pause > 0:
            stepped = replace(state, phase=f"pausing for {state.pause:.0f} s"), ()
        case "pause" | "room":
            stepped = room(state, seen, limits)
        case "workers":
            stepped = workers(state, seen)
        case "head":
            stepped = head(state, seen, limits)
        case _:
            stepped = ready(state, seen)
    return stepped


def room(state: State, seen: Seen, limits: Limits) -> Stepped:
    """Wait for what a start needs of every host, say for what, then start the workers. Here a start is counted."""
    if any(host.reachable and not host.cleared for host in seen.hosts):
        return at(state, "stop"), ()  # somebody started a rank meanwhile
    for host in seen.hosts:
        if lacking := _lacking(host, limits):
            return replace(state, stage="room", phase=f"waiting for {lacking}"), ()
    begun = replace(
        state,
        restarts=state.restarts + (1 if state.counted else 0),
        counted=False,
        ranks={host.host: Known(host.boot_id, host.unit.get("InvocationID", "")) for host in seen.hosts},
        ready=0.0, work=None, frozen=0.0, refused="", low=0, served=0.0,
    )  # fmt: skip
    others = seen.hosts[1:]
    if not others:
        return start_head(begun, seen)
    return at(begun, "workers", f"starting the rank on {faults.names(others)}"), _each("start", others)


def _lacking(host: HostSeen, limits: Limits) -> str:
    """What a host lacks for a start, in words; empty for nothing."""
    if not host.reachable:
        return host.host
    if host.unit.get("LoadState", "loaded") != "loaded":
        return f"the unit on {host.host}; run `twinspark apply --stage serve`"
    if not host.docker:
        return f"Docker on {host.host}"
    if host.missing:
        return f"{' and '.join(host.missing)} on {host.host}"
    needed = faults.need(host, limits)
    if host.memory and host.memory.available < needed:
        return f"memory on {host.host}: {host.memory.available / GIB:.1f} of {needed / GIB:.1f} GiB"
    return ""


def workers(state: State, seen: Seen) -> Stepped:
    """Wait for every worker's process, then start the head."""
    late = [host for host in seen.hosts[1:] if not faults.runs(state, host)]
    if late:
        return replace(state, phase=f"starting the rank on {faults.names(late)}"), ()
    if not seen.head.reachable:
        return replace(state, phase=f"waiting for {seen.head.host}"), ()
    return start_head(state, seen)


def start_head(state: State, seen: Seen) -> Stepped:
    """Start rank 0, the last of all."""
    return at(state, "head", f"starting the rank on {seen.head.host}"), _each("start", [seen.head])


def head(state: State, seen: Seen, limits: Limits) -> Stepped:
    """Wait for the head's process."""
    if faults.runs(state, seen.head):
        return at(replace(state, quiet=limits.canary_retry), "ready", "starting"), ()
    return replace(state, phase=f"starting the rank on {seen.head.host}"), ()


def ready(state: State, seen: Seen) -> Stepped:
    """Show how far the engine has come, by its log. What ends this stage is a token."""
    phase = seen.head.log.phase if seen.head.log else ""
    readable = [host for host in seen.hosts if host.reachable]
    return replace(state, phase=phase or state.phase or "starting"), _each("log", readable)


def overdue(state: State, seen: Seen, limits: Limits) -> str:
    """Why a start has taken too long, in words; empty while it has not."""
    if state.stage in ("workers", "head") and state.spent > limits.start_grace:
        late = [host for host in seen.hosts if host.host in state.ranks and not faults.runs(state, host)]
        late = late if state.stage == "head" else [host for host in late if host is not seen.head]
        return f"no rank began on {faults.names(late) or seen.head.host} within {limits.start_grace:g} s"
    if state.stage == "ready" and state.ready > limits.ready_timeout:
        refused = f"; the canary got no token ({state.refused})" if state.refused else ""
        return f"no token within {limits.ready_timeout:g} s of the start; the head was at: {state.phase}{refused}"
    return ""


def _each(verb: Literal["stop", "start", "log"], hosts: Iterable[HostSeen]) -> tuple[Action, ...]:
    return tuple(Action(verb, host.host) for host in hosts)
