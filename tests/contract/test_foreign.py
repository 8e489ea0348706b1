"""Every reader of text that others wrote: whatever it is given, it answers, or raises the one error of its kind.

How long each takes for 10 MB of the worst: bench/foreign_text.py, which has a case for every reader here.
"""

import ast
import json
from contextlib import suppress
from pathlib import Path

import pytest
from ansible.module_utils.twinspark.evaluation import bench_result, environments, inspect_log
from ansible.module_utils.twinspark.image import docker
from ansible.module_utils.twinspark.inventory import explain, host_facts, host_keys, secret_names
from ansible.module_utils.twinspark.network import discovery, known_hosts, netplan, owners
from ansible.module_utils.twinspark.network.state import Link
from ansible.module_utils.twinspark.proof import foreign, jobs, proofs
from ansible.module_utils.twinspark.rdma import facts, nccl, perftest, perftest_json, perftest_run
from ansible.module_utils.twinspark.weights import manifest
from ansible.module_utils.twinspark_host import hubapi, kernel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
LINKS = {"rail1": Link("rail1", mac="02:00:00:00:00:01", driver="mlx5_core"), "eth0": Link("eth0")}
COMMIT = "0" * 40
DESIRED = [environments.Desired("/e", ("a==1",), "python3", installer) for installer in ("uv", "pip")]


def hub(text):
    """The Hub's answer, as its reader gives it on."""
    return manifest.from_hub(foreign.json_of(text), "a/b", COMMIT)


def log(text):
    """What Inspect's reader printed."""
    return inspect_log.summarise(foreign.json_of(text))


def failure(text):
    """What ssh or a module said on a host."""
    result = {"msg": text, "module_stderr": text, "stderr": text, "rc": 1}
    return [explain.explain(explain.Failure("spark1", result, unreachable=away)) for away in (True, False)]


def judged(text):
    """One stream of all ranks."""
    devices = {"spark1": ["rocep1s0f1"], "spark2": ["rocep1s0f1"]}
    return nccl.judge({"spark1": text}, devices, nccl.Limits(1e9, 25e9))


