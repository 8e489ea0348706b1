"""Two hosts of a lab with the program of the weights jobs, and on the head the lab's Hub with a model of its own."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from bench.pair import Pair

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = os.environ.get("TWINSPARK_INVENTORY", "")
COMMIT = "1" * 40
REPO = "faults/model"
MIB = 1024**2
SIZES = {"config.json": 300, "a.safetensors": 24 * MIB, "b.safetensors": 24 * MIB, "deep/c.safetensors": 24 * MIB}
TOTAL = sum(SIZES.values())
BASE = "/home/spark/weights-faults"
PORT, HUB = 8878, 8991
FOLDER = "hub/models--faults--model"
STAGING = f"{FOLDER}/.twinspark/staging"
SLOW = "100mbit"  # a rail's rate when something is to happen in the middle of a copy
SERVE = "weights-faults-serve"
SECRET = b"sesame"
CLIENT = "/opt/twinspark/env/hf/bin/hf"


class Lab:
    """The pair of hosts, with the program, the Hub and shorthands for what the tests do."""

    def __init__(self):
        self.pair = Pair(Path(INVENTORY))
        self.head, self.other = self.pair.names[:2]
        self.run = self.pair.run
        self.manifest = ""  # its text, once the Hub was asked

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
            "mine": self.pair.fabric[1]["rails"], "secret_file": f"{BASE}/secret", "streams": 1,
            "rail_patience": 5, **more,
        }  # fmt: skip

    def pull(self, home, **more):
        """Run `pull` on the other host. Returns its exit code and its log."""
        self.secret()
        return self.job(self.other, "pull", self.pull_spec(home, **more))

    def secret(self):
        self.run(self.other, f"umask 077; cat > {BASE}/secret", stdin=SECRET)

    def job(self, host, verb, spec):
        line = f"python3 {BASE}/program {verb} {shlex.quote(json.dumps(spec))} 2>&1; echo exit $?"
        log = self.run(host, line)
        return int(log.rsplit("exit ", 1)[1]), log

    def kill_midway(self, host, verb, spec, size):
        """Start a job as a unit, and kill every process of it when `size` bytes are staged. Returns the bytes."""
        unit = "weights-faults-job"
        self.run(host, f"sudo systemctl stop {unit}", check=False)
        start = f"sudo systemd-run --quiet --collect --unit={unit} --uid=spark python3 {BASE}/program {verb}"
        staged = f"$(du -sb {spec['home']}/{STAGING} 2>/dev/null | cut -f1)"
        text = (
            f"{start} {shlex.quote(json.dumps(spec))}; "
            f"for i in $(seq 4000); do s={staged}; [ ${{s:-0}} -gt {size} ] && break; sleep 0.005; done; "
            f"sudo systemctl kill --kill-whom=all --signal=KILL {unit}; echo $s"
        )
        return int(self.run(host, text).split()[-1])

    def serve(self, home):
        """Serve a cache on the rails, as a unit on the head; returns when it listens."""
        self.stop_serving()
        spec = {
            "fabric": self.pair.fabric, "home": home, "repo": REPO, "commit": COMMIT, "port": PORT,
            "secret_file": f"{BASE}/secret", "idle_seconds": 900,
        }  # fmt: skip
        unit = f"sudo systemd-run --quiet --collect --unit={SERVE} --uid=spark python3 {BASE}/program serve"
        self.run(self.head, f"umask 077; cat > {BASE}/secret; {unit} {shlex.quote(json.dumps(spec))}", stdin=SECRET)
        self.until(self.head, f"[ $(ss -Hltn 'sport = :{PORT}' | wc -l) = {len(self.pair.fabric[0]['rails'])} ]")

    def until(self, host, condition, seconds=30):
        """Wait on the host itself until a shell condition holds."""
        loop = f"until {condition}; do sleep 0.05; done"
        self.run(host, f"timeout {seconds} bash -c {shlex.quote(loop)}")

    def stop_serving(self):
        self.run(self.head, f"sudo systemctl stop {SERVE}", check=False)

    # The rails.

    def shape(self, command, rate=SLOW):
        """Give every rail of the head a queue that slows it (`add`, `replace`), or take it away (`del`)."""
        rails = [rail["interface"] for rail in self.pair.fabric[0]["rails"]]
        how = "" if command == "del" else f" tbf rate {rate} burst 256k latency 50ms"
        lines = [f"sudo tc qdisc {command} dev {rail} root{how}" for rail in rails]
        self.run(self.head, "; ".join(lines), check=command != "del")  # a reboot of the other end took it along

    def plug(self, rail):
        """The receiver's end of a rail up again, with its address."""
        interface, address = (self.pair.fabric[1]["rails"][rail][key] for key in ("interface", "address"))
        self.run(self.other, f"sudo ip link set {interface} up; sudo networkctl reconfigure {interface}")
        self.until(self.other, f"ip -4 -br addr show dev {interface} | grep -qF {address}")

    def when_staged(self, home, size, command):
        """Start to do something on the receiver as soon as `size` bytes are staged there."""
        staged = f"$(du -sb {home}/{STAGING} 2>/dev/null | cut -f1)"
        loop = f"for i in $(seq 3000); do s={staged}; [ ${{s:-0}} -gt {size} ] && break; sleep 0.01; done"
        return self.pair.start(self.other, f"{loop}; {command}")

    def reboot(self, host):
        """Restart a host of the lab, and wait until it is back on every rail."""
        self.pair.hang_up(host)
        argv = [
            str(Path(sys.executable).with_name("twinspark")),
            "lab",
            "reboot",
            "--name",
            Path(INVENTORY).parent.name,
        ]
        subprocess.run([*argv, host], check=True, capture_output=True)
        for rail in self.pair.fabric[self.pair.names.index(host)]["rails"]:
            self.until(host, f"ip -4 -br addr show dev {rail['interface']} | grep -qF {rail['address']}", 60)

    # What lies on a host.

    def blob(self, path):
        """The name that a file's bytes have in the cache."""
        return next(f.get("sha256") or f["git_sha1"] for f in json.loads(self.manifest)["files"] if f["path"] == path)

    def flip(self, host, home, path):
        """Flip one bit of a file in the cache, and set its modification time back, as a careful vandal would."""
        text = (
            "import sys,os; s=os.stat(sys.argv[1]); f=open(sys.argv[1],'r+b'); f.seek(99); b=f.read(1); f.seek(99); "
            "f.write(bytes([b[0]^1])); f.close(); os.utime(sys.argv[1],ns=(s.st_atime_ns,s.st_mtime_ns))"
        )
        self.python(host, text, f"{home}/{FOLDER}/blobs/{self.blob(path)}")

    def place_manifest(self, host, home):
        own = f"{home}/{FOLDER}/.twinspark"
        self.run(host, f"mkdir -p {own} && cat > {own}/{COMMIT}.manifest.json", stdin=self.manifest.encode())

    def info(self, host, home):
        """What twinspark_weights_info judges, from the same functions."""
        text = (
            "import sys,json; sys.path.insert(0,sys.argv[1])\n"
            "from core.twinspark_host import snapshot\n"
            "from core.twinspark.weights import hubcache,weights\n"
            "l=hubcache.Layout(sys.argv[2],sys.argv[3]); m=snapshot.read_manifest(l.manifest(sys.argv[4]))\n"
            "s=snapshot.read_state(hubcache.state_path(sys.argv[2]+'/state',sys.argv[3],sys.argv[4]))\n"
            "j=weights.judge(m,s,snapshot.look_at(l,m))\n"
            "print(json.dumps({'state':j.state,'files':j.files,'complaint':weights.complaint(j),"
            "**{k:v for k,v in s.to_json().items() if k in ('copy','download')}}))"
        )
        return json.loads(self.python(host, text, f"{BASE}/program", home, REPO, COMMIT))

    def final_names(self, host, home):
        """Files that have their final name, with their sha256, by name of the blob."""
        text = self.run(host, f"cd {home}/{FOLDER}/blobs 2>/dev/null && sha256sum * 2>/dev/null; true")
        return {line.split()[1]: line.split()[0] for line in text.splitlines()}

    def pages(self, host, home, *, drop=False):
        """How many pages of the cache's files are in memory; with `drop`, first ask the kernel to forget them."""
        text = Path(__file__).with_name("pages.py").read_text()
        return int(self.python(host, text, f"{home}/{FOLDER}/blobs", "drop" if drop else "look"))

    def snapshot_exists(self, host, home):
        return self.run(host, f"ls {home}/{FOLDER}/snapshots 2>/dev/null; true").strip() != ""


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
