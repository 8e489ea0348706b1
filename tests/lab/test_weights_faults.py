"""Faults on the way of the weights, on a lab: a Hub that misbehaves, disks that fill, hosts and rails that go away.

The jobs' program runs on the lab's hosts as the role runs it, against the lab's Hub on the head and with a small model
of its own, so that nothing of the lab's real weights is touched. Needs a lab with its weights stage done (for the Hub's
client), named by TWINSPARK_INVENTORY.
"""

import hashlib
import importlib.util
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = os.environ.get("TWINSPARK_INVENTORY", "")
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not INVENTORY, reason="TWINSPARK_INVENTORY names no lab"),
]
COMMIT = "1" * 40
REPO = "faults/model"
MIB = 1024**2
SIZES = {"config.json": 300, "a.safetensors": 24 * MIB, "b.safetensors": 24 * MIB, "deep/c.safetensors": 24 * MIB}
TOTAL = sum(SIZES.values())
BASE = "/home/spark/weights-faults"
PORT, HUB = 8878, 8991
CLIENT = "/opt/twinspark/env/hf/bin/hf"


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


class Lab:
    """The pair of hosts, with the program, the Hub and shorthands for what the tests do."""

    def __init__(self):
        self.pair = load(ROOT / "bench/pair.py").Pair(Path(INVENTORY))
        self.head, self.other = self.pair.names[:2]
        self.run = self.pair.run

    def python(self, host, text, *arguments):
        line = " ".join(map(shlex.quote, map(str, arguments)))
        return self.run(host, f"python3 - {line}", stdin=text.encode())

    # The Hub.

    def hub(self, method, path, document=None):
        text = (
            "import sys,urllib.request as u\n"
            "r=u.Request(sys.argv[2],data=sys.argv[3].encode() or None,method=sys.argv[1],"
            "headers={'Content-Type':'application/json'})\n"
            "print(u.urlopen(r).read().decode())"
        )
        body = json.dumps(document) if document is not None else ""
        return self.python(self.head, text, method, f"http://127.0.0.1:{HUB}{path}", body)

    def faults(self, *faults):
        self.hub("DELETE", "/_lab/faults")
        self.hub("DELETE", "/_lab/requests")
        if faults:
            self.hub("POST", "/_lab/faults", list(faults))

    # The jobs.

    def common(self, home):
        return {
            "home": home, "state_dir": f"{home}/state", "repo": REPO, "commit": COMMIT, "threads": 2, "rehash": False,
            "ref": "main", "longest_pause": 1, "reserve_gib": 0, "stall_seconds": 3,
        }  # fmt: skip

    def fetch(self, home, **more):
        """Run `fetch` on the head. Returns its exit code and its log."""
        return self.job(self.head, "fetch", self.fetch_spec(home, **more))

    def fetch_spec(self, home, **more):
        return {
            **self.common(home), "source_dir": "", "endpoint": f"http://127.0.0.1:{HUB}", "token_file": "",
            "client": CLIENT, "xet": False, "workers": 3, "environment": {}, "attempts": 4,
            **more,
        }  # fmt: skip

    def pull_spec(self, home, **more):
        return {
            **self.common(home), "port": PORT, "head": self.pair.fabric[0]["rails"],
            "mine": self.pair.fabric[1]["rails"], "secret_file": f"{BASE}/secret", "streams": 1, **more,
        }  # fmt: skip

    def pull(self, home, **more):
        """Run `pull` on the other host. Returns its exit code and its log."""
        self.secret()
        return self.job(self.other, "pull", self.pull_spec(home, **more))

    def secret(self):
        self.run(self.other, f"umask 077; cat > {BASE}/secret", stdin=b"sesame")

    def job(self, host, verb, spec):
        line = f"python3 {BASE}/program {verb} {shlex.quote(json.dumps(spec))} 2>&1; echo exit $?"
        log = self.run(host, line)
        return int(log.rsplit("exit ", 1)[1]), log

    def kill_midway(self, host, verb, spec, staging, size):
        """Start a job as a unit, and kill every process of it when `size` bytes are staged. Returns the bytes."""
        unit = "weights-faults-job"
        self.run(host, f"sudo systemctl stop {unit}", check=False)
        start = f"sudo systemd-run --quiet --collect --unit={unit} --uid=spark python3 {BASE}/program {verb}"
        staged = f"$(du -sb {staging} 2>/dev/null | cut -f1)"
        text = (
            f"{start} {shlex.quote(json.dumps(spec))}; "
            f"for i in $(seq 4000); do s={staged}; [ ${{s:-0}} -gt {size} ] && break; sleep 0.005; done; "
            f"sudo systemctl kill --kill-whom=all --signal=KILL {unit}; echo $s"
        )
        return int(self.run(host, text).split()[-1])

    def serve(self, home):
        """Start the daemon on the head, as a unit."""
        self.stop_serving()
        run_dir = "/run/weights-faults"
        spec = {
            "fabric": self.pair.fabric, "folder": f"{home}/hub/models--faults--model/blobs", "owner": "spark",
            "port": PORT, "secrets_file": f"{run_dir}/secrets", "run_dir": run_dir, "idle_seconds": 900,
        }  # fmt: skip
        keep = f"sudo install -d -m 0700 {run_dir} && sudo install -m 0600 /dev/stdin {run_dir}/secrets"
        self.run(self.head, keep, stdin=b"twinspark:sesame\n")
        unit = f"sudo systemd-run --quiet --collect --unit=weights-faults python3 {BASE}/program serve"
        self.run(self.head, f"{unit} {shlex.quote(json.dumps(spec))}")
        time.sleep(2)

    def stop_serving(self):
        self.run(self.head, "sudo systemctl stop weights-faults", check=False)

    # What lies on a host.

    def place_manifest(self, host, home):
        own = f"{home}/hub/models--faults--model/.twinspark"
        self.run(host, f"mkdir -p {own} && cat > {own}/{COMMIT}.manifest.json", stdin=self.manifest.encode())

    def info(self, host, home):
        """What twinspark_weights_info judges, from the same functions."""
        text = (
            "import sys,json; sys.path.insert(0,sys.argv[1])\n"
            "from core import snapshot,weights,hubcache\n"
            "l=hubcache.Layout(sys.argv[2],sys.argv[3]); m=snapshot.read_manifest(l.manifest(sys.argv[4]))\n"
            "s=snapshot.read_state(hubcache.state_path(sys.argv[2]+'/state',sys.argv[3],sys.argv[4]))\n"
            "j=weights.judge(m,s,snapshot.look_at(l,m))\n"
            "print(json.dumps({'state':j.state,'files':j.files,'complaint':weights.complaint(j),"
            "'copy':s.get('copy'),'download':s.get('download')}))"
        )
        return json.loads(self.python(host, text, f"{BASE}/program", home, REPO, COMMIT))

    def final_names(self, host, home):
        """Files that have their final name, with their sha256, by name of the blob."""
        text = self.run(host, f"cd {home}/hub/models--faults--model/blobs 2>/dev/null && sha256sum * 2>/dev/null; true")
        return {line.split()[1]: line.split()[0] for line in text.splitlines()}

    def snapshot_exists(self, host, home):
        return self.run(host, f"ls {home}/hub/models--faults--model/snapshots 2>/dev/null; true").strip() != ""


