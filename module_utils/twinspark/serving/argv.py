"""The engine's command lines: from the profile, the settings and the fabric to one systemd unit a host. All pure.

Every rank runs the same argv but for its rank; only rank 0 listens for clients. What names an interface, a device or
an address is taken from that host's own entry of the fabric.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from ..proof.proofs import digest
from .rendezvous import NFT, rules_text

LABEL = "io.twinspark.engine"
HF_HOME = "/root/.cache/huggingface"
DOCKER = "/usr/bin/docker"


class EngineError(ValueError):
    """Settings that no engine can be started with; the message says which and what to write instead."""


@dataclass(frozen=True)
class Engine:
    """What is the same on every rank. Paths in `volumes` are host:container[:ro]; sizes are Docker's."""

    name: str
    description: str
    image: str
    model: str
    served_name: str
    command: Sequence[str]
    args: Sequence[Any]
    tensor_parallel: int
    master_addr: str
    master_port: int
    host: str
    port: int
    pipeline_parallel: int = 1
    gpu_memory_utilization: float | None = None
    env: Mapping[str, Any] = field(default_factory=dict)
    docker_options: Sequence[str] = ()
    ipc: str = "host"
    shm_size: str = ""
    volumes: Sequence[str] = ()
    rdma: bool = True
    drop_page_cache: bool = True
    close_rendezvous: bool = True
    env_file: str = "/etc/twinspark/vllm.env"
    rules_file: str = "/etc/twinspark/vllm.nft"
    rules_table: str = "twinspark_vllm"
    secret_env_file: str = ""
    secret_digest: str = ""
    start_tries: int = 3
    start_interval: int = 3600
    restart_delay: int = 30

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Engine:
        """An engine from the role's settings; a name that is no setting is a slip worth telling."""
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(settings) - known)
        if unknown:
            raise EngineError(f"no such engine settings: {', '.join(unknown)}")
        return cls(**settings)


def argument(value: Any) -> str:
    """One argv item: a mapping or list becomes compact JSON, anything else its text."""
    if isinstance(value, bool):
        raise EngineError(f"an engine argument is {value}: quote it, or leave the flag out")
    if isinstance(value, Mapping | list):
        return json.dumps(value, separators=(",", ":"))
    return str(value)


def problems(engine: Engine, ranks: int) -> list[str]:
    """What can't work, before anything is started. `ranks` is the number of hosts, each with one rank."""
    found = []
    world = engine.tensor_parallel * engine.pipeline_parallel
    if world != ranks:
        found.append(
            f"the profile is for {world} ranks (tensor parallel {engine.tensor_parallel} x pipeline parallel "
            f"{engine.pipeline_parallel}), and the inventory's group sparks has {ranks} host(s): "
            "add or remove hosts, or choose another profile"
        )
    owned = ("--nnodes", "--node-rank", "--master-addr", "--master-port", "--headless", "--host", "--port", "--api-key",
             "--tensor-parallel-size", "--served-model-name", "--model")  # fmt: skip
    for flag in owned:
        if any(str(a).split("=")[0] == flag for a in engine.args):
            found.append(f"{flag} stands in the profile's args: the role writes it itself, so remove it there")
    if engine.host not in ("127.0.0.1", "::1", "localhost") and not engine.secret_env_file:
        found.append(
            f"the endpoint would listen on {engine.host} without a key: set twinspark_endpoint_key_file, "
            "or leave twinspark_endpoint_host at 127.0.0.1"
        )
    return found


def engine_argv(engine: Engine, rank: int, ranks: int) -> list[str]:
    """vLLM's argv for one rank; with one host it is a plain `vllm serve`."""
    argv = [*engine.command, engine.model, "--served-model-name", engine.served_name]
    argv += ["--tensor-parallel-size", str(engine.tensor_parallel)]
    if engine.pipeline_parallel > 1:
        argv += ["--pipeline-parallel-size", str(engine.pipeline_parallel)]
    if engine.gpu_memory_utilization is not None:
        argv += ["--gpu-memory-utilization", str(engine.gpu_memory_utilization)]
    argv += [argument(a) for a in engine.args]
    if ranks > 1:
        argv += ["--distributed-executor-backend", "mp", "--nnodes", str(ranks), "--node-rank", str(rank)]
        argv += ["--master-addr", engine.master_addr, "--master-port", str(engine.master_port)]
    argv += ["--headless"] if rank else ["--host", engine.host, "--port", str(engine.port)]
    return argv


