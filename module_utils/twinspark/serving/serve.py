"""The served pair: why it must be restarted, and the verdicts on what its ranks and the canary showed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..proof.values import Measurement, Requirement, Verdict
from .argv import RankPlan
from .canary import Canary
from .changes import changes
from .rank import GIB, Memory, Named, Nccl, Rank, Unit
from .supervised import Supervised, supervisor_verdict


def unit_commands(name: str, unit: Unit, state: str, enabled: bool | None) -> list[list[str]]:
    """systemctl's argv lists that bring a unit to `state`; empty when it is there.

    `unit`: ActiveState, UnitFileState, LoadState and NeedDaemonReload. A failed unit counts as stopped, but its
    failure is forgotten, for the sake of a clean `systemctl --failed` and of the count of tries.
    """
    active = unit.get("ActiveState", "inactive")
    commands: list[list[str]] = []
    loaded = unit.get("LoadState") == "loaded"
    if unit.get("NeedDaemonReload") == "yes" or (state == "started" and not loaded):
        commands.append(["systemctl", "daemon-reload"])
    if enabled is not None and (loaded or enabled) and (unit.get("UnitFileState") == "enabled") is not enabled:
        commands.append(["systemctl", "enable" if enabled else "disable", "--quiet", name])
    if state == "started" and active not in ("active", "activating"):
        commands += [["systemctl", "reset-failed", name], ["systemctl", "start", name]]
    elif state == "stopped" and active in ("active", "activating", "deactivating", "reloading"):
        commands += [["systemctl", "stop", name], ["systemctl", "reset-failed", name]]
    elif state == "stopped" and active == "failed":
        commands.append(["systemctl", "reset-failed", name])
    return commands


def memory_verdict(host: str, memory: Memory, utilization: float | None, memory_gib: float | None) -> Verdict:
    """Enough MemAvailable before launch. On unified memory running out hangs the host, so this is asked first.

    `utilization` is the share of all memory that the engine will take, `memory_gib` the need where there is no share.
    """
    need = memory.total / GIB * utilization if utilization else (memory_gib or 0)
    # Up to the next tenth, so that the figure that is shown is the one that is judged by, and never less.
    required = Requirement(">=", math.ceil(round(need * 10, 6)) / 10, "GiB")
    return Verdict.of(
        f"memory available on {host}",
        memory.available / GIB,
        required,
        digits=1,
        reason="the engine would run the host out of memory",
        fix="stop what else uses memory on it, or lower gpu_memory_utilization in the profile",
    )


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the pair has to be restarted: what is on a host, and what should be.

    name: image; a flag (--max-num-seqs) or a variable; digest where what differs has no name of its own; supervisor
    where the pair is down, and a start is wanted.
    """

    host: str
    name: str
    current: str | None
    desired: str


def restart_reasons(
    hosts: Sequence[str], found: Mapping[str, Rank], plans: Mapping[str, RankPlan], says: Supervised
) -> list[Reason]:
    """Why the pair has to be started, or restarted; empty when it runs as it should.

    `hosts` in rank order, `found` what was seen on each host, `plans` what each host shall run, `says` what the
    supervisor says. What a fault needs is the supervisor's business; what runs otherwise than it should is this one's.
    """
    reasons = [Reason(hosts[0], "supervisor", says.kind, "serving")] if says.down else []
    for host in hosts:
        rank = found[host]
        runs = rank.container
        if runs is None:
            continue
        if runs.image_id != rank.image_id:
            # Not what follows from it: the digest is of the image, too.
            reasons.append(Reason(host, "image", runs.image_id, rank.image_id))
        elif runs.digest != rank.desired:
            reasons += differences(host, rank, plans[host]) or [Reason(host, "digest", runs.digest, rank.desired)]
    return reasons


def differences(host: str, rank: Rank, plan: RankPlan) -> list[Reason]:
    """The flags and variables by which a running rank is another than the one that is wanted; empty where none is."""
    runs = rank.container
    if runs is None:
        return []
    return [
        Reason(host, change.name, change.current, change.desired)
        for change in changes(runs.command, runs.env, plan.argv, plan.env)
    ]


def death(rank: Rank) -> tuple[str, str]:
    """Reason and fix of a rank that died: from the known deaths, else its unit's state and its last words."""
    if rank.cause:
        return f"{rank.cause.name}: {rank.cause.line}", rank.cause.fix
    last = rank.log_tail[-1] if rank.log_tail else "its log is empty"
    result, code = rank.unit.get("Result"), rank.unit.get("ExecMainStatus", "?")
    # vLLM ends so when a worker was killed, and systemd calls it a success.
    quiet = result == "success" and code == "0" and rank.log_tail
    end = "ended with exit code 0, though it should run" if quiet else f"{result or 'no unit'}, exit {code}"
    return (
        f"{end}: {last}",
        "read `journalctl -u twinspark-vllm` there, correct the cause and run `twinspark apply --stage serve`",
    )


def rank_verdict(host: str, rank: Rank) -> Verdict:
    """Whether a host's rank runs: an active unit, and a process in its container."""
    running = rank.container is not None and bool(rank.container.pid)
    state = "active, without a running container" if rank.active == "active" and not running else rank.active
    reason, fix = death(rank)
    return Verdict.of(f"rank on {host}", state, Requirement("==", "active"), reason=reason, fix=fix)