@pytest.fixture(scope="module")
def lab():
    """Both hosts with the program; the Hub with a model of 72 MiB on the head; a good copy of it there to serve."""
    lab = Lab()
    if lab.run(lab.head, f"test -x {CLIENT}; echo $?").strip() != "0":
        pytest.skip("the Hub's client is not on the head: run the stage weights first")
    for host in (lab.head, lab.other):
        lab.run(host, f"sudo umount {BASE}/small 2>/dev/null; sudo rm -rf {BASE}; mkdir -p {BASE}")
        lab.pair.install(host, f"{BASE}/program")
    services = {path.name: path.read_bytes() for path in (ROOT / "lab/services").glob("*.py")}
    lab.pair.put(lab.head, f"{BASE}/services", services)
    make = (
        "import os,sys,json,hashlib\n"
        "for name,size in json.loads(sys.argv[2]).items():\n"
        "    path=os.path.join(sys.argv[1],name); os.makedirs(os.path.dirname(path),exist_ok=True)\n"
        "    open(path,'wb').write(os.urandom(size) if size > 1000 else b'{}'+b' '*(size-2))\n"
    )
    lab.python(lab.head, make, f"{BASE}/data/{REPO}/{COMMIT}", json.dumps(SIZES))
    lab.run(lab.head, "sudo systemctl stop weights-faults-hub", check=False)
    unit = "sudo systemd-run --quiet --collect --unit=weights-faults-hub --uid=spark python3"
    lab.run(lab.head, f"{unit} {BASE}/services/hub.py --data {BASE}/data --host 127.0.0.1 --port {HUB}")
    time.sleep(2)
    ask = (
        "import sys,json; sys.path.insert(0,sys.argv[1])\n"
        "from core import hubapi,manifest\n"
        "i=hubapi.read_info(hubapi.Question(sys.argv[2],sys.argv[3],sys.argv[4]))\n"
        "print(manifest.from_hub(i,sys.argv[3],sys.argv[4]).dump())"
    )
    lab.manifest = lab.python(lab.head, ask, f"{BASE}/program", f"http://127.0.0.1:{HUB}", REPO, COMMIT)
    lab.place_manifest(lab.head, f"{BASE}/good")
    code, log = lab.fetch(f"{BASE}/good")
    assert code == 0, log
    yield lab
    lab.stop_serving()
    lab.run(lab.head, "sudo systemctl stop weights-faults-hub", check=False)
    for host in (lab.head, lab.other):
        lab.run(host, f"sudo umount {BASE}/small 2>/dev/null; sudo rm -rf {BASE}")


