"""A collective over NCCL between the ranks, with the very PyTorch and NCCL that will serve. No MPI, no ssh.

Usage: collective.py all_reduce|all_gather SMALLEST LARGEST      (bytes; doubled from one to the other)
RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT come from the environment. Rank 0 prints the table in nccl-tests' own
columns and units (time in us, GB/s of 10^9 bytes; the bus bandwidth by nccl-tests' doc/PERFORMANCE.md).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import torch
import torch.distributed as dist

WARM_UP, ROUNDS = 3, 10


def operation(name: str, count: int, ranks: int) -> tuple[Callable[[], object], torch.Tensor]:
    """A function that runs the collective once on `count` floats in all, and what it must leave."""
    if name == "all_reduce":
        buffer = torch.ones(count, device="cuda")
        return lambda: dist.all_reduce(buffer, op=dist.ReduceOp.AVG), buffer
    part = torch.ones(count // ranks, device="cuda")
    whole = torch.empty(part.numel() * ranks, device="cuda")
    return lambda: dist.all_gather_into_tensor(whole, part), whole


def measure(run: Callable[[], object]) -> float:
    """Microseconds of one round."""
    for _ in range(WARM_UP):
        run()
    torch.cuda.synchronize()
    dist.barrier()
    started = time.perf_counter()
    for _ in range(ROUNDS):
        run()
    torch.cuda.synchronize()
    return (time.perf_counter() - started) / ROUNDS * 1e6


def main() -> None:
    """All sizes, one after another."""
    name, smallest, largest = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    dist.init_process_group("nccl")
    torch.cuda.set_device(0)
    rank, ranks = dist.get_rank(), dist.get_world_size()
    factor = 2 * (ranks - 1) / ranks if name == "all_reduce" else (ranks - 1) / ranks
    if rank == 0:
        print(f"# Collective test starting: {name} on {ranks} ranks, {torch.cuda.get_device_name(0)}")
        half = "     time   algbw   busbw  #wrong"
        print(f"#       size         count      type   redop    root{half}{half}")
    size = smallest
    while size <= largest:
        run, left = operation(name, size // 4, ranks)
        us = measure(run)
        wrong = int((left != 1).sum().item())
        rate = size / us / 1e3
        if rank == 0:
            half = f"{us:9.1f} {rate:7.2f} {rate * factor:7.2f} {wrong:7d}"
            print(f"{size:12d} {size // 4:13d}     float     avg      -1 {half} {half}", flush=True)
        del run, left
        size *= 2
    dist.destroy_process_group()


if __name__ == "__main__":
    os.environ.setdefault("LOCAL_RANK", "0")
    main()
