"""The supervisor of the served pair: `step(state, seen, limits)` gives the next state and what is to be done. Pure.

* **Alive means tokens.** While the engine's counters move, nothing is restarted, however slow it is. While they stand
  and nothing runs, or the engine says so, one token is asked for. Only when neither has come for `patience` seconds, in
  which somebody waited for one, is the pair stuck; it is looked at once more before anything is stopped. /health
  decides nothing.
* **A rank that is gone is a fault at once**: a unit that ended, with whatever exit code, a container or a named process
  of this start that is no more, a host that was rebooted. A host that can't be reached is none of these.
* **All ranks go down and come up together**, head first down, head last up. See `launch`.
* **A bound.** A start after a fault is counted when the ranks are told to start. After `restarts` of them without
  `service_hours` of service in between, the pair is given up: everything is stopped, and only a new wish starts it.
  The count is on disk: no end of the supervisor, of the head or of Docker resets it. A wish that starts the pair does.
* **Reboots.** A rank is gone with its host, so the pair starts again when all hosts are there. That start is counted:
  a host that falls over time after time must not be driven on, and from here an orderly reboot of a peer looks the
  same. One exception: where the head itself was shut down in order, which it remembers (`farewell`), it is not counted.
* **Memory under the floor** restarts even a pair that moves: a host of unified memory that runs out is lost with both.
"""

from __future__ import annotations

from dataclasses import replace

from . import faults
from .launch import Stepped, at, launch, overdue, read_logs, stop
from .pair import DOWN, LAUNCHING, UP, Action, Kind, Known, Limits, Seen, State

# No look counts for more: a supervisor that was itself stopped for an hour has not watched a frozen pair for an hour.
LONGEST_LOOK = 60.0
# Looks in a row under the memory floor.
LOW_LOOKS = 2
HOUR = 3600.0


def step(state: State, seen: Seen, limits: Limits) -> Stepped:
    """One step. The state goes to disk before anything is done: a start is never counted too late."""
    state, alive = _aged(state, seen, limits)
    if seen.wish and (state.wish is None or seen.wish.id != state.wish.id):
        return _obey(state, seen, limits)
    if state.kind in DOWN:
        return _stay_down(state, seen)
    state = replace(state, ranks=faults.known_now(state, seen))
    if state.kind in LAUNCHING and state.stage not in ("workers", "head", "ready"):
        return launch(state, seen, limits)
    if why := faults.gone(state, seen):
        return _reboot(state, seen, limits, why) if _in_order(state, seen) else _fault(state, seen, limits, why)
    if state.kind in LAUNCHING and not (alive and state.stage == "ready"):
        return _launch(state, seen, limits)
    if state.kind == "stuck" and not alive:
        return _fault(state, seen, limits, state.why)
    return _serve(state, seen, limits)


def _launch(state: State, seen: Seen, limits: Limits) -> Stepped:
    """The ranks were told to start, and no token has come yet."""
    if why := overdue(state, seen, limits):
        return _fault(state, seen, limits, why)
    launched, actions = launch(state, seen, limits)
    return _ask(launched, seen, limits, actions) if launched.stage == "ready" else (launched, actions)


def _aged(state: State, seen: Seen, limits: Limits) -> tuple[State, bool]:
    """The state with its clocks put on and the signs of life read; whether there was one since the last look."""
    passed = max(0.0, min(seen.passed, LONGEST_LOOK))
    work = seen.counters.work if seen.counters else None
    alive = work is not None and state.work is not None and work > state.work
    heard, asked, refused = state.heard, state.asked, state.refused
    if seen.answer and seen.answer.number == asked > heard:
        heard = asked
        alive = alive or seen.answer.tokens > 0
        refused = "" if seen.answer.tokens > 0 else seen.answer.error or "no token"
    elif asked > heard and seen.asking != asked and (seen.answer is None or seen.answer.number != asked):
        heard = asked  # it was lost with the hand that asked: the supervisor was started again
    wanted = asked > heard or bool(refused) or bool(seen.counters and seen.counters.held)
    served = state.served + (passed if state.kind in UP and (alive or not state.frozen) else 0)
    restarts = 0 if served >= limits.service_hours * HOUR else state.restarts
    aged = replace(
        state,
        spent=state.spent + passed,
        pause=max(0.0, state.pause - passed) if state.stage == "pause" else state.pause,
        ready=state.ready + passed,
        quiet=0.0 if alive else state.quiet + passed,
        frozen=0.0 if alive else state.frozen + (passed if wanted else 0),
        served=served,
        restarts=restarts,
        token=seen.now if alive else state.token,
        work=state.work if work is None else work,
        heard=heard,
        refused="" if alive else refused,
    )
    return aged, alive


def _turn(state: State, seen: Seen, kind: Kind) -> State:
    """The state turned to another kind, now."""
    return replace(state, kind=kind, since=seen.now, stage="", spent=0.0, phase="")