@pytest.fixture
def home(lab):
    """An empty cache on both hosts, with the manifest; the Hub well-behaved."""
    folder = f"{BASE}/cache"
    for host in (lab.head, lab.other):
        lab.run(host, f"rm -rf {folder}")
        lab.place_manifest(host, folder)
    lab.faults()
    return folder


@pytest.fixture
def served(lab, home):
    """The good copy, served on the rails."""
    lab.serve(f"{BASE}/good")
    yield home
    lab.stop_serving()


@pytest.fixture
def small(lab, home):
    """A disk on both hosts that takes 80 % of the model."""
    folder = f"{BASE}/small"
    for host in (lab.head, lab.other):
        mount = f"sudo mount -t tmpfs -o size={TOTAL * 8 // 10},uid=$(id -u) none {folder}"
        lab.run(host, f"mkdir -p {folder} && {mount}")
        lab.place_manifest(host, folder)
    yield folder
    for host in (lab.head, lab.other):
        lab.run(host, f"sudo umount {folder}", check=False)


def assert_whole(lab, host, home):
    """Every file is there, hashes right, and the snapshot says verified."""
    sums = lab.final_names(host, home)
    wanted = {f.get("sha256") or f["git_sha1"]: f for f in json.loads(lab.manifest)["files"]}
    assert set(sums) == set(wanted)
    assert all(sums[name] == name for name, f in wanted.items() if f.get("sha256"))
    assert lab.info(host, home)["state"] == "verified"


def assert_nothing_unverified(lab, host, home):
    """Whatever has its final name is right, and no snapshot is shown."""
    assert all(name == sha for name, sha in lab.final_names(host, home).items() if len(name) == 64)
    assert not lab.snapshot_exists(host, home)
    assert lab.info(host, home)["state"] != "verified"


# Faults of the Hub that pass.

PASSING = {
    "429": [{"fault": "status", "status": 429, "retry_after": 1, "count": 3}],
    "503": [{"fault": "status", "status": 503, "count": 3}],
    "503 for the metadata": [{"fault": "status", "status": 503, "method": "HEAD", "count": 3}],
    "a cut connection": [{"fault": "cut", "after": 5 * MIB, "path": "*.safetensors", "count": 3}],
    "a stalled connection": [{"fault": "stall", "after": 5 * MIB, "seconds": 60, "path": "a.safetensors"}],
    "too short": [{"fault": "length", "bytes": -1000, "path": "a.safetensors"}],
    "too long": [{"fault": "length", "bytes": 1000, "path": "a.safetensors"}],
}


@pytest.mark.parametrize("faults", PASSING.values(), ids=PASSING)
def test_a_fault_that_passes_is_outlived(lab, home, faults):
    lab.faults(*faults)
    code, log = lab.fetch(home)
    assert code == 0, log
    assert_whole(lab, lab.head, home)