JSON, TEXT = True, False
# Reader, the error that it may raise, and whether it reads JSON.
READERS = {
    "foreign.json_of": (foreign.json_of, foreign.ForeignError, JSON),
    "foreign.yaml_of": (foreign.yaml_of, foreign.ForeignError, TEXT),
    "bench_result.acceptance": (lambda text: bench_result.acceptance(text.splitlines()), None, TEXT),
    "bench_result.generation_rates": (lambda text: bench_result.generation_rates(text.splitlines()), None, TEXT),
    "bench_result.power": (bench_result.power, None, TEXT),
    "discovery.read_beacon": (
        lambda text: discovery.read_beacon(discovery.beacon("", "",
        b"\0" * 6)[:14] + discovery.BEACON + text.encode()),
        None, JSON,
    ),
    "docker.daemon_problem": (lambda text: docker.daemon_problem(1, text), None, TEXT),
    "docker.inspected": (docker.inspected, None, JSON),
    "environments.changes": (lambda text: [environments.changes(one, text) for one in DESIRED], None, JSON),
    "explain.explain": (failure, None, TEXT),
    "explain.inventory_trouble": (lambda text: explain.inventory_trouble(text).sentence("i"), None, TEXT),
    "facts.active_mtus": (facts.active_mtus, None, TEXT),
    "facts.links": (facts.links, None, JSON),
    "host_facts.listeners": (host_facts.listeners, None, TEXT),
    "host_facts.meminfo": (host_facts.meminfo, None, TEXT),
    "host_facts.os_release": (host_facts.os_release, None, TEXT),
    "host_keys.options": (host_keys.options, None, TEXT),
    "hubapi.client_answer": (lambda text: hubapi.client_answer(text, "a/b", COMMIT, False), None, TEXT),
    "hubapi.pause": (lambda text: hubapi.pause(0, text), None, TEXT),
    "inspect_log.summarise": (log, (inspect_log.LogError, foreign.ForeignError), JSON),
    "jobs.progress": (jobs.progress, None, JSON),
    "jobs.state_of": (lambda text: jobs.state_of(jobs.properties(text), jobs.Recorded()), None, TEXT),
    "kernel.links": (kernel.links, foreign.ForeignError, JSON),
    "kernel.ping": (kernel.ping, None, TEXT),
    "kernel.route_device": (kernel.route_device, None, JSON),
    "kernel.routes": (kernel.routes, None, TEXT),
    "known_hosts.refused": (known_hosts.refused, None, TEXT),
    "manifest.from_hub": (hub, (manifest.ManifestError, foreign.ForeignError), JSON),
    "manifest.from_text": (manifest.from_text, manifest.ManifestError, JSON),
    "nccl.judge": (judged, None, TEXT),
    "nccl.parse": (nccl.parse, nccl.NcclError, TEXT),
    "netplan.parse": (lambda text: netplan.parse("f", text), netplan.NetplanError, TEXT),
    "netplan.redact": (netplan.redact, None, TEXT),
    "netplan.takeover": (
        lambda text: netplan.takeover("f", text, {"rail1"}, LINKS), netplan.NetplanError, TEXT,
    ),
    "netplan.without_stanzas": (lambda text: netplan.without_stanzas(text, ["rail1"]), None, TEXT),
    "owners.manager_runtime": (owners.manager_runtime, None, TEXT),
    "owners.networkd_links": (lambda text: owners.networkd_links("00-a", text, LINKS.values()), None, TEXT),
    "owners.networkd_runtime": (owners.networkd_runtime, None, TEXT),
    "owners.profile_links": (lambda text: owners.profile_links(text, LINKS.values()), None, TEXT),
    "perftest.parse_all": (perftest.parse_all, perftest.PerftestError, TEXT),
    "perftest_json.parse_json": (perftest_json.parse_json, perftest.PerftestError, JSON),
    "perftest_run.ended": (lambda text: perftest_run.ended(text, text, 1), None, TEXT),
    "perftest_run.listening_ports": (perftest_run.listening_ports, None, TEXT),
    "perftest_run.messages": (perftest_run.messages, None, JSON),
    "perftest_run.outcome": (lambda text: perftest_run.outcome(perftest_run.Ended(text)), None, TEXT),
    "perftest_run.states": (perftest_run.states, None, TEXT),
    "proofs.parse": (lambda text: proofs.parse(text, "rdma", "p"), proofs.ProofError, JSON),
    "secret_names.named_in": (secret_names.named_in, None, TEXT),
}  # fmt: skip
LONG = "9" * 5000
# Words that the readers look for, each a way further in.
WORDS = st.sampled_from([
    "\n", "\n", " ", "\t", ":", "=", ",", ";", '"', "'", "[", "]", "{", "}", "-", "#", "@", "a", "1", "12.5",
    "1.2.3", LONG,
    "\u00b2", "\u0663", "inf", "nan", "1e999", "\0", "\x85", "\ud7ff", "[Match]", "Name=", "[connection]",
    "type=ethernet",
    "mac-address=", "network:", "  ethernets:\n", "    rail1:\n", "match: ", "interfaces: ", "driver: ", "&a ",
    "*a", "<<: ",
    "MemTotal: ", " kB", "tcp LISTEN 0 1 *:", 'users:(("', "NETWORK_FILE=", "ExecMainStatus=", "LoadState=loaded",
    "# Rank 1 Group 0 Pid 2 on h ", "h:2:3 [0] NCCL INFO ", "NET/IB : Using [0]", "rocep1s0f1:1/RoCE ",
    "Using network IB",
    "[send] via NET/IB/", "[1,0]<stdout>: ", "SpecDecoding metrics: Mean acceptance length: ", "Accepted: ",
    " tokens, ",
    "Drafted: ", "Per-position acceptance rate: ", "Avg generation throughput: ", " tokens/s, Running: ", " reqs",
    "Origin: /f:", "Completely failed to parse inventory source ", "[ERROR]: ", "Could not process '/",
    "Offending ", " key in ",
    "Permission denied", "Connection refused", " port ", "REMOTE HOST IDENTIFICATION HAS CHANGED", "SHA256:",
    "error", "429",
    " packets transmitted, ", " received", "= 1/", "/1/", "state LISTEN ", "src-addr 0.0.0.0:", "hca_id:",
    "active_mtu:",
    "#bytes", "BW average[Gb/sec]", "t_avg[usec]", "Failed status 12", "Error: BW", "Finished with result: ",
    "\n\n", "Id=",
    "api_key", "StrictHostKeyChecking", "-o", "<",
])  # fmt: skip
KEYS = st.sampled_from([
    "ifname", "flags", "addr_info", "local", "prefixlen", "address", "dev", "prefsrc", "sha", "siblings",
    "rfilename", "lfs",
    "size", "sha256", "blobId", "schema", "repo", "commit", "source", "allow", "ignore", "files", "path", "results",
    "test_info", "BW_average", "MsgRate", "MsgSize", "t_avg", "WARNING1", "Device", "test", "MESSAGE",
    "_SYSTEMD_UNIT", "Id",
    "Config", "Labels", "RootFS", "Layers", "RepoTags", "Size", "Created", "install", "changes", "metadata", "name",
    "version", "action", "header", "samples", "eval", "config", "dataset", "stats", "scores", "id", "epoch",
    "error", "limit",
    "model_usage", "started_at", "completed_at", "stage", "verdicts", "done", "total", "rate", "state", "netdev",
    "retries",
    "status", "task", "model", "metrics", "accuracy", "value", "epochs", "input_tokens",
])  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
    st.sampled_from([COMMIT, "a" * 64, 10**400, -1, "a/b", "x" * 5000, "a/" * 3000, "2026-01-01", "rdma", 1, 2,
    "e", 1e308]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=8)),
    max_leaves=20,
)
NASTY = (
    "", "\n", "[" * 5000, '{"a":' * 5000, LONG, f"[{LONG}]", "[]", "{}", "null", "1", '"x"', "[1]", "[[]]",
    "[null]", '[""]',
    '{"results": {"BW_average": 1' + "0" * 400 + "}}", '{"results": []}',
    '{"results": {}, "test_info": {"WARNING1": [[[]]]}}',
    '{"MESSAGE": [300]}', '{"MESSAGE": [[1]]}', '{"MESSAGE": {}}', '{"_SYSTEMD_UNIT": []}', '[{"Id": null}]',
    "[{}]",
    '{"install": [{}]}', '{"changes": [{}]}', '{"changes": 1, "install": 1}', '[{"ifname": []}]',
    '[{"ifname": "a", "flags": 1}]',
    '{"sha": "' + COMMIT + '", "siblings": 1}', '{"sha": "' + COMMIT + '", "siblings": [1]}',
    '{"sha": "' + COMMIT + '", "siblings": [{"rfilename": "a", "lfs": 1}]}', '{"schema": 1, "files": 1}',
    '{"schema": 1, "repo": "a", "commit": "b", "files": [{"path": "a", "size": 1}], "allow": 1, "ignore": []}',
    "network: []", "network: 1", "network: {ethernets: {rail1: {interfaces: 1}}}",
    "network: {bonds: {b: {interfaces: {a: b}}}}",
    "network: {ethernets: {rail1: {match: {driver: {}}}}}", "network: {1: {2: {}}}", "network: &a {b: *a}",
    "network: {ethernets: {rail1: {}, 1: {}}}", "MemTotal: x kB", f"MemTotal: {LONG} kB",
    f"tcp LISTEN 0 1 *:{LONG}", "t L 0 *:\u00b2",
    f"hca_id: a\nactive_mtu: {LONG}\n", "hca_id: a\nactive_mtu: \u00b2\n",
    f"ExecMainStatus={LONG}\nLoadState=loaded", "= 1/1.2.3/1",
    f"{LONG} packets transmitted, 1 received", "# Rank 1 Group 0 Pid 2 on h\nx\n", f"Origin: /f:{LONG}:1", "\u00b2",
    "[Match]\nName\n  more\n", "[Match\n", "a\n[Match]\n", "[connection]\ntype\n x\n", "[a]\n[a]\nb=1\nb=2\n",
    f"SpecDecoding metrics: Mean acceptance length: 1.2.3, Accepted: {LONG} tokens, Drafted: {LONG} tokens, "
    "Per-position acceptance rate: ...",
    "Avg generation throughput: 1.2.3 tokens/s, Running: 1 reqs",
    json.dumps({"header": {"eval": {"config": {}, "dataset": {}}, "stats": {}}, "samples": []}),
    json.dumps({"header": {"eval": {"config": 1, "dataset": 1}, "stats": 1}, "samples": 1}),
)  # fmt: skip