def _serve(state: State, seen: Seen, limits: Limits) -> Stepped:
    """The pair is up, and no rank is known to be gone."""
    if state.kind not in UP:
        state = replace(_turn(state, seen, "serving"), why="")
    low = faults.short_of_memory(seen, limits)
    state = replace(state, low=state.low + 1 if low else 0)
    if state.low >= LOW_LOOKS:
        return _fault(state, seen, limits, low)
    if state.frozen >= limits.patience:
        return replace(_turn(state, seen, "stuck"), why=faults.frozen(state, seen, limits)), ()
    # A canary of our own that waits for its token is no work of the owner's.
    own = 1 if state.asked > state.heard else 0
    busy = bool(seen.counters and seen.counters.held > own)
    away = [host for host in seen.hosts if not host.reachable]
    phase = f"no token for {state.frozen:.0f} s" if state.frozen > limits.canary_every else ""
    phase = ", ".join(filter(None, (phase, f"{faults.names(away)} can't be reached" if away else "")))
    state = replace(state, kind="busy" if busy else "serving", phase=phase, ranks=_joined(state, seen))
    return _ask(state, seen, limits, ())


def _ask(state: State, seen: Seen, limits: Limits, actions: tuple[Action, ...]) -> Stepped:
    """Ask for a token where the engine has nothing to do, or does not say; never beside requests that it works on."""
    pause = limits.canary_every if state.kind in UP and not state.frozen else limits.canary_retry
    held = bool(seen.counters and seen.counters.held)
    if held or state.asked > state.heard or seen.asking or state.quiet < pause:
        return state, actions
    number = state.asked + 1
    return replace(state, asked=number, quiet=0.0), (*actions, Action("ask", number=number))


def _joined(state: State, seen: Seen) -> dict[str, Known]:
    """The ranks of this start, with those of an adopted one that could not be reached at first."""
    found = dict(state.ranks)
    for host in seen.hosts:
        if host.reachable and host.host not in found and host.active == "active":
            found[host.host] = Known(host.boot_id)
    return found


def _in_order(state: State, seen: Seen) -> bool:
    """Whether the head was shut down in order, and with it what ran."""
    known = state.ranks.get(seen.head.host)
    return bool(known and seen.head.reachable and known.boot_id == state.farewell != seen.head.boot_id)


def _reboot(state: State, seen: Seen, limits: Limits, why: str) -> Stepped:
    """Start again after an orderly reboot of the head: not counted, and there is no log to read."""
    fresh = replace(_turn(state, seen, "starting"), why=why, counted=False, pause=0.0)
    return launch(at(fresh, "stop"), seen, limits)


def _fault(state: State, seen: Seen, limits: Limits, why: str) -> Stepped:
    """Restart, if there is one left; else give up. Either way the logs are read, then all is stopped."""
    if state.restarts >= limits.restarts:
        times = f"{state.restarts} restart{'' if state.restarts == 1 else 's'}"
        times += f" since the last {limits.service_hours:g} h of service did not help"
        over = replace(_turn(state, seen, "given_up"), why=f"{times}; last: {why}")
        return read_logs(at(over, "log"), _without_logs(seen))
    pauses = limits.pauses or (0.0,)
    pause = pauses[min(state.restarts, len(pauses) - 1)]
    fallen = replace(_turn(state, seen, "restarting"), why=why, counted=True, pause=pause, low=0)
    return read_logs(at(fallen, "log"), _without_logs(seen))


def _without_logs(seen: Seen) -> Seen:
    """A log that was read before the fault does not show it."""
    return replace(seen, hosts=tuple(replace(host, log=None) for host in seen.hosts))


def _obey(state: State, seen: Seen, limits: Limits) -> Stepped:
    """A new wish of the owner's. What runs is left alone by a `start`; whatever starts the pair has a new count."""
    wish = seen.wish
    assert wish is not None  # noqa: S101 - the caller has looked
    state = replace(state, wish=wish)
    if wish.verb == "stop":
        return _stay_down(at(replace(_turn(state, seen, "stopped"), why=wish.why), "stop"), seen)
    if wish.verb == "start" and state.kind not in DOWN:
        return replace(state, ranks=faults.known_now(state, seen)), ()
    settled = state.stage == ""  # else it is still being stopped
    fresh = replace(_turn(state, seen, "starting"), why=wish.why, restarts=0, counted=False, pause=0.0)
    if wish.verb == "start" and settled and _runs(seen):
        adopted = {host.host: Known(host.boot_id) for host in seen.hosts if host.reachable}
        fresh = replace(fresh, ranks=adopted, ready=0.0, work=None, frozen=0.0, refused="", quiet=HOUR)
        fresh = at(fresh, "ready", "adopting the ranks that run")
        return replace(fresh, ranks=faults.known_now(fresh, seen)), ()
    return launch(at(fresh, "stop"), seen, limits)


def _runs(seen: Seen) -> bool:
    """Whether a pair runs that can be adopted: the head's rank, and the rank of every host that can be reached."""
    return seen.head.reachable and all(host.active == "active" for host in seen.hosts if host.reachable)


def _stay_down(state: State, seen: Seen) -> Stepped:
    """Nothing runs, and nothing is started. What comes back running, on a host that was away, is stopped.

    Before there was any wish, what runs is left as it is.
    """
    if state.kind == "stopped" and state.wish is None:
        return state, ()
    if state.stage == "log":
        return read_logs(state, seen)
    stopped, actions = stop(replace(state, stage="stop"), seen)
    return (stopped if stopped.stage == "stop" else replace(stopped, phase="")), actions
