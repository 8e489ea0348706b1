"""The engine's command lines: from the profile, the settings and the fabric to what each host runs. All pure.

Every rank runs the same argv but for its rank; only rank 0 listens for clients. What names an interface, a device or
an address is taken from that host's own entry of the fabric. The role's templates write these values into files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from ..inventory.fabric import Host
from ..proof.json_form import from_json
from ..proof.proofs import digest

LABEL = "io.twinspark.engine"
HF_HOME = "/root/.cache/huggingface"
DOCKER = "/usr/bin/docker"
FLAG = "flag_"
IMAGE_ID = re.compile(r"sha256:([0-9a-f]{12})[0-9a-f]{52}\Z")
CACHE_KEY = re.compile(r"[0-9a-f]{12}\Z")
NO_IMAGE = "image-not-built-yet"
# Never another: vLLM knows a key for /v1 only, and /pause or /invocations would be open. Others come by the door.
LISTEN = "127.0.0.1"


class EngineError(ValueError):
    """Settings that no engine can be started with; the message says which and what to write instead."""


# One argument as YAML has it: a mapping or a list becomes compact JSON. True and false are none: they are not quoted.
Argument = str | int | float | Mapping[str, Any] | tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What is the same on every rank. Paths in `volumes` are host:container[:ro]; sizes are Docker's.

    image: its ID, since a name can move; its name:tag where check mode predicts before there is one; empty for none.
    flags: arguments of the engine that the code need not know, by name: max_num_seqs is --max-num-seqs. null or false:
    not passed; true: the flag alone. capabilities: those that root keeps in the container; null for Docker's own set.
    pids_limit, oom_score_adj: 0 leaves the option out.
    """

    name: str
    image: str
    model: str
    served_name: str
    command: tuple[str, ...]
    flags: Mapping[str, Argument | bool | None]
    args: tuple[Argument, ...]
    tensor_parallel: int
    pipeline_parallel: int
    gpu_memory_utilization: float | None
    master_addr: str
    master_port: int
    port: int
    env: Mapping[str, str | int | float]
    docker_options: tuple[str, ...]
    no_new_privileges: bool
    capabilities: tuple[str, ...] | None
    pids_limit: int
    oom_score_adj: int
    ipc: str
    shm_size: str
    volumes: tuple[str, ...]
    rdma: bool
    close_rendezvous: bool
    env_file: str

    @classmethod
    def from_json(cls, given: Mapping[str, Any], where: str = "vllm_serve") -> Self:
        """From the role's settings without their prefix, where every flag_NAME is one of `flags`. Raises ShapeError."""
        own = {key: given[key] for key in (field.name for field in fields(cls)) if key in given}
        flags = {key.removeprefix(FLAG): value for key, value in given.items() if key.startswith(FLAG)}
        return from_json(cls, {**own, "flags": flags}, where)


@dataclass(frozen=True, slots=True)
class RankPlan:
    """All of one host: the engine's argv and environment, the command that runs it, and the digest of these.

    run: `docker run` with the argv. rendezvous_interfaces: the only ones by which this rank's rendezvous may be
    reached; empty where nothing is to be closed. problems: what can't work; nothing may be started while there is one.
    """

    rank: int
    ranks: int
    argv: list[str]
    env: dict[str, str]
    run: list[str]
    digest: str
    rendezvous_interfaces: list[str]
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the proof of the stage is bound to: the head's argv, and by host the digest of what it would run."""

    image: str
    argv: list[str]
    digests: dict[str, str]


def argument(value: Argument) -> str:
    """One argv item: a mapping or list becomes compact JSON, anything else its text."""
    return json.dumps(value, separators=(",", ":")) if isinstance(value, Mapping | tuple) else str(value)


def flag_argv(flags: Mapping[str, Argument | bool | None]) -> list[str]:
    """The arguments of `Engine.flags`, by name."""
    argv: list[str] = []
    for name, value in sorted(flags.items()):
        if value is not None and value is not False:
            argv += [flag(name)] if value is True else [flag(name), argument(value)]
    return argv


def flag(name: str) -> str:
    """max_num_seqs is --max-num-seqs."""
    return "--" + name.replace("_", "-")


