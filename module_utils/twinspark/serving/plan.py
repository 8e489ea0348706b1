"""What one host shall run: one systemd unit around the engine, its environment, and the rules around its rendezvous."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..inventory.fabric import Host
from ..proof.proofs import digest
from .argv import DOCKER, Engine, EngineError, docker_argv, engine_argv, env_text, problems, rank_env
from .rendezvous import NFT, rules_text


@dataclass(frozen=True, slots=True)
class RankPlan:
    """All of one host: the engine's argv, its environment, its unit, and the digest of what it would run.

    problems: what can't work; nothing may be started while there is one.
    """

    rank: int
    ranks: int
    argv: list[str]
    env: dict[str, str]
    env_text: str
    digest: str
    unit_text: str
    rules_text: str
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the proof of the stage is bound to: the head's argv, and by host the digest of what it would run."""

    image: str
    argv: list[str]
    digests: dict[str, str]


def quoted(argument: str) -> str:
    """One word of a systemd ExecStart: its own quotes, specifiers (%) and variables ($) made harmless."""
    text = argument.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$").replace("\n", "\\n")
    plain = text and all(c.isalnum() or c in "-_./:=,@+%$" for c in text)
    return text if plain else f'"{text}"'


def closes(engine: Engine, rank: int, ranks: int) -> bool:
    """Whether this rank holds a rendezvous that has to be closed."""
    return engine.close_rendezvous and rank == 0 and ranks > 1


def unit_text(engine: Engine, run: Sequence[str], rank: int, ranks: int) -> str:
    """The systemd unit of one rank. Tries are bounded: restarts without end have wedged hosts of unified memory.

    Rank 0 starts only once its rendezvous is closed, after a boot as well.
    """
    start = " \\\n    ".join(quoted(word) for word in run)
    close = f"ExecStartPre={NFT} --file {engine.rules_file}\n" if closes(engine, rank, ranks) else ""
    drop = "ExecStartPre=-/usr/bin/sync\nExecStartPre=-/usr/sbin/sysctl --quiet --write vm.drop_caches=3\n"
    return f"""# Managed by twinspark; changes are overwritten by the next `twinspark apply --stage serve`.
[Unit]
Description={engine.description}, rank {rank} of {ranks}
Requires=docker.service
After=docker.service network-online.target
Wants=network-online.target
StartLimitIntervalSec={engine.start_interval}
StartLimitBurst={engine.start_tries}

[Service]
Type=exec
ExecStartPre=-{DOCKER} rm --force {engine.name}
{close}{drop if engine.drop_page_cache else ""}ExecStart={start}
ExecStop={DOCKER} stop --time 20 {engine.name}
ExecStopPost=-{DOCKER} rm --force {engine.name}
SuccessExitStatus=143
Restart=on-failure
RestartSec={engine.restart_delay}
TimeoutStopSec=60
KillMode=mixed

[Install]
WantedBy=multi-user.target
"""


def rules(engine: Engine, entry: Host, ranks: int) -> str:
    """The nftables rules of one host; empty where there is nothing to close."""
    if not closes(engine, entry.rank, ranks):
        return ""
    try:
        return rules_text(engine.rules_table, engine.master_port, [rail.interface for rail in entry.rails])
    except ValueError as error:
        raise EngineError(str(error)) from error


def plan(engine: Engine, entry: Host, ranks: int) -> RankPlan:
    """What one host shall run.

    The secret is in the digest by its own digest only, so that a new key restarts the pair and none is written.
    """
    argv = engine_argv(engine, entry.rank, ranks)
    env = rank_env(engine, entry)
    bare = docker_argv(engine, argv, "")
    mark = digest({"run": bare, "env": env, "secret": engine.secret_digest}).removeprefix("sha256:")
    return RankPlan(
        rank=entry.rank,
        ranks=ranks,
        argv=argv,
        env=env,
        env_text=env_text(env),
        digest=mark,
        unit_text=unit_text(engine, docker_argv(engine, argv, mark), entry.rank, ranks),
        rules_text=rules(engine, entry, ranks),
        problems=problems(engine, ranks),
    )


def inputs(engine: Engine, entries: Sequence[Host]) -> Inputs:
    """What the proof of the stage is bound to."""
    plans = {entry.host: plan(engine, entry, len(entries)) for entry in entries}
    return Inputs(engine.image, plans[entries[0].host].argv, {host: found.digest for host, found in plans.items()})
