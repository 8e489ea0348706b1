"""The proof on the head, and that nothing was left behind on either host."""

import json

import pytest


@pytest.fixture
def proof(host):
    file = host.file("/var/lib/twinspark/proofs/rdma.json")
    if not file.exists:
        pytest.skip("not the head")
    return json.loads(file.content_string)


def test_the_head_has_the_proof(host):
    is_head = host.backend.get_hostname() == "spark1"
    assert host.file("/var/lib/twinspark/proofs/rdma.json").exists is is_head


def test_the_proof_passes_and_says_that_it_is_simulated(proof):
    assert proof["verdict"] == "pass"
    assert any("ib_write_bw at /usr/local/bin/ib_write_bw" in sentence for sentence in proof["simulated"])
    assert set(proof["boot_ids"]) == {"spark1", "spark2"}


@pytest.mark.parametrize("subject", ["rail1 spark1 -> spark2", "rail2 spark2 -> spark1", "2 rails spark1 -> spark2"])
def test_every_direction_was_measured_within_the_article_s_range(proof, subject):
    (found,) = [m for m in proof["measurements"] if (m["name"], m["subject"]) == ("write_bw", subject)]
    low, high = (175e9, 200e9) if subject.startswith("2 rails") else (90e9, 120e9)
    assert low < found["value"] < high


def test_both_ends_of_every_run_are_kept_as_evidence(proof):
    sides = [run["side"] for run in proof["evidence"]["runs"]]
    assert sides.count("client") == sides.count("server") > 0


def test_nothing_is_left_in_systemd(host):
    assert not host.run("systemctl list-units --all --no-legend 'twinspark-perftest-*'").stdout


def test_nothing_is_left_in_ps_ss_and_tmp(host):
    assert not [process for process in host.process.filter() if "ib_write" in process["args"]]
    assert not [socket for socket in host.socket.get_listening_sockets() if ":185" in socket]
    assert "perftest" not in host.run("ls -A /tmp /run").stdout
