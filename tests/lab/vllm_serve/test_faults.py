"""Each fault ends as the supervisor promises: served again by itself, all ranks together, or left alone.

`make test` plays those that are not marked `long`; `make faults` plays all.
"""

import json
import subprocess
import time

import pytest

from tests.lab.vllm_serve.pairlab import HEAD, UNIT, WORKER

pytestmark = pytest.mark.lab
ENGINE, RANK0, RANK1 = "VLLM::EngineCore", "VLLM::Worker_TP0", "VLLM::Worker_TP1"
PATIENCE = 60  # of the lab's inventory
long = pytest.mark.long


@long
def test_the_worker_of_rank_1_is_killed(pair, served_again):
    before = pair.started(HEAD)
    pair.signal(WORKER, RANK1, "KILL")
    served_again()
    assert pair.started(HEAD) != before  # all ranks go down and come up together


@long
def test_the_engine_core_of_the_head_is_killed(pair, served_again):
    pair.signal(HEAD, ENGINE, "KILL")
    served_again()


@long
def test_the_container_of_the_worker_is_killed(pair, served_again):
    pair.run(WORKER, "docker kill twinspark-vllm")
    served_again()


@long
def test_a_rank_that_somebody_stops_is_a_fault_though_it_ends_well(pair, served_again):
    pair.run(WORKER, f"systemctl stop {UNIT}")
    served_again()


@long
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


@long
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


@long
def test_the_worker_of_rank_0_is_killed(pair, served_again):
    pair.signal(HEAD, RANK0, "KILL")
    served_again()


# On the head it is the API server.
@long
@pytest.mark.parametrize("host", [HEAD, WORKER])
def test_the_first_process_of_a_rank_is_killed(pair, served_again, host):
    pair.run(host, "kill -KILL $(docker inspect --format '{{.State.Pid}}' twinspark-vllm)")
    served_again()


@long
def test_the_engine_ends_well_though_nobody_asked_for_it(pair, served_again):
    pair.run(HEAD, "docker kill --signal INT twinspark-vllm")
    served_again()


@long
@pytest.mark.parametrize("host", [HEAD, WORKER])
def test_docker_is_stopped_and_started(pair, served_again, host):
    pair.run(host, "systemctl stop docker.socket docker.service")
    state = pair.until("restarting", more=lambda state: state["stage"] == "room")
    assert state["phase"] == f"waiting for Docker on {host}"
    pair.run(host, "systemctl start docker.service")
    served_again()


@long
def test_the_core_of_the_head_is_frozen_for_a_while_and_loses_no_token(pair):
    before = pair.started(HEAD)
    question = pair.asking(200)
    time.sleep(1)
    pair.signal(HEAD, ENGINE, "STOP")
    time.sleep(30)
    pair.signal(HEAD, ENGINE, "CONT")
    question.join(300)
    assert question.answer == "200"
    assert pair.started(HEAD) == before


@long
def test_the_core_of_the_head_is_frozen_for_good(pair, served_again):
    pair.signal(HEAD, ENGINE, "STOP")
    served_again()


@long
def test_the_worker_is_rebooted(pair, served_again):
    pair.reboot(WORKER)
    served_again()


@long
@pytest.mark.parametrize("hosts", [(HEAD,), (HEAD, WORKER)], ids=["head", "both"])
def test_the_head_is_rebooted_in_order_and_that_counts_as_no_fault(pair, served_again, hosts):
    pair.reboot(*hosts)
    served_again(restarts=0)


@long
def test_a_rail_is_cut_for_a_minute(pair):
    with pair.cut(0):
        time.sleep(60)
    state = pair.until("serving", "busy")
    assert int(pair.ask(4)) == 4
    assert pair.until("serving", "busy")["restarts"] <= 1 + state["restarts"]


@long
def test_a_rail_that_is_cut_for_good_is_waited_for_by_name(pair, served_again):
    with pair.cut(0):
        state = pair.until("restarting", more=lambda state: state["stage"] == "room")
        assert state["phase"].startswith("waiting for rail1 on ")
    served_again()


