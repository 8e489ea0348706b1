"""Each fault ends as the supervisor promises: served again by itself, all ranks together, or left alone."""

import time

import pytest

from tests.lab.vllm_serve.pairlab import HEAD, UNIT, WORKER

pytestmark = pytest.mark.lab
ENGINE, RANK1 = "VLLM::EngineCore", "VLLM::Worker_TP1"
PATIENCE = 60  # of the lab's inventory


def test_the_worker_of_rank_1_is_killed(pair, served_again):
    before = pair.started(HEAD)
    pair.signal(WORKER, RANK1, "KILL")
    served_again()
    assert pair.started(HEAD) != before  # all ranks go down and come up together


def test_the_engine_core_of_the_head_is_killed(pair, served_again):
    pair.signal(HEAD, ENGINE, "KILL")
    served_again()


def test_the_container_of_the_worker_is_killed(pair, served_again):
    pair.run(WORKER, "docker kill twinspark-vllm")
    served_again()


def test_a_rank_that_somebody_stops_is_a_fault_though_it_ends_well(pair, served_again):
    pair.run(WORKER, f"systemctl stop {UNIT}")
    served_again()


def test_a_worker_that_is_frozen_for_a_while_loses_no_token(pair):
    before = pair.started(WORKER)
    question = pair.asking(200)
    time.sleep(1)
    pair.signal(WORKER, RANK1, "STOP")
    time.sleep(20)
    pair.signal(WORKER, RANK1, "CONT")
    question.join(300)
    assert question.answer == "200"
    assert pair.started(WORKER) == before
    assert pair.until("serving", "busy")["restarts"] == 0


def test_a_worker_that_is_frozen_for_good(pair, served_again):
    question = pair.asking(200)
    pair.signal(WORKER, RANK1, "STOP")
    served_again()
    question.join(60)
    assert question.answer.startswith("error:")  # an error, not silence


def test_the_supervisor_is_killed_and_no_rank_notices(pair):
    before = [pair.started(host) for host in (HEAD, WORKER)]
    pair.run(HEAD, "systemctl kill --signal=KILL twinspark-serve")
    time.sleep(8)
    assert pair.until("serving", "busy")["restarts"] == 0
    assert [pair.started(host) for host in (HEAD, WORKER)] == before


def test_too_many_faults_end_in_words_and_an_apply_starts_anew(pair):
    for restarts in (1, 2, 3):
        pair.signal(WORKER, RANK1, "KILL")
        pair.until("serving", "busy", more=lambda state, n=restarts: state["restarts"] == n)
    pair.signal(WORKER, RANK1, "KILL")
    state = pair.until("given_up")
    assert state["why"].startswith("3 restarts since the last 6 h of service were not enough")
    time.sleep(5)
    for host in (HEAD, WORKER):
        assert pair.run(host, f"systemctl is-active {UNIT} || true") in ("inactive", "failed")
    done = pair.twinspark("apply", "--stage", "serve")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "supervisor: given_up -> serving on spark1" in done.stdout
    assert pair.until("serving", "busy")["restarts"] == 0