def test_what_came_before_a_cut_is_not_fetched_again(lab, home):
    lab.faults({"fault": "cut", "after": 20 * MIB, "path": "a.safetensors"})
    code, log = lab.fetch(home)
    assert code == 0, log
    requests = json.loads(lab.hub("GET", "/_lab/requests"))
    ranges = [r["range"] for r in requests if r["path"].endswith("a.safetensors") and r["range"]]
    assert any(int(r.removeprefix("bytes=").split("-")[0]) >= 16 * MIB for r in ranges), requests


def test_the_download_goes_on_where_a_killed_one_ended(lab, home):
    lab.faults({"fault": "slow", "rate": 3 * MIB, "path": "*.safetensors", "count": -1})
    staging = f"{home}/hub/models--faults--model/.twinspark/staging"
    assert lab.kill_midway(lab.head, "fetch", lab.fetch_spec(home), staging, 20 * MIB) > 20 * MIB
    assert_nothing_unverified(lab, lab.head, home)
    lab.faults()
    code, log = lab.fetch(home)
    assert code == 0, log
    assert_whole(lab, lab.head, home)
    assert lab.info(lab.head, home)["download"]["bytes"] < TOTAL - 10 * MIB


# Faults of the Hub that don't pass, or lie.


def test_wrong_bytes_under_a_right_name_are_found_and_fetched_again(lab, home):
    lab.faults({"fault": "bytes", "at": 4096, "path": "b.safetensors", "count": 1})
    code, log = lab.fetch(home)
    assert code == 0, log
    assert "b.safetensors: wrong bytes" in log
    assert lab.info(lab.head, home)["download"]["refetched"] == ["b.safetensors"]
    assert_whole(lab, lab.head, home)


def test_wrong_bytes_twice_stop_the_line_with_the_file_s_name(lab, home):
    lab.faults({"fault": "bytes", "at": 4096, "path": "b.safetensors", "count": -1})
    code, log = lab.fetch(home)
    assert code == 1
    assert "b.safetensors came twice with the wrong bytes" in log.splitlines()[-2]
    assert_nothing_unverified(lab, lab.head, home)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"fault": "gated", "status": 401, "count": -1}, "hf_weights_token_file"),
        ({"fault": "gated", "status": 403, "count": -1}, "accept its terms"),
        ({"fault": "unknown", "count": -1}, "weights.revision"),
    ],
    ids=["401", "403", "no such commit"],
)
def test_a_refusal_is_told_at_once_with_its_cure(lab, home, fault, words):
    lab.faults(fault)
    started = time.monotonic()
    code, log = lab.fetch(home)
    assert code == 1
    assert words in log.splitlines()[-2], log
    assert time.monotonic() - started < 60
    assert_nothing_unverified(lab, lab.head, home)


def test_a_hub_that_is_gone_is_given_up_on_in_words(lab, home):
    code, log = lab.fetch(home, endpoint="http://127.0.0.1:9", attempts=2)
    assert code == 1
    assert "http://127.0.0.1:9" in log.splitlines()[-2]
    assert_nothing_unverified(lab, lab.head, home)


# Disks.


def test_a_disk_too_small_on_the_head_is_refused_before_anything_comes(lab, small):
    code, log = lab.fetch(small)
    assert code == 1
    assert "hf_weights_home to a larger disk" in log
    assert lab.final_names(lab.head, small) == {}


def test_a_disk_full_at_80_percent_on_the_head_keeps_what_came(lab, small):
    code, log = lab.fetch(small, reserve_gib=-1)  # as if somebody else had filled it after the check
    assert code == 1
    assert "full" in log.splitlines()[-2], log
    assert_nothing_unverified(lab, lab.head, small)
    lab.run(lab.head, f"sudo mount -o remount,size={TOTAL * 2} {small}")
    code, log = lab.fetch(small)
    assert code == 0, log
    assert_whole(lab, lab.head, small)


def test_a_disk_full_at_80_percent_on_the_receiver_keeps_what_came(lab, served, small):
    code, log = lab.pull(small)
    assert code == 1
    assert "hf_weights_home to a larger disk" in log
    code, log = lab.pull(small, reserve_gib=-1)
    assert code == 1
    assert "the disk is full" in log.splitlines()[-2], log
    assert_nothing_unverified(lab, lab.other, small)
    lab.run(lab.other, f"sudo mount -o remount,size={TOTAL * 2} {small}")
    code, log = lab.pull(small)
    assert code == 0, log
    assert_whole(lab, lab.other, small)
    assert lab.info(lab.other, small)["copy"]["bytes"] < TOTAL


