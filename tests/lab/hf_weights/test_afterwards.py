"""What befalls weights that were verified once, and sources that are no Hub."""

import hashlib
import json
import shlex

import pytest

from tests.lab.hf_weights.faultlab import BASE, COMMIT, FOLDER, REPO, SIZES, assert_whole

pytestmark = pytest.mark.lab


def test_a_bit_flipped_on_the_worker_afterwards_is_seen_and_mended(lab, served):
    assert lab.pull(served)[0] == 0
    lab.flip(lab.other, served, "a.safetensors")
    assert lab.info(lab.other, served)["files"]["a.safetensors"] == "changed"
    code, log = lab.pull(served)
    assert code == 0, log
    copy = lab.info(lab.other, served)["copy"]
    assert copy["replaced"] == ["a.safetensors"]
    assert copy["bytes"] == SIZES["a.safetensors"]
    assert_whole(lab, lab.other, served)


def test_a_dangling_link_is_seen_and_mended(lab, served):
    assert lab.pull(served)[0] == 0
    lab.run(lab.other, f"rm {served}/{FOLDER}/blobs/{lab.blob('b.safetensors')}")
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
    own = f"{home}/{FOLDER}/.twinspark/{COMMIT}.manifest.json"
    lab.run(lab.head, f"cat > {own}", stdin=json.dumps(draft).encode())
    code, log = lab.fetch(home, source_dir=source, endpoint="http://127.0.0.1:9")
    assert code == 0, log
    kept = json.loads(lab.run(lab.head, f"cat {own}"))
    assert kept["source"] == "directory"
    by_path = {f["path"]: f["sha256"] for f in kept["files"]}
    assert by_path["a.safetensors"] == lab.blob("a.safetensors")
    assert lab.info(lab.head, home)["state"] == "verified"
    assert hashlib.sha256(b"{}" + b" " * 298).hexdigest() == by_path["config.json"]
