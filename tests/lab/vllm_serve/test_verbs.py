"""The verbs of the pair on a lab that serves: TWINSPARK_INVENTORY names it, as for test_faults.py."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.lab.vllm_serve.pairlab import HEAD, INVENTORY, UNIT, WORKER

pytestmark = pytest.mark.lab
FOLLOWERS = "ps -e -o args= | grep -c '^journalctl.*--output=json.*--follow' || true"


def test_start_of_a_pair_that_serves_changes_nothing(pair):
    before = [pair.started(host) for host in (HEAD, WORKER)]
    done = pair.twinspark("start")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "in all: changed=0" in done.stdout
    assert [pair.started(host) for host in (HEAD, WORKER)] == before


def test_stop_then_start_with_the_phase_shown(pair):
    done = pair.twinspark("stop")
    assert done.returncode == 0, done.stdout + done.stderr
    assert pair.until("stopped")["kind"] == "stopped"
    for host in (HEAD, WORKER):
        assert pair.run(host, f"systemctl is-active {UNIT} || true") in ("inactive", "failed")
    looked = pair.twinspark("start", "--check")
    assert looked.returncode == 0, looked.stdout + looked.stderr
    assert pair.state()["kind"] == "stopped"
    done = pair.twinspark("start")
    assert done.returncode == 0, done.stdout + done.stderr
    phases = [line for line in done.stdout.splitlines() if " phase " in line]
    assert any("starting" in line for line in phases), done.stdout
    assert int(pair.ask(4)) == 4


@pytest.mark.long
def test_restart_refuses_beside_a_request_and_takes_all_ranks_down_with_consent(pair):
    before = [pair.started(host) for host in (HEAD, WORKER)]
    question = pair.asking(400)
    time.sleep(3)
    done = pair.twinspark("restart")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "that would interrupt 1 request. Nothing was changed." in " ".join(done.stderr.split())
    assert [pair.started(host) for host in (HEAD, WORKER)] == before
    question.join(600)
    again = pair.asking(400)
    time.sleep(3)
    done = pair.twinspark("restart", "--interrupt")
    assert done.returncode == 0, done.stdout + done.stderr
    again.join(600)
    after = [pair.started(host) for host in (HEAD, WORKER)]
    assert all(old != new for old, new in zip(before, after, strict=True))


@pytest.mark.long
def test_stop_ends_a_job_and_keeps_what_it_wrote(pair):
    folder = "/var/lib/twinspark/jobs/evaluate"
    there = pair.run(HEAD, f"test -e {folder} && echo there || true")
    if there:
        pytest.skip("an evaluation was run here: its job is not played with")
    script = f"mkdir -p {folder}; systemd-run --quiet --unit=twinspark-job-evaluate --property=RemainAfterExit=yes "
    pair.run(HEAD, script + f"sh -c 'echo sample >{folder}/log; exec sleep 600'")
    try:
        time.sleep(1)
        refused = pair.twinspark("restart")
        assert refused.returncode == 3, refused.stdout + refused.stderr
        assert "the evaluation" in refused.stderr
        done = pair.twinspark("stop")
        assert done.returncode == 0, done.stdout + done.stderr
        assert pair.run(HEAD, "systemctl is-active twinspark-job-evaluate || true") == "inactive"
        assert pair.run(HEAD, f"cat {folder}/log") == "sample"
    finally:
        pair.run(HEAD, f"systemctl stop twinspark-job-evaluate || true; rm -rf {folder}")
        done = pair.twinspark("start")
    assert done.returncode == 0, done.stdout + done.stderr


def test_status_has_the_state(pair):
    """How long it takes: bench/status_time."""
    told = json.loads(pair.twinspark("status", "--json").stdout)
    assert told["pair"]["state"] in ("serving", "busy")
    assert told["pair"]["host"] == HEAD


def test_live_tells_tokens_a_second_while_a_request_runs(pair):
    question = pair.asking(400)
    time.sleep(2)
    told = json.loads(pair.twinspark("status", "--live", "--ask", "--json").stdout)
    question.join(900)
    head = told["live"]["hosts"][HEAD]
    assert head["engine"]["running_requests"] >= 1
    assert head["engine"]["generated_tokens_per_second"] > 0
    assert head["supervised"]["kind"] in ("serving", "busy")
    assert told["live"]["hosts"][WORKER]["memory"]["available"] > 0
    assert told["live"]["canary"]["tokens"] > 0


def test_logs_of_both_hosts_are_in_order(pair):
    done = pair.twinspark("logs", "-n", "300")
    assert done.returncode == 0, done.stderr
    times = [line[:23] for line in done.stdout.splitlines()]
    assert times == sorted(times)
    for who in (f"{HEAD} rank 0:", f"{HEAD} supervisor:", f"{WORKER} rank 1:"):
        assert who in done.stdout


def test_following_logs_leaves_nothing_on_the_hosts(pair):
    child = subprocess.Popen([pair.program, "logs", "-f", "-n", "5"], stdout=subprocess.PIPE, text=True, env=os.environ)
    assert child.stdout
    assert child.stdout.readline()
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=20) == 130
    time.sleep(5)
    assert [pair.run(host, FOLLOWERS) for host in (HEAD, WORKER)] == ["0", "0"]


def test_a_worker_that_is_away_is_told_by_logs(pair, tmp_path):
    """At a port of this machine where nobody listens."""
    argv = [str(Path(pair.program).with_name("ansible-inventory")), "-i", INVENTORY, "--list"]
    listing = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)
    of = listing["_meta"]["hostvars"]
    hosts = {name: {k: v for k, v in of[name].items() if k.startswith("ansible_")} for name in (HEAD, WORKER)}
    hosts[WORKER] |= {"ansible_host": "127.0.0.1", "ansible_port": 1}
    (tmp_path / "hosts.json").write_text(json.dumps({"sparks": {"hosts": hosts}}))
    done = pair.twinspark("logs", "-n", "5", "-i", str(tmp_path / "hosts.json"))
    assert done.returncode == 4
    assert f"{HEAD} " in done.stdout
    assert len(done.stderr.splitlines()) == 1
    assert WORKER in done.stderr