# The way over the rails.


def test_the_copy_takes_both_rails_and_is_verified(lab, served):
    code, log = lab.pull(served)
    assert code == 0, log
    assert_whole(lab, lab.other, served)
    copy = lab.info(lab.other, served)["copy"]
    assert set(copy["rails"]) == {"rail1", "rail2"}
    assert copy["bytes"] == TOTAL
    assert lab.run(lab.other, f"ls {BASE}/secret 2>/dev/null; true") == ""


def test_who_lacks_the_secret_or_comes_another_way_gets_nothing(lab, served):
    lab.run(lab.other, f"umask 077; cat > {BASE}/secret", stdin=b"wrong")
    code, log = lab.job(lab.other, "pull", lab.pull_spec(served))
    assert code == 1
    assert "daemon refuses" in log.splitlines()[-2]
    management = lab.pair.fabric[0]["management"]
    refused = lab.run(lab.other, f"rsync --contimeout=5 --port={PORT} rsync://{management}/ 2>&1; true")
    assert "refused" in refused
    # The head itself has the rail's address, but is no peer.
    itself = lab.run(lab.head, f"rsync --port={PORT} rsync://192.168.177.11/blobs/ 2>&1; true")
    assert "access denied" in itself or "ERROR" in itself


@pytest.mark.parametrize("rail", [0, 1])
def test_a_rail_cut_in_the_middle_leaves_the_work_to_the_other(lab, served, rail):
    interface = lab.pair.fabric[1]["rails"][rail]["interface"]
    staging = f"{served}/hub/models--faults--model/.twinspark/staging"
    watch = (
        f"for i in $(seq 500); do s=$(du -sb {staging} 2>/dev/null | cut -f1); [ ${{s:-0}} -gt {2 * MIB} ] && break; "
        f"sleep 0.01; done; sudo ip link set {interface} down"
    )
    cutter = lab.pair.start(lab.other, watch)
    try:
        code, log = lab.pull(served)
        cutter.wait()
    finally:
        lab.run(lab.other, f"sudo ip link set {interface} up; sudo networkctl reconfigure {interface}; sleep 3")
    assert code == 0, log
    assert_whole(lab, lab.other, served)


def test_no_rail_at_all_is_told_and_what_came_is_kept(lab, served):
    lab.stop_serving()
    code, log = lab.pull(served)
    assert code == 1
    assert "no rail carries them" in log.splitlines()[-2]
    assert_nothing_unverified(lab, lab.other, served)


def test_a_receiver_that_went_down_in_the_middle_goes_on_from_there(lab, served):
    staging = f"{served}/hub/models--faults--model/.twinspark/staging"
    lab.secret()
    lab.kill_midway(lab.other, "pull", lab.pull_spec(served), staging, 4 * MIB)
    assert_nothing_unverified(lab, lab.other, served)
    code, log = lab.pull(served)
    assert code == 0, log
    assert_whole(lab, lab.other, served)
    assert lab.info(lab.other, served)["copy"]["bytes"] < TOTAL


def test_wrong_bytes_from_the_head_are_found_on_the_receiver(lab, served):
    blob = hashlib_name(lab, "a.safetensors")
    path = f"{BASE}/good/hub/models--faults--model/blobs/{blob}"
    flip = "import sys; f=open(sys.argv[1],'r+b'); f.seek(99); b=f.read(1); f.seek(99); f.write(bytes([b[0]^1]))"
    lab.python(lab.head, flip, path)
    try:
        code, log = lab.pull(served)
    finally:
        lab.python(lab.head, flip, path)
    assert code == 1
    assert "a.safetensors came twice with the wrong bytes" in log.splitlines()[-2]
    assert_nothing_unverified(lab, lab.other, served)


def hashlib_name(lab, path):
    return next(f["sha256"] for f in json.loads(lab.manifest)["files"] if f["path"] == path)


# Afterwards.


