"""Back to the flags that passed before, on real vLLM: nothing is built, and the time is told."""

import json
import time

import pytest

from tests.lab.vllm_serve.pairlab import HEAD, WORKER

pytestmark = [pytest.mark.lab, pytest.mark.long]
FLAG = "--max-num-seqs"


def running(pair, host):
    """The flag's value in what the rank runs now."""
    argv = json.loads(pair.run(host, "docker container inspect --format '{{json .Config.Cmd}}' twinspark-vllm"))
    return argv[argv.index(FLAG) + 1]


def words(done):
    return " ".join((done.stdout + done.stderr).split())


def proof(pair):
    return json.loads(pair.run(HEAD, "cat /var/lib/twinspark/proofs/serve.json"))


@pytest.fixture
def changed(pair):
    """The pair with another flag than the inventory's: the values before and now. At the end as it was."""
    done = pair.twinspark("apply", "--stage", "serve")
    assert done.returncode == 0, words(done)
    before = running(pair, HEAD)
    now = str(int(before) + 1)
    done = pair.twinspark("apply", "--stage", "serve", "-e", f"vllm_serve_flag_max_num_seqs={now}")
    assert done.returncode == 0, words(done)
    assert running(pair, HEAD) == now
    yield before, now
    done = pair.twinspark("apply", "--stage", "serve")
    assert done.returncode == 0, words(done)


def test_a_rollback_brings_the_flag_of_before_without_a_build(pair, changed, timed):
    before, now = changed
    images = [pair.run(host, "docker image ls --no-trunc --quiet | sort") for host in (HEAD, WORKER)]
    began = time.monotonic()
    done = pair.twinspark("rollback", "-e", f"vllm_serve_flag_max_num_seqs={now}")
    timed(time.monotonic() - began)
    assert done.returncode == 0, words(done)
    assert [running(pair, host) for host in (HEAD, WORKER)] == [before, before]
    assert f"goes forward again: {FLAG}: {before} -> {now} on spark1 and spark2" in words(done)
    assert [pair.run(host, "docker image ls --no-trunc --quiet | sort") for host in (HEAD, WORKER)] == images
    assert int(pair.ask(4)) == 4
    written = proof(pair)
    assert written["verdict"] == "pass"
    assert written["evidence"]["rolled_back"]["said"].startswith("rolled back to the proof of ")
    # The settings of the inventory are those of before: an apply of these has nothing to do.
    same = pair.twinspark("apply", "--stage", "serve", "--check", "--expect-unchanged")
    assert same.returncode == 0, words(same)
    # Forward again.
    assert pair.twinspark("rollback", "-e", f"vllm_serve_flag_max_num_seqs={now}").returncode == 0
    assert [running(pair, host) for host in (HEAD, WORKER)] == [now, now]


def test_a_rollback_beside_a_request_is_refused_and_changes_nothing(pair, changed):
    _, now = changed
    started = pair.started(HEAD)
    question = pair.asking(400)
    pair.until("busy")
    refused = pair.twinspark("rollback")
    assert refused.returncode == 3, words(refused)
    assert "would interrupt 1 request" in words(refused)
    question.join(300)
    assert question.answer == "400"
    assert (pair.started(HEAD), running(pair, HEAD)) == (started, now)


def test_what_is_kept_is_root_s_alone(pair, changed):
    for host in (HEAD, WORKER):
        assert pair.run(host, "stat --format '%U %a' /var/lib/twinspark/serve/kept.json") == "root 600"
