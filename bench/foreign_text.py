#!/usr/bin/env python3
"""How long the readers of other people's text take for 10 MB of the worst, before and now.

Usage: bench/foreign_text.py [--old COMMIT] [--megabytes N] [--limit SECONDS] [WORD...]

The readers of tests/contract/test_foreign.py are given texts that some of them had to look at again and again. The same
is done with the code of an older commit (by default the one before they were mended). Each case has a process of its
own, which is ended at the limit (20 s). WORD chooses cases by a part of their names.
"""

import argparse
import importlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import ansible.module_utils

ROOT = Path(__file__).resolve().parent.parent
BEFORE = "464eeb33026c"
SETUP_SECONDS = 10  # to start Python and make the text, which counts for nothing


def use(path):
    """A reader, imported when it is needed: `rdma.nccl:parse`."""

    def load():
        module, _, function = path.partition(":")
        package = (
            "ansible.module_utils.twinspark_host." if module.startswith("host.") else "ansible.module_utils.twinspark."
        )
        return getattr(importlib.import_module(package + module.removeprefix("host.")), function)

    return load


def over(path, wrap):
    """The same with other arguments than the text alone."""
    return lambda: wrap(use(path)())


def repeat(piece, head="", tail=""):
    """Text of the size that is asked for."""
    return lambda size: head + piece * (size // len(piece)) + tail


def lines_of_2000(piece):
    """The piece again and again, in lines as long as most readers look at."""
    return lambda size: ((piece * (2000 // len(piece)) + "\n") * (size // 2000))[:size]


def links():
    from ansible.module_utils.twinspark.network.state import Link

    return {"rail1": Link("rail1"), "eth0": Link("eth0")}


def laughs(size):
    text = "network: &n\n  ethernets:\n    a: &a {k: [x,x,x,x,x,x,x,x,x]}\n"
    for before, name in zip("abcdefg", "bcdefgh", strict=True):
        text += f"    {name}: &{name} {{k: [{','.join([f'*{before}'] * 9)}]}}\n"
    return text + "    rail1: {}\n"


def log(read):
    return lambda text: read(text.splitlines())


def explain_failure(text):
    from ansible.module_utils.twinspark.inventory.explain import Failure

    return Failure("spark1", {"msg": text, "module_stderr": ""}, unreachable=True)


HEAD_BW = " #bytes     #iterations    BW peak[Gb/sec]    BW average[Gb/sec]   MsgRate[Mpps]\n"
HEAD_JSON = '{"sha": "' + "0" * 40 + '", "siblings": ['
CASES = {
    "perftest: good rows": (use("rdma.perftest:parse_all"), repeat(" 65536 882805 0.00 92.57 0.176554\n", HEAD_BW)),
    "perftest: rows of zeros": (use("rdma.perftest:parse_all"), repeat(" 0 0 0.00 0.00 0.000000\n", HEAD_BW)),
    "perftest: rows that differ in what is wrong": (
        use("rdma.perftest:parse_all"),
        lambda size: HEAD_BW + "".join(f" {n} 1 2 x{n}\n 1 2 3 4 {n}x\n" for n in range(size // 30)),
    ),
    "perftest: commands": (use("rdma.perftest:parse_all"), lines_of_2000("ib_")),
    "perftest: banners": (use("rdma.perftest:parse_all"), repeat("    RDMA_Write BW Test\n")),
    "perftest: one line of letters": (use("rdma.perftest:parse_all"), repeat("BW", HEAD_BW)),
    "perftest: one line of blanks": (use("rdma.perftest:parse_all"), repeat(" ", HEAD_BW + "1", "Error")),
    "perftest_json: brackets": (use("rdma.perftest_json:parse_json"), repeat('{"a":')),
    "perftest_json: colons": (use("rdma.perftest_json:parse_json"), repeat(": ", "{")),
    "perftest_run.listening_ports": (
        use("rdma.perftest_run:listening_ports"),
        lines_of_2000(" state LISTEN src-addr :"),
    ),
    "perftest_run.messages: brackets": (use("rdma.perftest_run:messages"), repeat("[")),
    "perftest_run.ended": (
        over("rdma.perftest_run:ended", lambda f: lambda t: f(t, t, 1)),
        repeat("Finished with result:\n"),
    ),
    "nccl.parse: timeouts": (use("rdma.nccl:parse"), lines_of_2000("Timeout ")),
    "nccl.parse: ibv_create_": (use("rdma.nccl:parse"), lines_of_2000("ibv_create_")),
    "nccl.parse: numbers": (use("rdma.nccl:parse"), lines_of_2000("1 ")),
    "nccl.by_rank": (use("rdma.nccl:by_rank"), repeat("# Rank 1 Group 0 Pid 2 on h\n")),
    "facts.links: brackets": (use("rdma.facts:links"), repeat("[")),
    "facts.active_mtus": (use("rdma.facts:active_mtus"), repeat("active_mtu: 9\n", "hca_id: a\n")),
    "hubapi.client_answer: errors on one line": (
        over("host.hubapi:client_answer", lambda f: lambda t: f(t, "a/b", "0", False)),
        repeat("error "),
    ),
    "hubapi.client_answer: errors on lines of 2000": (
        over("host.hubapi:client_answer", lambda f: lambda t: f(t, "a/b", "0", False)),
        lines_of_2000("error "),
    ),
    "manifest.from_text: brackets": (use("weights.manifest:from_text"), repeat("[")),
    "manifest.from_hub: folders in folders": (
        over("weights.manifest:from_hub", lambda f: lambda t: f(json.loads(t), "a/b", "0" * 40)),
        lambda size: (
            HEAD_JSON
            + ",".join(
                f'{{"rfilename": "{"a/" * 1000}{n}", "size": 1, "blobId": "{"0" * 40}"}}' for n in range(size // 2080)
            )
            + "]}"
        ),
    ),
    "secret_names.named_in: one word": (use("inventory.secret_names:named_in"), repeat("a")),
    "secret_names.named_in: quotes": (use("inventory.secret_names:named_in"), repeat('a"')),
    "explain: letters": (
        over("inventory.explain:explain", lambda f: lambda t: f(explain_failure(t))),
        repeat("a@", tail=": Permission denie"),
    ),
    "explain: paths to Python": (
        over("inventory.explain:explain", lambda f: lambda t: f(explain_failure(t))),
        repeat("/python"),
    ),
    "explain.inventory_trouble": (use("inventory.explain:inventory_trouble"), repeat("Could not process '/")),
    "host_keys.options": (use("inventory.host_keys:options"), repeat("StrictHostKeyChecking=no ", '"', '"')),
    "host_facts.listeners": (use("inventory.host_facts:listeners"), repeat("L 0 0 *:1 users:((\n")),
    "host_facts.meminfo": (use("inventory.host_facts:meminfo"), repeat("MemTotal: 1 kB\n")),
    "netplan.parse: aliases (628 bytes)": (over("network.netplan:parse", lambda f: lambda t: f("f", t)), laughs),
    "netplan.takeover: aliases (628 bytes)": (
        over("network.netplan:takeover", lambda f: lambda t: f("f", t, {"rail1"}, links())),
        laughs,
    ),
    "netplan.parse: brackets": (over("network.netplan:parse", lambda f: lambda t: f("f", t)), repeat("[")),
    "netplan.parse: base 60": (
        over("network.netplan:parse", lambda f: lambda t: f("f", t)),
        repeat(":1", "network: 1"),
    ),
    "netplan.parse: stanzas": (
        over("network.netplan:parse", lambda f: lambda t: f("f", t)),
        lambda size: "network:\n  ethernets:\n" + "".join(f"    e{n}: {{mtu: 9000}}\n" for n in range(size // 24)),
    ),
    "netplan.without_stanzas: kinds": (
        over("network.netplan:without_stanzas", lambda f: lambda t: f(t, ["rail1"])),
        repeat("  ethernets:\n"),
    ),
    "netplan.redact": (use("network.netplan:redact"), repeat("key: '")),
    "owners.sections: blanks": (use("network.owners:sections"), repeat(" ", "[a]\nb", "c")),
    "owners.sections: lines": (use("network.owners:sections"), repeat("b=c\n", "[a]\n")),
    "known_hosts.refused": (use("network.known_hosts:refused"), repeat("a\n")),
    "docker.inspected: brackets": (use("image.docker:inspected"), repeat("[")),
    "environments.changes: brackets": (
        over("evaluation.environments:changes", lambda f: lambda t: f(None, t)),
        repeat("["),
    ),
    "kernel.ping: digits": (use("host.kernel:ping"), repeat("1")),
    "kernel.links: brackets": (use("host.kernel:links"), repeat("[")),
    "bench_result.acceptance": (
        over("evaluation.bench_result:acceptance", log),
        repeat("SpecDecoding metrics: Mean acceptance length: 1, "),
    ),
    "bench_result.generation_rates": (
        over("evaluation.bench_result:generation_rates", log),
        repeat("Avg generation throughput: 1"),
    ),
    "jobs.progress: brackets": (use("proof.jobs:progress"), repeat("[")),
    "proofs.parse: brackets": (over("proof.proofs:parse", lambda f: lambda t: f(t, "rdma", "p")), repeat("[")),
}


def measure(name, root, size):
    """One case in this process, with the code below `root`: its seconds and how it ended, as JSON."""
    ansible.module_utils.__path__.insert(0, str(Path(root) / "module_utils"))
    reader, text = CASES[name]
    function, given = reader(), text(size)
    begun = time.perf_counter()
    try:
        function(given)
        came = ""
    except Exception as error:  # the old code has many kinds
        came = type(error).__name__
    print(json.dumps([time.perf_counter() - begun, came]))
    return 0


def run(name, root, given):
    """One case in a process of its own."""
    argv = [sys.executable, __file__, "--case", name, "--root", str(root), "--megabytes", str(given.megabytes)]
    try:
        limit = given.limit + SETUP_SECONDS
        done = subprocess.run(argv, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return f"> {given.limit:g} s"
    if done.returncode:
        return "crashed" if done.returncode < 0 else done.stderr.strip().splitlines()[-1][:40]
    seconds, came = json.loads(done.stdout)
    return f"{seconds:.2f} s" + (f" {came}" if came else "")


def unpack(commit, folder):
    """That commit's shared code."""
    argv = ["git", "-C", str(ROOT), "archive", commit, "module_utils"]
    archive = subprocess.run(argv, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")


def main() -> int:
    """Print a line for each case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--old", default=BEFORE, help="commit to compare with; empty for none")
    parser.add_argument("--megabytes", type=float, default=10)
    parser.add_argument("--limit", type=float, default=20, help="seconds until a case is given up")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--root", help=argparse.SUPPRESS)
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    if given.case:
        return measure(given.case, given.root, int(given.megabytes * 1e6))
    with tempfile.TemporaryDirectory() as folder:
        if given.old:
            unpack(given.old, folder)
        print(f"{'reader and text':50} {'before':>26} {'now':>26}   {given.megabytes:g} MB")
        for name in CASES:
            if not given.words or any(word in name for word in given.words):
                before = run(name, folder, given) if given.old else ""
                print(f"{name:50} {before:>26} {run(name, ROOT, given):>26}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