def rank_env(engine: Engine, entry: Mapping[str, Any]) -> dict[str, str]:
    """The environment of one rank: the profile's, and what this host's rails add. Never a secret.

    Sockets are held to the first rail: a guess by hostname lands on 127.0.1.1 on Ubuntu. With RDMA, NCCL gets both
    devices by exact name (`=`), may not fall back to sockets unheard (NCCL_NET), and chooses the GID by itself.
    """
    env = {
        "HF_HOME": HF_HOME,
        "HF_HUB_OFFLINE": "1",
        "HF_MODULES_CACHE": "/tmp/hf-modules",  # noqa: S108 - in the container: the Hub cache is mounted read-only
        "TRANSFORMERS_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
    }
    env |= {key: str(value) for key, value in engine.env.items()}
    rails = entry["rails"]
    if rails:
        first = rails[0]
        env["VLLM_HOST_IP"] = first["address"]
        env |= {f"{what}_SOCKET_IFNAME": first["interface"] for what in ("GLOO", "NCCL", "TP")}
        if engine.rdma:
            env["NCCL_IB_HCA"] = "=" + ",".join(rail["hca"] for rail in rails)
            env["NCCL_NET"] = "IB"
    for key, value in env.items():
        if "\n" in value:
            raise EngineError(f"environment {key} has a line break, which an environment file can't hold")
    return env


def env_text(env: Mapping[str, str]) -> str:
    """The text of Docker's --env-file: KEY=VALUE, unquoted."""
    return "".join(f"{key}={env[key]}\n" for key in sorted(env))


def docker_argv(engine: Engine, argv: Sequence[str], mark: str) -> list[str]:
    """`docker run` in the foreground around the engine's argv; `mark` is the digest that drift is seen by."""
    run = [DOCKER, "run", "--rm", "--init", "--name", engine.name, "--label", f"{LABEL}={mark}"]
    # The journal has the log already; Docker's own copy would grow without bound.
    run += ["--log-driver", "none", "--network", "host"]
    run += ["--ipc", engine.ipc] if engine.ipc else []
    run += ["--shm-size", engine.shm_size] if engine.shm_size and engine.ipc != "host" else []
    run += list(engine.docker_options)
    run += ["--env-file", engine.env_file]
    run += ["--env-file", engine.secret_env_file] if engine.secret_env_file else []
    for volume in engine.volumes:
        run += ["--volume", volume]
    return [*run, "--entrypoint", "", engine.image, *argv]


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


def rules(engine: Engine, entry: Mapping[str, Any], ranks: int) -> str:
    """The nftables rules of one host; empty where there is nothing to close."""
    if not closes(engine, int(entry["rank"]), ranks):
        return ""
    try:
        return rules_text(engine.rules_table, engine.master_port, [rail["interface"] for rail in entry["rails"]])
    except ValueError as error:
        raise EngineError(str(error)) from error


def plan(settings: Mapping[str, Any], entry: Mapping[str, Any], ranks: int) -> dict[str, Any]:
    """All of one host: engine argv, environment, unit, and the digest of what it would run.

    The secret is in the digest by its own digest only, so that a new key restarts the pair and none is written.
    """
    engine = Engine.of(settings)
    rank = int(entry["rank"])
    argv = engine_argv(engine, rank, ranks)
    env = rank_env(engine, entry)
    bare = docker_argv(engine, argv, "")
    mark = digest({"run": bare, "env": env, "secret": engine.secret_digest}).removeprefix("sha256:")
    return {
        "rank": rank,
        "ranks": ranks,
        "argv": argv,
        "env": env,
        "env_text": env_text(env),
        "digest": mark,
        "unit_text": unit_text(engine, docker_argv(engine, argv, mark), rank, ranks),
        "rules_text": rules(engine, entry, ranks),
        "problems": problems(engine, ranks),
    }


def inputs(settings: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the proof of the stage is bound to: the engine's argv and what every host would run."""
    plans = {entry["host"]: plan(settings, entry, len(entries)) for entry in entries}
    first = next(iter(plans.values()))
    return {
        "image": settings["image"],
        "argv": first["argv"],
        "digests": {host: found["digest"] for host, found in plans.items()},
    }