def test_a_bit_flipped_on_the_worker_afterwards_is_seen_and_mended(lab, served):
    assert lab.pull(served)[0] == 0
    blob = f"{served}/hub/models--faults--model/blobs/{hashlib_name(lab, 'a.safetensors')}"
    flip = (
        "import sys,os; s=os.stat(sys.argv[1]); f=open(sys.argv[1],'r+b'); f.seek(99); b=f.read(1); f.seek(99); "
        "f.write(bytes([b[0]^1])); f.close(); os.utime(sys.argv[1],ns=(s.st_atime_ns,s.st_mtime_ns))"
    )
    lab.python(lab.other, flip, blob)  # its modification time set back, as a careful vandal would
    assert lab.info(lab.other, served)["files"]["a.safetensors"] == "changed"
    code, log = lab.pull(served)
    assert code == 0, log
    copy = lab.info(lab.other, served)["copy"]
    assert copy["replaced"] == ["a.safetensors"]
    assert copy["bytes"] == SIZES["a.safetensors"]
    assert_whole(lab, lab.other, served)


def test_a_dangling_link_is_seen_and_mended(lab, served):
    assert lab.pull(served)[0] == 0
    lab.run(lab.other, f"rm {served}/hub/models--faults--model/blobs/{hashlib_name(lab, 'b.safetensors')}")
    found = lab.info(lab.other, served)
    assert found["state"] == "wrong"
    assert found["complaint"] == "a link to nothing: b.safetensors"
    assert lab.pull(served)[0] == 0
    assert_whole(lab, lab.other, served)


def test_two_at_once_share_the_work(lab, served):
    lab.secret()
    command = f"python3 {BASE}/program pull {shlex.quote(json.dumps(lab.pull_spec(served)))} 2>&1"
    both = [lab.pair.start(lab.other, command, stdout=-1) for _ in range(2)]
    logs = [process.communicate()[0].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], logs
    assert any("waiting for it" in log for log in logs)
    assert_whole(lab, lab.other, served)


def test_a_directory_of_the_owner_s_is_copied_and_hashed_once(lab, home):
    source = f"{BASE}/data/{REPO}/{COMMIT}"
    draft = {**json.loads(lab.manifest), "source": "directory"}
    draft["files"] = [{"path": f["path"], "size": f["size"]} for f in draft["files"]]
    own = f"{home}/hub/models--faults--model/.twinspark/{COMMIT}.manifest.json"
    lab.run(lab.head, f"cat > {own}", stdin=json.dumps(draft).encode())
    code, log = lab.fetch(home, source_dir=source, endpoint="http://127.0.0.1:9")
    assert code == 0, log
    kept = json.loads(lab.run(lab.head, f"cat {own}"))
    assert kept["source"] == "directory"
    by_path = {f["path"]: f["sha256"] for f in kept["files"]}
    assert by_path["a.safetensors"] == hashlib_name(lab, "a.safetensors")
    assert lab.info(lab.head, home)["state"] == "verified"
    assert hashlib.sha256(b"{}" + b" " * 298).hexdigest() == by_path["config.json"]


# Whole applies: the playbook itself, with the small model and proofs of its own.


@pytest.fixture
def apply(lab, tmp_path):
    """Start the weights playbook for the small model; what it leaves is removed."""
    folder = f"{BASE}/apply"
    lab.faults()
    told = {
        "hf_weights_repo": REPO, "hf_weights_revision": COMMIT, "hf_weights_endpoint": f"http://127.0.0.1:{HUB}",
        "hf_weights_home": folder, "hf_weights_port": PORT, "hf_weights_reserve_gib": 0, "twinspark_override": ["rdma"],
        "twinspark_proofs_dir": f"{BASE}/proofs", "twinspark_controller_dir": str(tmp_path), "hf_weights_allow": ["*"],
    }  # fmt: skip

    def start(**more):
        argv = [
            str(Path(sys.executable).parent / "ansible-playbook"), "-i", INVENTORY, str(ROOT / "playbooks/weights.yml"),
            "-e", json.dumps({**told, **more}),
        ]  # fmt: skip
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        return subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
        )

    start.home = folder
    clean = f"sudo rm -rf {folder} {BASE}/proofs /var/lib/twinspark/weights/models--faults--model"
    for host in (lab.head, lab.other):
        lab.run(host, clean)
    yield start
    for host in (lab.head, lab.other):
        lab.run(host, clean)


