"""Every host has the image that was built from the pinned commit, and the proof says so."""

import json

import pytest

HEAD = "spark1"
STATE = "/var/lib/twinspark"


@pytest.fixture(scope="module")
def proof(host):
    """The proof, as the head keeps it; None elsewhere."""
    path = host.file(f"{STATE}/proofs/image.json")
    return json.loads(path.content_string) if path.exists else None


def image_id(host):
    """ID of the newest image; earlier ones are kept to go back to."""
    listed = host.check_output("docker image ls --no-trunc --format '{{.ID}}' twinspark/lab-engine").split()
    return listed[0] if listed else None


def test_the_image_is_here(host):
    assert image_id(host)


def test_the_proof_is_on_the_head_only(host, proof):
    assert (proof is not None) == (host.backend.get_hostname() == HEAD)


def test_the_proof_names_what_the_head_has(host, proof):
    if proof is None:
        return
    assert proof["verdict"] == "pass"
    assert set(proof["evidence"]["ids"].values()) == {image_id(host)}
    assert len(proof["evidence"]["ids"]) == 2
    assert proof["inputs"]["image"].endswith(":" + proof["inputs"]["commit"][:12])


def test_the_checkout_is_the_pinned_commit(host, proof):
    if proof is None:
        return
    with host.sudo():
        assert host.check_output("git -C /opt/twinspark/src/image rev-parse HEAD") == proof["inputs"]["commit"]


def test_only_layers_that_the_worker_lacked_were_sent(host, proof):
    if proof is None or not proof["evidence"]["copies"]:
        return
    (copy,) = proof["evidence"]["copies"]
    assert copy["host"] == "spark2"
    assert copy["way"] == "new layers"
    assert copy["sent_bytes"] < 10**6 < copy["left_out_bytes"]


def test_the_build_is_remembered(host, proof):
    if proof is None:
        return
    history = json.loads(host.file(f"{STATE}/image/history.json").content_string)
    assert history[-1]["image"] == proof["inputs"]["image"]
