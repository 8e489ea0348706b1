#!/usr/bin/env python3
"""How fast the perftest parser reads a large file: rows a second and MB a second.

Usage: bench/perftest_parser.py [ROWS]        (default 200000 rows, the output of an endless run over eleven days)
"""

import importlib
import sys
import time
import tracemalloc
from pathlib import Path

import ansible.module_utils

ROOT = Path(__file__).resolve().parent.parent
ansible.module_utils.__path__.insert(0, str(ROOT / "module_utils"))
parse = importlib.import_module("ansible.module_utils.twinspark.rdma.perftest").parse

HEAD = """\
 WARNING: BW peak won't be measured in this run.
---------------------------------------------------------------------------------------
                    RDMA_Write BW Test
 Dual-port       : OFF\t\tDevice         : rocep1s0f1
---------------------------------------------------------------------------------------
 #bytes     #iterations    BW peak[Gb/sec]    BW average[Gb/sec]   MsgRate[Mpps]
"""
ROW = " 65536      882805           0.00               92.57  \t\t     0.176554\n"


def main() -> int:
    """Time one parse, and trace the memory of another."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    text = HEAD + ROW * rows
    started = time.perf_counter()
    result = parse(text)
    seconds = time.perf_counter() - started
    if len(result.rows) != rows:
        print(f"read {len(result.rows)} of {rows} rows", file=sys.stderr)
        return 1
    tracemalloc.start()
    parse(HEAD + ROW * 20_000)
    peak = tracemalloc.get_traced_memory()[1] / 20_000
    print(f"{rows} rows, {len(text) / 1e6:.1f} MB in {seconds:.2f} s: {rows / seconds:,.0f} rows/s, ", end="")
    print(f"{len(text) / 1e6 / seconds:.1f} MB/s, at most {peak:.0f} bytes of memory a row")
    return 0


if __name__ == "__main__":
    sys.exit(main())