def times_asked_for(lab, name):
    """How often a file's bytes were asked for from their beginning."""
    requests = json.loads(lab.hub("GET", "/_lab/requests"))
    return sum(1 for r in requests if r["method"] == "GET" and r["path"].endswith(name) and not r["range"])


def proof_of(lab):
    return json.loads(lab.run(lab.head, f"sudo cat {BASE}/proofs/weights.json"))


def test_two_applies_at_once_download_once_and_the_next_changes_nothing(lab, apply):
    lab.faults({"fault": "slow", "rate": 3 * MIB, "path": "*.safetensors", "count": -1})
    both = [apply() for _ in range(2)]
    logs = [process.communicate()[0] for process in both]
    codes = [process.returncode for process in both]
    assert 0 in codes, logs
    for code, log in zip(codes, logs, strict=True):  # the other waited, or refused in words
        assert code == 0 or "twinspark-job-weights" in log or "still running" in log, log
    assert times_asked_for(lab, "a.safetensors") == 1
    assert proof_of(lab)["verdict"] == "pass"
    lab.faults()
    third = apply()
    log = third.communicate()[0]
    assert third.returncode == 0, log
    assert log.count("changed=0") == 2, log
    assert json.loads(lab.hub("GET", "/_lab/requests")) == []


def test_a_killed_controller_does_not_end_the_download_and_the_next_apply_goes_on(lab, apply):
    lab.faults({"fault": "slow", "rate": 2 * MIB, "path": "*.safetensors", "count": -1})
    first = apply()
    lab.run(
        lab.head,
        "for i in $(seq 1200); do systemctl is-active -q twinspark-job-weights-fetch && "
        f"[ -n \"$(find {apply.home} -name '*.incomplete' 2>/dev/null)\" ] && exit 0; sleep 0.2; done; exit 1",
    )
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    second = apply()
    log = second.communicate()[0]
    assert second.returncode == 0, log
    assert times_asked_for(lab, "a.safetensors") == 1
    files = proof_of(lab)["evidence"]["files"]
    assert set(files) == set(SIZES)
    assert all(len(set(f["sha256"].values())) == 1 and len(f["sha256"]) == 2 for f in files.values())


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"hf_weights_revision": "main"}, "no full commit"),
        ({"hf_weights_revision": "2" * 40}, "does not exist"),
        ({"hf_weights_reserve_gib": 10**6}, "GiB required"),
        ({"hf_weights_endpoint": "http://127.0.0.1:9"}, "hf_weights_endpoint"),
    ],
    ids=["a branch", "no such commit", "no room", "no Hub"],
)
def test_what_can_t_be_is_told_in_one_sentence_before_anything_comes(lab, apply, more, words):
    process = apply(**more)
    log = process.communicate()[0]
    assert process.returncode != 0
    assert words in log
    assert lab.final_names(lab.head, apply.home) == {}
    assert lab.run(lab.head, "systemctl is-active twinspark-job-weights-serve 2>&1; true").strip() != "active"


def test_a_token_leaves_no_trace(lab, apply, tmp_path):
    secret = "hf_" + "s3cr3t" * 6
    lab.run(lab.head, f"cat > {BASE}/data/{REPO}/token", stdin=secret.encode())
    try:
        refused = apply()
        assert "hf_weights_token_file" in refused.communicate()[0]
        token = tmp_path / "token"
        token.write_text(secret + "\n")
        process = apply(hf_weights_token_file=str(token))
        log = process.communicate()[0]
    finally:
        lab.run(lab.head, f"rm {BASE}/data/{REPO}/token")
    assert process.returncode == 0, log
    assert secret not in log
    # The pattern comes from a file: sudo logs command lines.
    lab.run(lab.head, f"cat > {BASE}/pattern", stdin=secret.encode())
    places = f"/var/lib/twinspark /run/twinspark {BASE}/proofs {apply.home}/state"
    found = lab.run(
        lab.head,
        f"sudo grep -rlFf {BASE}/pattern {places} 2>/dev/null; "
        f"sudo journalctl --no-pager 2>/dev/null | grep -cFf {BASE}/pattern; true",
    )
    assert found.strip() == "0"