OWNED = ("--nnodes", "--node-rank", "--master-addr", "--master-port", "--headless", "--host", "--port", "--api-key",
         "--tensor-parallel-size", "--served-model-name", "--model")  # fmt: skip


def problems(engine: Engine, ranks: int) -> list[str]:
    """What can't work, before anything is started. `ranks` is the number of hosts, each with one rank."""
    found = []
    if not engine.image:
        found.append("the head does not have the image: run `twinspark apply --stage image`")
    world = engine.tensor_parallel * engine.pipeline_parallel
    if world != ranks:
        found.append(
            f"the profile is for {world} ranks (tensor parallel {engine.tensor_parallel} x pipeline parallel "
            f"{engine.pipeline_parallel}), and the inventory's group sparks has {ranks} host(s): "
            "add or remove hosts, or choose another profile"
        )
    listed = {str(part).partition("=")[0] for part in engine.args}
    flags = {flag(name): name for name, value in engine.flags.items() if value is not None and value is not False}
    for owned in OWNED:
        if owned in listed or owned in flags:
            found.append(f"{owned} is among the engine's arguments: the role writes it itself, so remove it there")
    for twice in sorted(listed & set(flags)):
        setting = f"vllm_serve_{FLAG}{flags[twice]}"
        found.append(f"{twice} is set twice, by {setting} and in vllm_serve_args: remove one of them")
    return found


def engine_argv(engine: Engine, rank: int, ranks: int) -> list[str]:
    """vLLM's argv for one rank; with one host it is a plain `vllm serve`."""
    argv = [*engine.command, engine.model, "--served-model-name", engine.served_name]
    argv += ["--tensor-parallel-size", str(engine.tensor_parallel)]
    if engine.pipeline_parallel > 1:
        argv += ["--pipeline-parallel-size", str(engine.pipeline_parallel)]
    if engine.gpu_memory_utilization is not None:
        argv += ["--gpu-memory-utilization", str(engine.gpu_memory_utilization)]
    argv += flag_argv(engine.flags)
    argv += [argument(a) for a in engine.args]
    if ranks > 1:
        argv += ["--distributed-executor-backend", "mp", "--nnodes", str(ranks), "--node-rank", str(rank)]
        argv += ["--master-addr", engine.master_addr, "--master-port", str(engine.master_port)]
    argv += ["--headless"] if rank else ["--host", LISTEN, "--port", str(engine.port)]
    return argv


def rank_env(engine: Engine, entry: Host) -> dict[str, str]:
    """The environment of one rank: the profile's, and what this host's rails add. Never a secret.

    Sockets are held to the first rail: a guess by hostname lands on 127.0.1.1 on Ubuntu. With RDMA, NCCL gets both
    devices by exact name (`=`), may not fall back to sockets unheard (NCCL_NET), and chooses the GID by itself. Its
    lines of the start are what proves that (`serve.rdma_verdicts`). The profile's env wins over all that is no rail's.
    """
    env = {
        "HF_HOME": HF_HOME,
        "HF_HUB_OFFLINE": "1",
        "HF_MODULES_CACHE": "/tmp/hf-modules",  # noqa: S108 - in the container: the Hub cache is mounted read-only
        "TRANSFORMERS_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        # As in the community's launcher: NCCL's threads go by the GPU's cores, not by those that a worker is bound to.
        "NCCL_IGNORE_CPU_AFFINITY": "1",
    }
    if engine.rdma and entry.rails:
        env |= {"NCCL_DEBUG": "INFO", "NCCL_DEBUG_SUBSYS": "INIT,NET"}
    env |= {key: str(value) for key, value in engine.env.items()}
    if entry.rails:
        first = entry.rails[0]
        env["VLLM_HOST_IP"] = first.address
        env |= {f"{what}_SOCKET_IFNAME": first.interface for what in ("GLOO", "NCCL", "TP")}
        if engine.rdma:
            env["NCCL_IB_HCA"] = "=" + ",".join(rail.hca for rail in entry.rails)
            env["NCCL_NET"] = "IB"
    for key, value in env.items():
        if "\n" in value:
            raise EngineError(f"environment {key} has a line break, which an environment file can't hold")
    return env