def rdma_verdicts(host: str, nccl: Nccl, hcas: Sequence[str], answers: bool) -> list[Verdict]:
    """Whether NCCL took the network IB on a host, and there exactly the HCAs of its rails. Not heard is not proved.

    Each rank says so in its own log only. answers: whether the engine generates. Where it does not, a rank may not
    have come to NCCL's lines yet: the reason is another, and stops the line by itself.
    """
    sockets = bool(nccl.network) and "IB" not in nccl.network  # then it names no HCA
    heard = sockets or bool(nccl.devices)
    wanted = sorted(f"{hca}/RoCE" for hca in hcas)
    used = sorted(set(nccl.devices))
    missing, foreign = sorted(set(wanted) - set(used)), sorted(set(used) - set(wanted))
    clauses = [f"NCCL does not use {', '.join(missing)}"] if missing else []
    clauses += [f"NCCL uses {', '.join(foreign)}, which is not a rail's"] if foreign else []
    unheard = "not measured: NCCL's lines were not in the log"
    log_fix = (
        "NCCL_DEBUG=INFO is needed, as it is unless vllm_serve_env or the profile's env has another; where the journal "
        "has lost the start of a rank, run `twinspark stop`, then `twinspark apply --stage serve`"
    )
    rdma_fix = "run `twinspark apply --stage rdma`, and see RoCE in docs/serving.md"
    blocks = heard or bool(nccl.network) or answers
    return [
        Verdict.of(
            f"NCCL over RoCE on {host}",
            nccl.network or None,
            Requirement("contains", "IB"),
            reason="NCCL fell back to sockets, at about a tenth of the rate" if nccl.network else unheard,
            fix=rdma_fix if nccl.network else log_fix,
            blocks=blocks,
        ),
        Verdict.of(
            f"NCCL devices on {host}",
            used if heard else None,
            Requirement("==", wanted),
            reason="; ".join(clauses) if heard else unheard,
            fix=rdma_fix if heard else log_fix,
            blocks=blocks,
        ),
    ]


def hand_verdicts(hosts: Sequence[str], says: Supervised) -> list[Verdict]:
    """Whether the supervisor reaches every rank. One that it can't reach it can't start again either."""
    return [
        Verdict.told(
            f"supervisor's way to {host}",
            host not in says.away,
            "no answer" if host in says.away else "answers",
            "answers",
            reason=says.away.get(host, ""),
            fix=f"let the user twinspark-serve log in to {host} from the head's rails (see its sshd's AllowUsers)",
        )
        for host in hosts
        if says.kind != "absent"
    ]


def busy_verdict(canary: Canary) -> Verdict:
    """For a canary that waits behind others' requests: the engine's own counters moved, so it is left alone."""
    return Verdict.of(
        "tokens by the engine's counters, beside a canary that waits", canary.counted, Requirement(">=", 1)
    )


def verdicts(  # noqa: PLR0913, PLR0917 - each is another thing that was seen
    hosts: Sequence[str],
    found: Mapping[str, Rank],
    canary: Canary,
    hcas: Mapping[str, Sequence[str]],
    says: Supervised,
    started: bool,
) -> list[Verdict]:
    """One verdict on the pair, one a rank, and one for the canary; with RDMA, two a host for NCCL's devices.

    hcas: those of each host's rails, which NCCL must use. Empty without RDMA; a host alone has nobody to reach by it.
    started: by this run. Then nobody else's requests can have been before the canary's.
    """
    judged = [supervisor_verdict(says), *hand_verdicts(hosts[1:], says)]
    for host in hosts:
        judged.append(rank_verdict(host, found[host]))
        if len(hosts) > 1 and host in hcas:
            judged += rdma_verdicts(host, found[host].nccl, hcas[host], canary.ok)
    phase = found[hosts[0]].phase
    waiting = f"; the head was at: {phase}" if phase not in ("", "answering") else ""
    # With a rank dead there is nothing to add: the death is the reason.
    if canary.busy and says.up and not started:
        return [*judged, busy_verdict(canary)]
    judged.append(canary.verdict(waiting, blocks=not any(verdict.stops for verdict in judged)))
    return judged


def measurements(hosts: Sequence[str], found: Mapping[str, Rank], canary: Canary) -> list[Measurement]:
    """The figures of the stage: readiness of the head, the canary's tokens and rate, bytes on each rail meanwhile."""
    head = hosts[0]
    ready = found[head].ready_seconds
    figures = [] if ready is None else [Measurement("readiness", ready, "s", head)]
    figures += [
        Measurement("canary time", canary.seconds, "s", head),
        Measurement("canary", canary.tokens, "tokens", head),
        Measurement("canary rate", canary.tokens_per_second, "tokens/s", head),
    ]
    for rail, counters in canary.rails.items():
        figures.append(Measurement("canary traffic", sum(counters.values()), "B", f"{head} {rail}"))
    return figures


@dataclass(frozen=True, slots=True)
class Shown:
    """What a proof keeps of one rank. restarts: by systemd, since it was started by hand."""

    ranks: tuple[Named, ...]
    nccl: Nccl
    started: float | None
    ready_seconds: float | None
    image_id: str
    unit: str
    restarts: int
    digest: str | None
    pid: int | None


def evidence(hosts: Sequence[str], found: Mapping[str, Rank]) -> dict[str, Shown]:
    """What each host showed of its rank."""
    return {host: shown(found[host]) for host in hosts}


def shown(rank: Rank) -> Shown:
    """One host's part of the evidence."""
    return Shown(
        ranks=rank.ranks,
        nccl=rank.nccl,
        started=rank.started,
        ready_seconds=rank.ready_seconds,
        image_id=rank.image_id,
        unit=rank.active,
        restarts=int(rank.unit.get("NRestarts") or 0),
        digest=rank.container.digest if rank.container else None,
        pid=rank.container.pid if rank.container else None,
    )