@long
def test_a_peer_that_is_gone_for_ten_minutes_is_waited_for(pair, served_again):
    with pair.hanging(WORKER):
        state = pair.until("restarting", more=lambda state: state["phase"] == f"waiting for {WORKER}")
        time.sleep(600)
        assert pair.state()["phase"] == f"waiting for {WORKER}"
        assert pair.state()["restarts"] == state["restarts"]
    served_again()


@long
def test_memory_that_somebody_else_has_taken_is_waited_for(pair):
    assert pair.twinspark("stop").returncode == 0
    limits = pair.settings()["limits"]
    spare = pair.available_gib(WORKER) - limits["memory_gib"] - 2
    with pair.limits(headroom_gib=spare):
        with pair.hog(WORKER, 4):
            assert pair.twinspark("start").returncode == 3
            assert pair.until("starting")["phase"].startswith("waiting for memory on ")
        pair.until("serving", "busy")


@long
def test_memory_that_somebody_takes_in_service_restarts_the_pair_ahead_of_the_kernel(pair, served_again):
    with pair.limits(floor_gib=pair.available_gib(WORKER) - 2):
        pair.until("serving", "busy")
        with pair.hog(WORKER, 4):
            assert "memory" in pair.until("restarting")["why"]
    served_again()


@long
def test_the_controller_goes_away_in_the_middle_of_an_apply(pair):
    before = pair.started(HEAD)
    argv = [pair.program, "apply", "--stage", "serve", "--interrupt", "-e", "vllm_serve_flag_max_num_seqs=3"]
    apply = subprocess.Popen(argv, stdout=subprocess.DEVNULL, start_new_session=True)
    pair.until("starting")
    apply.kill()
    apply.wait()
    pair.until("serving", "busy")
    assert pair.started(HEAD) != before
    done = pair.twinspark("apply", "--stage", "serve")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--max-num-seqs: 3 -> " in done.stdout
    pair.until("serving", "busy")


@long
def test_a_fault_during_an_evaluation_loses_no_finished_sample(pair):
    argv = [pair.program, "apply", "--stage", "evaluate", "-e", "inspect_eval_epochs=6"]
    old = {uuid for _, _, uuid, _ in pair.samples()}
    apply = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    end = time.monotonic() + 600
    finished: set[str] = set()
    while len(finished) < 6 and time.monotonic() < end:
        finished = {uuid for _, _, uuid, scored in pair.samples() if scored} - old
        time.sleep(2)
    pair.signal(WORKER, RANK1, "KILL")
    told, _ = apply.communicate(timeout=1800)
    assert apply.returncode == 0, told
    samples = pair.samples()
    assert len({(name, epoch) for name, epoch, *_ in samples}) == len(samples) == 8 * 6
    assert all(scored for *_, scored in samples)
    assert 6 <= len(finished) < 8 * 6
    assert finished <= {uuid for _, _, uuid, _ in samples}
    assert pair.until("serving", "busy")["restarts"] == 1


@long
def test_too_many_faults_end_in_words_and_an_apply_starts_anew(pair):
    for restarts in (1, 2, 3):
        pair.signal(WORKER, RANK1, "KILL")
        pair.until("serving", "busy", more=lambda state, n=restarts: state["restarts"] == n)
    pair.signal(WORKER, RANK1, "KILL")
    state = pair.until("given_up")
    assert state["why"].startswith("3 restarts since the last 6 h of service did not help")
    time.sleep(5)
    for host in (HEAD, WORKER):
        assert pair.run(host, f"systemctl is-active {UNIT} || true") in ("inactive", "failed")
    # What passed before does not hold any more, for status and for the next gate, and is kept.
    folder = "/var/lib/twinspark/proofs"
    proof = json.loads(pair.run(HEAD, f"cat {folder}/serve.json"))
    assert proof["verdict"] == "fail"
    assert state["why"] in proof["reasons"][0]
    assert json.loads(pair.run(HEAD, f"cat {folder}/serve.before.json"))["verdict"] == "pass"
    refused = pair.twinspark("apply", "--stage", "evaluate")
    assert refused.returncode == 3, refused.stdout + refused.stderr
    done = pair.twinspark("apply", "--stage", "serve")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(pair.run(HEAD, f"cat {folder}/serve.json"))["verdict"] == "pass"
    assert "supervisor: given_up -> serving on spark1" in done.stdout
    assert pair.until("serving", "busy")["restarts"] == 0
