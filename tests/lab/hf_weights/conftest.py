"""Faults on the way of the weights, on a lab: a Hub that misbehaves, disks that fill, hosts and rails that go away.

The program runs on the lab's hosts as the role runs it, against the lab's Hub and with a small model of its own, so
that nothing of the lab's real weights is touched. Needs a lab with its weights stage done (for the Hub's client), named
by TWINSPARK_INVENTORY. `make molecule ROLE=hf_weights` brings one up and runs these after the role's scenario.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.hf_weights.faultlab import BASE, CLIENT, COMMIT, HUB, INVENTORY, PORT, REPO, ROOT, SIZES, TOTAL, Lab


@pytest.fixture(scope="session")
def lab():
    """Both hosts with the program; the Hub with a model of 72 MiB on the head; a good copy of it there to serve."""
    if not INVENTORY:
        pytest.skip("TWINSPARK_INVENTORY names no lab")
    lab = Lab()
    if lab.run(lab.head, f"test -x {CLIENT}; echo $?").strip() != "0":
        pytest.exit("the Hub's client is not on the head: twinspark apply --to weights", 2)
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
    lab.until(lab.head, f"[ -n \"$(ss -Hltn 'sport = :{HUB}')\" ]")
    ask = (
        "import sys,json; sys.path.insert(0,sys.argv[1])\n"
        "from core.twinspark_host import hubapi\n"
        "from core.twinspark.weights import manifest\n"
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
def slow(lab, served):
    """The same over rails so slow that something can happen in the middle."""
    lab.shape("add")
    yield served
    lab.shape("del")


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
