"""Why an engine died: the field's known deaths by the words in its log, each with its fix.

docs/serving.md is keyed on the same names. Add a death here with the line that showed it as a unit-test case.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Death:
    """One known death. A `general` one is only named when the log shows nothing nearer the root."""

    name: str
    pattern: str
    fix: str
    general: bool = False


@dataclass(frozen=True, slots=True)
class Cause:
    """A known death, as it was found in a log: its name, the line, and what to do."""

    name: str
    line: str
    fix: str


DEATHS = (
    Death(
        "free memory",
        r"Free memory on device .* is less than desired GPU memory utilization|NV_ERR_NO_MEMORY",
        "stop what else uses memory, or lower gpu_memory_utilization in the profile",
    ),
    Death(
        "out of memory",
        r"CUDA out of memory|torch\.OutOfMemoryError|DefaultCPUAllocator: can't allocate",
        "lower max_model_len or max_num_seqs in the profile, or stop what else uses memory",
    ),
    Death(
        "shared memory too small",
        r"Insufficient space in /dev/shm|No space left on device: '/dev/shm",
        "set vllm_serve_ipc to host, or a larger vllm_serve_shm_size",
    ),
    Death(
        "no shared memory broadcast",
        r"No available shared memory broadcast block found",
        "a rank hangs: read the other host's log, and check that both rails are up",
    ),
    Death(
        "cache too small",
        r"larger than the (maximum number of tokens|available KV cache memory)"
        r"|No available memory for the cache blocks",
        "lower max_model_len in the profile, or raise gpu_memory_utilization",
    ),
    Death(
        "port taken",
        r"[Aa]ddress already in use|EADDRINUSE",
        "another service has the port: stop it, or set twinspark_endpoint_port or twinspark_master_port",
    ),
    Death(
        "no model",
        r"is not a valid model identifier|LocalEntryNotFoundError|Can't load the configuration"
        r"|does not appear to have a file named|Invalid repository ID",
        "run `twinspark apply --stage weights`",
    ),
    Death("no image", r"Unable to find image|No such image|pull access denied", "run `twinspark apply --stage image`"),
    Death(
        "no GPU",
        r"could not select device driver|nvidia-container-cli: |Failed to infer device type|No CUDA GPUs are available",
        "repair the NVIDIA container toolkit or driver: `docker run --rm --gpus all IMAGE nvidia-smi` must work first",
    ),
    Death(
        "memory lock",
        r"error setting rlimit|Couldn't allocate MR|ibv_reg_mr.*failed",
        "the engine needs unlimited memlock: see vllm_serve_docker_options",
    ),
    Death(
        "no RDMA device",
        r"NET/IB : No device found|Failed to initialize NET plugin IB|Failed to find network plugin",
        "NCCL sees no RoCE device in the container: run `twinspark apply --stage rdma`",
    ),
    Death(
        "bad argument",
        r"error: (unrecognized arguments|argument )",
        "the profile's args and the vLLM in the image do not fit together",
    ),
    Death(
        "lost peer",
        r"Connection closed by peer|Connection reset by peer|connectFullMesh failed|DistStoreError"
        r"|client socket has timed out|wait timeout after",
        "the other rank went away or never came: read its log, and check the rails with `twinspark apply --stage rdma`",
        general=True,
    ),
    Death(
        "engine died",
        r"EngineDeadError|Engine core initialization failed|WorkerProc initialization failed",
        "read the log from its first error on",
        general=True,
    ),
)


def cause(lines: Sequence[str]) -> Cause | None:
    """The first known death in the log; None when nothing in it is known.

    What comes first is nearest the root; the general deaths, which follow from others, are named last.
    """
    for general in (False, True):
        known = [(death, re.compile(death.pattern)) for death in DEATHS if death.general is general]
        for line in lines:
            for death, pattern in known:
                if pattern.search(line):
                    return Cause(death.name, line.strip()[:400], death.fix)
    return None
