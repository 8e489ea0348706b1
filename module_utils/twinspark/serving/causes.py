"""Why an engine died: the field's known deaths by the words in its log or the kernel's, each with its fix.

docs/serving.md is keyed on the same names. Add a death here with the line that showed it as a unit-test case.
Only an error can be a death: a line of level INFO or WARNING never is, whatever it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from . import log


class Weight(IntEnum):
    """How near a death stands to its root. The nearest one is named."""

    ROOT = 0
    OTHER_RANK = 1  # another rank went away or hangs: the root is in that rank's log
    HINT = 2  # seen in healthy starts as well: named where the engine itself said nothing of why
    WORKER = 3  # a process of this rank went away
    ENGINE = 4  # what every death ends with


@dataclass(frozen=True)
class Death:
    """One known death. kernel: its pattern is looked for in the kernel's log, not in the engine's."""

    name: str
    pattern: str
    fix: str
    weight: Weight = Weight.ROOT
    kernel: bool = False


@dataclass(frozen=True, slots=True)
class Cause:
    """A known death, as it was found in a log: its name, the line, and what to do."""

    name: str
    line: str
    fix: str


DEATHS = (
    Death(
        "killed by the kernel",
        # The names of vLLM's processes, as the kernel cuts them, and those of an engine that has not renamed itself.
        r"[Oo]ut of memory: Killed process \d+ \((VLLM|vllm|python|pt_main|ray)",
        "the host ran out of memory: stop what else uses it, or lower gpu_memory_utilization in the profile",
        kernel=True,
    ),
    Death(
        "no memory for the GPU",
        r"NV_ERR_NO_MEMORY",
        "the driver found no memory: stop what else uses it, or lower gpu_memory_utilization in the profile",
        # A Spark logs it in starts that succeed, too, and not in each that fails (vllm-project/vllm issue 56824).
        Weight.HINT,
        kernel=True,
    ),
    Death(
        "free memory",
        r"Free memory on device .* is less than desired GPU memory utilization",
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
        "image does not fit this GPU",
        r"no kernel image is available|[Uu]nsupported (gpu )?architecture|is not defined for option 'gpu-name'"
        r"|No supported CUDA architectures|expects arch to be one of"
        r"|(?i:cutlass).*([Ii]nternal [Ee]rror|Error Internal)|RuntimeError: Error Internal",
        "the image holds no kernels for this GPU: build it for sm_121 (arch 12.1a), or pin a commit that does",
    ),
    Death(
        "broken image",
        r"ModuleNotFoundError: |ImportError: .*(undefined symbol|cannot open shared object file)",
        "the image lacks a Python module or a library: correct its build, then run `twinspark apply --stage image`",
    ),
    Death(
        "no GPU",
        r"could not select device driver|nvidia-container-cli: |Failed to infer device type|No CUDA GPUs are available",
        "repair the NVIDIA container toolkit or driver: `docker run --rm --gpus all IMAGE nvidia-smi` must work first",
    ),
    Death(
        "memory lock",
        r"error setting rlimit|Couldn't allocate MR",
        "the engine needs unlimited memlock: see vllm_serve_docker_options",
    ),
    Death(
        "memory registration",
        r"\bibv_reg_(dmabuf_)?mr\w* failed",
        "where vllm_serve_docker_options has --ulimit=memlock=-1 (the default), the kernel or the board's firmware is"
        " the cause: boot the kernel before this one, and update the firmware",
    ),
    Death(
        "no RDMA device",
        r"Error: network IB not found|Failed to initialize any NET plugin",
        "NCCL sees no RoCE device in the container: run `twinspark apply --stage rdma`",
    ),
    Death(
        "bad argument",
        r"error: (unrecognized arguments|argument )",
        "the profile's args and the vLLM in the image do not fit together",
    ),
    Death(
        "settings exclude each other",
        r"(ValueError|NotImplementedError|Value error)\b.*("
        r"\b(not|n't) (yet )?(supported|compatible|be used|be enabled|work) (when|with|together|in combination)"
        r"|\bincompatible with|mutually exclusive)",
        "the line names two settings of the profile that this vLLM can't combine: remove one of them",
    ),
    Death(
        "lost peer",
        r"Connection closed by (remote )?peer|Connection reset by peer|NCCL error\b.* remote process exited"
        r"|ncclRemoteError|connectFullMesh failed|DistStoreError|client socket has timed out|wait timeout after",
        "the other rank went away or never came: read its log, and check the rails with `twinspark apply --stage rdma`",
        Weight.OTHER_RANK,
    ),
    Death(
        "call timed out",
        r"RPC call to \w+ timed out",
        "a rank gave no answer: read the other rank's log before that time, and check that both rails are up",
        Weight.OTHER_RANK,
    ),
    Death(
        "collective timed out",
        r"Watchdog caught collective operation timeout",
        "a rank hangs or is gone: read the other rank's log before that time, and check that both rails are up",
        Weight.OTHER_RANK,
    ),
    Death(
        "worker died",
        r"Worker proc \S+ died unexpectedly",
        "something ended the worker from outside: look into `journalctl -k` on that host, and ask who killed it",
        Weight.WORKER,
    ),
    Death(
        "engine died",
        r"EngineDeadError|EngineCore (encountered a fatal error|failed to start)|Engine core initialization failed"
        r"|WorkerProc initialization failed",
        "read the log from its first error on",
        Weight.ENGINE,
    ),
)
_PATTERNS = tuple((death, re.compile(death.pattern)) for death in DEATHS)


def cause(lines: Sequence[str], kernel: Iterable[str] = ()) -> Cause | None:
    """The known death that stands nearest the root, of these the last; None when nothing in the logs is known.

    `lines`: the engine's log. What went wrong before the server listened did not kill it, so that part is left out.
    `kernel`: the kernel's log of the same host and time. Of equal weight, an error of the engine wins over it.
    """
    told = [(line, line, True) for line in kernel]
    for line in log.since_ready(lines):
        read = log.read(line)
        if read.error:
            told.append((line, read.text, False))
    found: tuple[Death, str] | None = None
    for line, text, of_kernel in told:
        death = next((one for one, known in _PATTERNS if one.kernel is of_kernel and known.search(text)), None)
        if death and (found is None or death.weight <= found[0].weight):
            found = death, line
    return Cause(found[0].name, found[1].strip()[:400], found[0].fix) if found else None
