"""Whole applies: the playbook itself, with the small model and proofs of its own."""

import json
import os
import signal
import time

import pytest

from tests.lab.hf_weights.faultlab import BASE, COMMIT, FOLDER, MIB, PORT, REPO, SIZES, TOTAL

pytestmark = pytest.mark.lab


def times_asked_for(lab, name):
    """How often a file's bytes were asked for from their beginning."""
    requests = json.loads(lab.hub("GET", "/_lab/requests"))
    return sum(1 for r in requests if r["method"] == "GET" and r["path"].endswith(name) and not r["range"])


def proof_of(lab):
    return json.loads(lab.run(lab.head, f"sudo cat {BASE}/proofs/weights.json"))


def test_two_applies_at_once_download_once(lab, apply):
    lab.faults({"fault": "slow", "rate": 3 * MIB, "path": "*.safetensors", "count": -1})
    both = [apply() for _ in range(2)]
    logs = [process.communicate()[0] for process in both]
    codes = [process.returncode for process in both]
    assert 0 in codes, logs
    for code, log in zip(codes, logs, strict=True):  # the other waited, or refused in words
        assert code == 0 or "twinspark-job-weights" in log or "still running" in log, log
    assert times_asked_for(lab, "a.safetensors") == 1
    assert proof_of(lab)["verdict"] == "pass"


def assert_proved(lab, home):
    """The proof gives every file's sum on every host, and it is what the host itself now hashes."""
    proof = proof_of(lab)
    assert proof["verdict"] == "pass"
    files = proof["evidence"]["files"]
    assert {path: f["size"] for path, f in files.items()} == SIZES
    for path, found in files.items():
        assert set(found["sha256"]) == {lab.head, lab.other}
        for host, said in found["sha256"].items():
            assert lab.run(host, f"sha256sum {home}/{FOLDER}/snapshots/{COMMIT}/{path}").split()[0] == said


def test_the_proof_lists_every_sum_and_a_second_apply_starts_no_job_reads_no_byte_and_takes_seconds(lab, apply):
    first = apply()
    log = first.communicate()[0]
    assert first.returncode == 0, log
    assert_proved(lab, apply.home)
    hosts = (lab.head, lab.other)
    assert min(lab.pages(host, apply.home) for host in hosts) > TOTAL // 8192  # whoever hashes brings pages in
    assert [lab.pages(host, apply.home, drop=True) for host in hosts] == [0, 0]
    stamps = "cd /var/lib/twinspark/jobs && sudo find . -path './weights-*' -printf '%p %T@ %i\\n' | sort"
    before = [lab.run(host, stamps) for host in hosts]
    lab.faults()
    started = time.monotonic()
    second = apply()
    log = second.communicate()[0]
    seconds = time.monotonic() - started
    assert second.returncode == 0, log
    assert log.count("changed=0") == 2, log
    assert json.loads(lab.hub("GET", "/_lab/requests")) == []
    assert [lab.run(host, stamps) for host in hosts] == before
    assert [lab.pages(host, apply.home) for host in hosts] == [0, 0]
    assert seconds < 60, log


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
    assert_proved(lab, apply.home)


def test_what_a_killed_apply_left_serving_goes_with_the_next_that_has_nothing_to_bring(lab, apply):
    lent = "/var/lib/twinspark/weights/copy-secret"
    running = "[ $(systemctl show --property=SubState --value twinspark-job-weights-pull) = running ]"
    lab.shape("add")
    try:
        first = apply()
        lab.until(lab.other, running, 120)
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
    finally:
        lab.shape("del")
    lab.until(lab.other, f"! {running}", 120)
    lab.run(lab.head, f"systemctl is-active twinspark-job-weights-serve && sudo test -e {lent}")
    second = apply()
    log = second.communicate()[0]
    assert second.returncode == 0, log
    assert_proved(lab, apply.home)
    for host in (lab.head, lab.other):
        assert "weights-serve" not in lab.run(host, "sudo ls /var/lib/twinspark/jobs")
        lab.run(host, f"! sudo test -e {lent}")
    assert lab.run(lab.head, f"ss -Hltn 'sport = :{PORT}'") == ""


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"hf_weights_revision": "2" * 40}, "does not exist"),
        ({"hf_weights_reserve_gib": 10**6}, "GiB is kept free"),
        ({"hf_weights_endpoint": "http://127.0.0.1:9"}, "hf_weights_endpoint"),
    ],
    ids=["no such commit", "no room", "no Hub"],
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