def confinement(engine: Engine) -> list[str]:
    """The options of `docker run` that keep the engine in its container, and the host alive beside it.

    Before the owner's own options: where Docker takes one value, the last one counts.
    """
    options = ["--security-opt", "no-new-privileges"] if engine.no_new_privileges else []
    if engine.capabilities is not None:
        options += ["--cap-drop", "ALL"]
        for capability in engine.capabilities:
            options += ["--cap-add", capability]
    options += ["--pids-limit", str(engine.pids_limit)] if engine.pids_limit else []
    return options + (["--oom-score-adj", str(engine.oom_score_adj)] if engine.oom_score_adj else [])


def docker_argv(engine: Engine, argv: Sequence[str], mark: str) -> list[str]:
    """`docker run` in the foreground around the engine's argv; `mark` is the digest that drift is seen by."""
    run = [DOCKER, "run", "--rm", "--init", "--name", engine.name, "--label", f"{LABEL}={mark}"]
    # The journal has the log already; Docker's own copy would grow without bound.
    run += ["--log-driver", "none", "--network", "host"]
    run += ["--ipc", engine.ipc] if engine.ipc else []
    run += ["--shm-size", engine.shm_size] if engine.shm_size and engine.ipc != "host" else []
    run += confinement(engine)
    run += list(engine.docker_options)
    run += ["--env-file", engine.env_file]
    for volume in engine.volumes:
        run += ["--volume", volume]
    return [*run, "--entrypoint", "", engine.image, *argv]


def cache_key(image: str) -> str:
    """The folder of an image's caches: the first twelve digits of its ID. Another image's kernels must not be used."""
    found = IMAGE_ID.match(image)
    return found[1] if found else NO_IMAGE


def stale_caches(present: Sequence[str], image: str, previous: str) -> list[str]:
    """Which folders of caches belong neither to the image nor to the one before it, which an owner may go back to.

    Empty where the one before is not known: nothing is removed on a guess. What has another form is not ours.
    """
    if not (IMAGE_ID.match(image) and IMAGE_ID.match(previous)):
        return []
    return sorted(name for name in present if CACHE_KEY.match(name) and name not in map(cache_key, (image, previous)))


def unit_word(argument: str) -> str:
    """One word of a systemd ExecStart: its own quotes, specifiers (%) and variables ($) made harmless."""
    text = argument.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$").replace("\n", "\\n")
    plain = text and all(c.isalnum() or c in "-_./:=,@+%$" for c in text)
    return text if plain else f'"{text}"'


def rendezvous_interfaces(engine: Engine, entry: Host, ranks: int) -> list[str]:
    """lo and the rails, where this rank's rendezvous is to be closed to all others; else empty."""
    if not engine.close_rendezvous or entry.rank != 0 or ranks == 1:
        return []
    for rail in entry.rails:
        if not rail.interface or any(c in rail.interface for c in '"\\ \t\n'):
            raise EngineError(f"{rail.interface!r} is not the name of an interface")
    return ["lo", *(rail.interface for rail in entry.rails)]


def plan(engine: Engine, entry: Host, ranks: int) -> RankPlan:
    """What one host shall run."""
    argv = engine_argv(engine, entry.rank, ranks)
    env = rank_env(engine, entry)
    bare = docker_argv(engine, argv, "")
    mark = digest({"run": bare, "env": env}).removeprefix("sha256:")
    return RankPlan(
        rank=entry.rank,
        ranks=ranks,
        argv=argv,
        env=env,
        run=docker_argv(engine, argv, mark),
        digest=mark,
        rendezvous_interfaces=rendezvous_interfaces(engine, entry, ranks),
        problems=problems(engine, ranks),
    )


def inputs(engine: Engine, entries: Sequence[Host]) -> Inputs:
    """What the proof of the stage is bound to."""
    plans = {entry.host: plan(engine, entry, len(entries)) for entry in entries}
    return Inputs(engine.image, plans[entries[0].host].argv, {host: found.digest for host, found in plans.items()})
