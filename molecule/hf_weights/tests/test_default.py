"""The weights are on both hosts, byte for byte what the Hub says, and nothing of the copy is left behind."""

import hashlib
import json

import pytest

HUB = "/home/spark/.cache/huggingface/hub"
STATE = "/var/lib/twinspark"
PROOF = f"{STATE}/proofs/weights.json"


@pytest.fixture
def root(host):
    return host.check_output(f"ls -d {HUB}/models--*")


@pytest.fixture
def manifest(host, root):
    return json.loads(host.check_output(f"cat {root}/.twinspark/*.manifest.json"))


def test_every_file_hashes_to_the_hub_s_own_sum(host, root, manifest):
    snapshot = f"{root}/snapshots/{manifest['commit']}"
    for entry in manifest["files"]:
        path = f"{snapshot}/{entry['path']}"
        assert host.file(path).size or entry["size"] == 0
        if entry.get("sha256"):
            assert host.check_output(f"sha256sum -b $(readlink -f {path})").split()[0] == entry["sha256"]
        else:
            content = host.file(path).content
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
            assert blob.hexdigest() == entry["git_sha1"]


def test_no_link_dangles_and_every_link_is_relative(host, root):
    assert host.check_output(f"find {root} -xtype l") == ""
    links = host.check_output(f"find {root}/snapshots -type l -printf '%l\\n'").splitlines()
    assert links
    assert all(link.startswith("../../") for link in links)


def test_the_files_are_the_owner_s_and_readable_for_a_container(host, root):
    assert host.check_output(f"find {root} ! -user spark") == ""
    assert host.check_output(f"find {root}/blobs -type f ! -perm 0644") == ""


def test_another_tool_of_that_user_finds_the_model_by_its_branch(host, root, manifest):
    assert host.file(f"{root}/refs/main").content_string == manifest["commit"]


def test_no_daemon_no_secret_and_nothing_staged_is_left(host, root):
    assert not host.socket("tcp://0.0.0.0:8873").is_listening
    assert host.check_output("ss -Hltn 'sport = :8873'") == ""
    assert host.process.filter(comm="rsync") == []
    assert not host.file(f"{STATE}/jobs/weights-serve").exists
    assert not host.file(f"{STATE}/weights/copy-secret").exists
    assert not host.file(f"{STATE}/weights/token").exists
    assert host.check_output(f"find {root}/.twinspark/staging -type f") == ""


def test_the_proof_lists_every_file_s_sum_for_every_host(host, manifest):
    if not host.file(PROOF).exists:  # kept on the head only
        return
    proof = json.loads(host.file(PROOF).content_string)
    assert proof["verdict"] == "pass"
    assert proof["inputs"]["commit"] == manifest["commit"]
    assert set(proof["evidence"]["files"]) == {entry["path"] for entry in manifest["files"]}
    for found in proof["evidence"]["files"].values():
        assert set(found["sha256"]) == {"spark1", "spark2"}
        assert len(set(found["sha256"].values())) == 1
    names = {m["name"] for m in proof["measurements"]}
    assert {"weights_copy_bytes", "weights_copy_rate"} <= names


def test_both_rails_carried_the_copy(host, manifest):
    if not host.file(PROOF).exists:
        return
    hosts = json.loads(host.file(PROOF).content_string)["evidence"]["hosts"]
    rails = hosts["spark2"]["copy"]["rails"]
    assert set(rails) == {"rail1", "rail2"}
    assert sum(rails.values()) == sum({f.get("sha256") or f["git_sha1"]: f["size"] for f in manifest["files"]}.values())