def answers(name, text):
    """Read; the one error is an answer, too."""
    reader, error, _ = READERS[name]
    with suppress(*([error] if isinstance(error, type) else error or [])):
        reader(text)


@pytest.mark.parametrize("text", NASTY, ids=lambda text: text[:40])
@pytest.mark.parametrize("name", READERS)
def test_a_reader_answers_what_is_known_to_be_nasty(name, text):
    answers(name, text)


@pytest.mark.parametrize("name", READERS)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_reader_answers_anything(name, data):
    text = st.one_of(st.text(), st.lists(WORDS, max_size=30).map("".join), st.lists(WORDS, max_size=30).map(" ".join))
    json_text = st.one_of(VALUES.map(json.dumps), st.lists(VALUES, max_size=3).map(json.dumps), text)
    answers(name, data.draw(json_text if READERS[name][2] else text))


# Whoever reads JSON or YAML itself, with the reason.
OWN = {
    "module_utils/twinspark/proof/foreign.py": "the reader for all",
    "module_utils/twinspark/proof/jobs.py": "for the supervisor, whose program is without the reader for all",
    "module_utils/twinspark/proof/proofs.py": "for the supervisor, as above",
    "module_utils/twinspark_host/content.py": "the roles' own files",
    "roles/hf_weights/files/twinspark_weights/__main__.py": "its own task, of a file that the role wrote",
    "roles/inspect_eval/files/run_eval.py": "its own plan, and the supervisor's state, any error in which is none",
    "roles/vllm_bench/files/run_bench.py": "its own plan, and the pair's answer, without which it ends",
    "roles/vllm_image/files/image_stream.py": "its own task, and Docker's answer (an error: CopyError)",
}
KEPT_OUT = ("module_utils/twinspark/serving", "roles/vllm_serve")


def test_nobody_reads_json_or_yaml_of_others_by_other_means():
    found = set()
    for folder in ("module_utils", "library", "roles", "filter_plugins"):
        for path in (ROOT / folder).rglob("*.py"):
            name = str(path.relative_to(ROOT))
            calls = {
                ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
            }
            if calls & {"json.loads", "json.load", "yaml.safe_load", "yaml.load"} and not name.startswith(KEPT_OUT):
                found.add(name)
    assert found == set(OWN)
