"""What is wrong with a pair that was started: a rank that is gone, memory that runs out, and what the logs say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .causes import DEATHS, Cause
from .pair import HostSeen, Known, Limits, Seen, State
from .rank import GIB

WEIGHTS = {death.name: death.weight for death in DEATHS}


def gone(state: State, seen: Seen) -> str:
    """Why the ranks of this start can't go on, in words; empty where none is known to be gone.

    A host that gives no answer is no dead rank.
    """
    for host in seen.hosts:
        known = state.ranks.get(host.host)
        if known and host.reachable and (why := _of(host, known)):
            return why
    return ""


def _of(host: HostSeen, known: Known) -> str:
    name = host.host
    if host.boot_id != known.boot_id:
        return f"{name} was rebooted"
    invocation = host.unit.get("InvocationID", "")
    if host.over:
        # One that was ordered and has not begun is no dead one; one that began and ended between two looks is.
        if not known.invocation and invocation in ("", known.before):
            return ""
        return f"the rank on {name} ended with {_end(host)}, and nobody asked for it"
    if known.invocation and invocation != known.invocation:
        return f"the rank on {name} was started again by somebody else"
    if host.active == "deactivating":
        return ""
    # Null where Docker gave no answer: of the container nothing is known, then.
    if known.container and host.container is not None and host.container != known.container:
        return f"the container of the rank on {name} is gone"
    if host.container is not None:
        there = {process.pid for process in host.processes}
        for process in known.processes:
            if process.pid not in there:
                return f"the process {process.title} on {name} is gone"
    return ""


def _end(host: HostSeen) -> str:
    result, code = host.unit.get("Result", ""), host.unit.get("ExecMainStatus", "")
    told = f"exit code {code}" if code else "an unknown exit code"
    return told if result in ("", "success", "exit-code") else f"{told} ({result})"


def known_now(state: State, seen: Seen) -> dict[str, Known]:
    """What belongs to this start, with what the look has shown of it for the first time."""
    ranks = dict(state.ranks)
    for host in seen.hosts:
        known = ranks.get(host.host)
        if not known or not host.reachable or host.over or host.boot_id != known.boot_id:
            continue
        invocation = host.unit.get("InvocationID", "")
        if not known.invocation and invocation != known.before:
            known = replace(known, invocation=invocation)
        if not known.invocation or known.invocation != invocation:
            continue
        if not known.container and host.container:
            known = replace(known, container=host.container)
        if known.container and known.container == host.container:
            old = {process.pid for process in known.processes}
            new = tuple(process for process in host.processes if process.pid not in old)
            known = replace(known, processes=(*known.processes, *new))
        ranks[host.host] = known
    return ranks


def runs(state: State, host: HostSeen) -> bool:
    """Whether the rank of this start is known to have begun on a host."""
    known = state.ranks.get(host.host)
    return bool(known and known.invocation) and host.active == "active"


def short_of_memory(seen: Seen, limits: Limits) -> str:
    """Which host has less available memory than the floor, in words; empty for none."""
    if limits.floor_gib is None:
        return ""
    for host in seen.hosts:
        if host.reachable and host.memory and host.memory.available < limits.floor_gib * GIB:
            left = host.memory.available / GIB
            return f"only {left:.1f} GiB of memory are left on {host.host}, and {limits.floor_gib:g} are the least"
    return ""


def need(host: HostSeen, limits: Limits) -> float:
    """Bytes that must be available on a host before a start; 0 where the profile names none."""
    if not host.memory:
        return 0
    share = host.memory.total * limits.utilization if limits.utilization else limits.memory_gib * GIB
    return share + limits.headroom_gib * GIB if share else 0


def frozen(state: State, seen: Seen, limits: Limits) -> str:
    """How a pair without tokens looks: what is held, who is stopped, and whether it is the field's wedge."""
    words = [f"no token for {state.frozen:.0f} s"]
    if seen.counters is None:
        words.append("the endpoint gives no counters")
    elif seen.counters.held:
        words.append(f"{seen.counters.held:g} requests held")
    if state.refused:
        words.append(f"the canary got no token ({state.refused})")
    elif state.asked > state.heard:
        words.append("the canary hangs")
    away = [host.host for host in seen.hosts if not host.reachable]
    if away:
        words.append(f"{' and '.join(away)} can't be reached")
    words += [
        f"{process.title} on {host.host} is stopped (state T)"
        for host in seen.hosts
        for process in host.processes
        if process.state in "Tt"
    ]
    watts = {host.host: host.power for host in seen.hosts if host.power is not None}
    if watts and all(value <= limits.idle_watts for value in watts.values()):
        drawn = ", ".join(f"{value:g} W on {host}" for host, value in watts.items())
        words.append(f"the GPUs idle ({drawn}): the wedge that is known of these hosts")
    return "; ".join(words)


def root_cause(seen: Seen) -> str:
    """The cause that stands nearest the root, of all ranks' logs, with host and fix; empty for none."""
    found: list[tuple[str, Cause]] = [(host.host, host.log.cause) for host in seen.hosts if host.log and host.log.cause]
    if not found:
        return ""
    host, cause = min(found, key=lambda one: WEIGHTS.get(one[1].name, max(WEIGHTS.values())))
    return f"{cause.name} on {host} ({cause.line.strip()[:200]}). Fix: {cause.fix}"


def names(hosts: Iterable[HostSeen]) -> str:
    """The hosts in a sentence."""
    return " and ".join(host.host for host in hosts)
