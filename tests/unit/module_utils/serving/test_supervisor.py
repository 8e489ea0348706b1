"""The supervisor over a made-up pair: each fault by itself, and then any row of them that hypothesis can think of."""

import dataclasses

import pytest
from ansible.module_utils.twinspark.serving import pair
from ansible.module_utils.twinspark.serving.causes import Cause
from ansible.module_utils.twinspark.serving.supervisor import step
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from .pair_world import GIB, World, again, with_farewell

LIMITS = pair.Limits(utilization=0.8, headroom_gib=4, service_hours=0.5)
UP = ("serving", "busy")


class Play:
    """A supervisor at work on a world; `journal` has every change of its state in words, `done` what it did."""

    def __init__(self, *hosts, **limits):
        self.world = World.of(*(hosts or ("spark1", "spark2")))
        self.limits = dataclasses.replace(LIMITS, **limits)
        self.state, self.journal, self.done = pair.State(), [], []

    def tick(self, seconds=5.0, passed=None):
        self.world.run(seconds)
        self.state, actions = step(self.state, self.world.look(seconds if passed is None else passed), self.limits)
        if not self.journal or self.journal[-1] != self.state.kind:
            self.journal.append(self.state.kind)
        self.done += [action for action in actions if action.verb in ("start", "stop")]
        for action in actions:
            self.world.do(action)

    def run(self, seconds, by=5.0):
        for _ in range(int(seconds / by)):
            self.tick(by)

    def until(self, *kinds, seconds=3000):
        for _ in range(int(seconds / 5)):
            self.tick()
            if self.state.kind in kinds:
                return
        pytest.fail(f"not {kinds} within {seconds} s, but {pair.sentence(self.state, self.limits)}")

    def phases(self, seconds):
        found = []
        for _ in range(int(seconds / 5)):
            self.tick()
            if not found or found[-1] != self.state.phase:
                found.append(self.state.phase)
        return found

    def serve(self):
        self.world.want("start")
        self.until("serving")
        self.journal, self.done = ["serving"], []
        return self


def verbs(play):
    return [f"{action.verb} {action.host}" for action in play.done]


def test_a_start_stops_all_then_brings_up_workers_then_the_head():
    play = Play("a", "b", "c")
    play.world.host("b").leftovers = 1
    play.world.want("start")
    play.until("serving")
    assert verbs(play) == ["stop b", "start b", "start c", "start a"]
    assert play.journal == ["starting", "serving"]
    assert play.state.restarts == 0
    assert play.state.token == play.world.now


def test_nothing_is_done_before_there_is_a_wish():
    play = Play()
    play.world.do(pair.Action("start", "spark1"))
    play.run(300)
    assert (play.journal, play.done) == (["stopped"], [])


def test_ranks_that_run_are_adopted_by_a_wish_to_start():
    play = Play()
    for host in ("spark2", "spark1"):
        play.world.do(pair.Action("start", host))
    play.world.run(5)
    play.world.run(130)
    play.world.want("start")
    play.until("serving", seconds=30)
    assert play.done == []
    play.world.host("spark2").end()
    play.tick()
    assert "spark2 ended with exit code 0" in play.state.why


def test_one_host_is_a_pair_too():
    play = Play("only").serve()
    play.world.host("only").end("137")
    play.until("serving")
    assert verbs(play) == ["stop only", "start only"]


def test_it_sits_idle_for_a_day_on_canaries_alone():
    play = Play().serve()
    play.run(24 * 3600, by=30)
    assert (play.journal, play.done) == (["serving"], [])


def test_busy_is_never_asked_and_never_disturbed():
    play = Play().serve()
    play.world.requests = 8
    asked = play.state.asked
    play.run(24 * 3600, by=30)
    assert play.state.kind == "busy"
    assert (play.state.asked, play.done) == (asked, [])


ENDS = {
    "exit 0": lambda world: world.host("spark2").end("0"),
    "killed": lambda world: world.host("spark2").end("137", "failed"),
    "the head": lambda world: world.host("spark1").end("1", "failed"),
    "its container": lambda world: setattr(world.host("spark2"), "container", ""),
    "its process": lambda world: setattr(world.host("spark1"), "pids", (7777,)),
    "its host": lambda world: world.boot("spark2"),
    "started by another": lambda world: world.do(pair.Action("start", "spark2")),
}
WORDS = {
    "exit 0": "the rank on spark2 ended with exit code 0, and nobody asked for it",
    "killed": "the rank on spark2 ended with exit code 137",
    "the head": "the rank on spark1 ended with exit code 1",
    "its container": "the container of the rank on spark2 is gone",
    "its process": "the process VLLM::Worker_TP",
    "its host": "spark2 was rebooted",
    "started by another": "the rank on spark2 was started again by somebody else",
}


@pytest.mark.parametrize("end", ENDS)
def test_a_rank_that_is_gone_is_a_fault_at_once_and_both_come_up_together(end):
    play = Play().serve()
    play.run(60)
    ENDS[end](play.world)
    play.tick()
    assert play.state.kind == "restarting"
    assert play.state.why.startswith(WORDS[end])
    play.until("serving", seconds=200)
    assert verbs(play)[-2:] == ["start spark2", "start spark1"]
    assert play.state.restarts == 1
    assert play.journal == ["serving", "restarting", "serving"]


def test_what_killed_the_rank_stands_behind_the_reason():
    play = Play().serve()
    play.world.host("spark1").log = pair.Log("failed", Cause("lost peer", "Connection closed by remote peer", "read"))
    play.world.host("spark2").log = pair.Log("failed", Cause("out of memory", "CUDA out of memory", "lower it"))
    play.world.host("spark2").end("1", "failed")
    play.run(10)
    assert play.state.why.endswith("out of memory on spark2 (CUDA out of memory). Fix: lower it")


def test_a_worker_stopped_for_a_while_goes_on_and_for_good_is_restarted_after_the_patience():
    play = Play(patience=300).serve()
    play.world.requests = 2
    play.world.host("spark2").stopped = True
    play.world.hosts[0].power = play.world.hosts[1].power = 4.0
    play.run(280)
    assert play.journal == ["serving", "busy"]
    play.world.host("spark2").stopped = False
    play.run(100)
    play.world.host("spark2").stopped = True
    play.until("stuck", seconds=310)
    assert "2 requests held" in play.state.why
    assert "on spark2 is stopped (state T)" in play.state.why
    assert "the GPUs idle (4 W on spark1, 4 W on spark2)" in play.state.why
    play.until("busy", seconds=200)
    assert play.state.restarts == 1


def test_a_hang_that_the_engine_calls_idle_is_found_by_the_canary():
    play = Play(patience=120).serve()
    play.world.wedged = play.world.silent = True
    play.until("stuck", seconds=120 + 60 + 10)
    assert "the canary hangs" in play.state.why
    play.until("serving", seconds=200)


def test_tokens_at_the_last_look_save_a_pair_that_was_called_stuck():
    play = Play(patience=120).serve()
    play.world.wedged = True
    play.until("stuck")
    play.world.wedged = False
    play.tick()
    assert play.state.kind in UP
    assert play.done == []


def test_it_gives_up_after_so_many_restarts_and_says_why_and_only_a_wish_starts_it_again():
    play = Play()
    play.world.doomed = 99
    play.world.want("start")
    play.until("given_up")
    play.run(60)
    assert [action.host for action in play.done if action.verb == "start"] == ["spark2", "spark1"] * 4
    assert play.state.why.startswith(
        "3 restarts since the last 0.5 h of service did not help; last: the rank on spark2"
    )
    assert all(host.active == "inactive" for host in play.world.hosts)
    play.world.doomed, play.done = 0, []
    play.state = again(play.state)
    play.run(7200, by=30)
    assert (play.state.kind, play.done) == ("given_up", [])
    play.world.want("start")
    play.until("serving")
    assert play.state.restarts == 0


def test_the_pauses_grow():
    play = Play()
    play.world.doomed = 99
    play.world.want("start")
    pauses = []
    for _ in range(1000):
        play.tick()
        if play.state.stage == "pause" and play.state.pause and (not pauses or play.state.pause > pauses[-1]):
            pauses.append(play.state.pause)
    assert pauses == [10, 60, 300]


def test_hours_of_service_forgive():
    play = Play(service_hours=1).serve()
    for restarts in (1, 2):
        play.world.host("spark2").end()
        play.tick()
        play.until("serving")
        assert play.state.restarts == restarts
    play.run(3600 - 60)
    assert play.state.restarts == 2
    play.run(120)
    assert play.state.restarts == 0


def test_a_peer_that_is_away_for_an_hour_is_waited_for_by_its_name():
    play = Play().serve()
    away = play.world.host("spark2")
    away.reachable, play.world.wedged = False, True
    play.until("restarting", seconds=800)
    assert "spark2 can't be reached" in play.state.why
    play.run(3600)
    assert pair.sentence(play.state, play.limits).startswith("restarting (1 of 3), waiting for spark2: no token for")
    assert play.world.host("spark1").active == "inactive"
    away.reachable = True
    play.until("serving", seconds=200)
    assert verbs(play)[:2] == ["stop spark1", "stop spark1"]


def test_a_peer_that_can_t_be_reached_is_no_dead_rank_while_tokens_move():
    play = Play().serve()
    play.world.host("spark2").reachable = False
    play.run(7200, by=30)
    assert (play.journal, play.done) == (["serving"], [])
    assert play.state.phase == "spark2 can't be reached"


def test_a_start_says_what_it_waits_for():
    play = Play()
    first, second = play.world.hosts
    second.reachable, first.others, second.docker, second.missing = False, 26 * GIB, False, ("rail2",)
    play.world.want("start")
    assert play.phases(60) == ["waiting for spark2"]
    second.reachable = True
    assert play.phases(60)[-1] == "waiting for memory on spark1: 94.0 of 100.0 GiB"
    first.others = 6 * GIB
    assert play.phases(60)[-1] == "waiting for Docker on spark2"
    second.docker = True
    assert play.phases(60)[-1] == "waiting for rail2 on spark2"
    second.missing = ()
    play.until("serving", seconds=200)
    assert play.state.restarts == 0


def test_a_boot_starts_the_pair_and_counts_unless_the_head_was_shut_down_in_order():
    play = Play().serve()
    play.state = again(with_farewell(play.state, play.world))
    play.world.boot("spark1")
    play.tick(60, passed=0)
    assert (play.state.kind, play.state.why) == ("starting", "spark1 was rebooted")
    play.until("serving")
    assert play.state.restarts == 0
    play.world.boot("spark1")
    play.tick(60, passed=0)
    play.until("serving")
    assert play.state.restarts == 1
    assert play.world.host("spark2").active == "active"


def test_both_hosts_in_a_power_cut():
    play = Play().serve()
    play.world.boot("spark1")
    play.world.boot("spark2")
    play.world.host("spark2").reachable = False
    play.tick(60, passed=0)
    assert play.state.kind == "restarting"
    play.run(300)
    assert play.state.phase == "waiting for spark2"
    play.world.host("spark2").reachable = True
    play.until("serving")


def test_a_supervisor_that_is_started_again_takes_over_what_runs_with_a_canary_lost_on_the_way():
    play = Play().serve()
    for _ in range(20):
        play.run(65)
        play.state, play.world.asking, play.world.answer = again(play.state), 0, None
        play.tick(5, passed=0)
    assert (play.journal, play.done) == (["serving"], [])


def test_an_hour_of_waiting_for_a_peer_forgives_nothing():
    play = Play(service_hours=0.5).serve()
    for restarts in (1, 2):
        play.world.host("spark2").end()
        play.tick()
        play.world.host("spark2").reachable = False
        play.run(3600)
        assert play.state.phase == "waiting for spark2"
        play.world.host("spark2").reachable = True
        play.until("serving")
        assert play.state.restarts == restarts


def test_its_own_long_sleep_is_no_patience():
    play = Play(patience=600).serve()
    play.world.requests, play.world.wedged = 1, True
    play.tick(5)
    play.tick(86400)
    assert play.state.kind == "busy"


def test_memory_under_the_floor_restarts_even_a_pair_that_moves():
    play = Play().serve()
    play.world.requests = 1
    play.world.host("spark2").others = 29 * GIB
    play.run(10)
    assert play.state.kind == "restarting"
    assert play.state.why == "only 1.0 GiB of memory are left on spark2, and 2 are the least"
    play.run(300)
    assert play.state.phase == "waiting for memory on spark2: 91.0 of 100.0 GiB"


def test_no_floor_no_restart():
    play = Play(floor_gib=None).serve()
    play.world.host("spark2").others = 29 * GIB
    play.run(300)
    assert play.done == []


def test_a_stop_stops_the_head_first_and_what_comes_back_later():
    play = Play().serve()
    play.world.host("spark2").reachable = False
    play.world.want("stop")
    play.run(60)
    assert (play.state.kind, play.state.phase) == ("stopped", "waiting for spark2")
    assert {action.host for action in play.done} == {"spark1"}
    play.world.host("spark2").reachable = True
    play.run(60)
    assert play.world.host("spark2").active == "inactive"
    play.world.boot("spark2")
    play.done = []
    play.run(3600, by=30)
    assert (play.state.kind, play.state.phase, play.done) == ("stopped", "", [])


def test_a_wish_to_start_leaves_alone_what_serves_and_one_to_restart_does_not():
    play = Play().serve()
    play.world.want("start")
    play.run(60)
    assert play.done == []
    play.world.want("restart", "--max-num-seqs: 2 -> 8")
    play.tick()
    assert (play.state.kind, play.state.why) == ("starting", "--max-num-seqs: 2 -> 8")
    play.until("serving")
    assert play.state.restarts == 0


def test_a_start_that_never_answers_ends_with_its_phase_in_the_reason():
    play = Play(ready_timeout=600)
    play.world.load_seconds = 1e9
    play.world.want("start")
    play.until("restarting", seconds=700)
    assert play.state.why.startswith("no token within 600 s of the start; the head was at: loading weights")
    play.until("given_up", seconds=4000)


def test_a_rank_that_never_begins_ends_the_start():
    play = Play(start_grace=60)
    play.world.want("start")
    real, play.world.do = play.world.do, lambda action: None
    play.run(90)
    assert play.state.why == "no rank began on spark2 within 60 s"
    play.world.do = real
    play.until("serving")
    assert play.state.restarts == 1


# Any row of faults ------------------------------------------------------------------------------------------------

names = st.sampled_from(["spark1", "spark2"])


GONE = ("exit 0", "killed", "process", "container", "host")


def trouble(**changes):
    def happen(world, host):
        for name, value in changes.items():
            setattr(host, name, value)
        if changes.get("docker") is False:
            host.end()

    return happen


def hang(world, host):
    world.wedged, world.silent = world.generates, False


def hang_and_say_nothing_runs(world, host):
    world.wedged, world.silent = world.generates, True


def cut(world, host):
    """The rail: no answer to ssh, and no token either."""
    host.reachable = False
    hang(world, host)


def fail(world, host):
    world.doomed = 5
    host.end("1", "failed")


TROUBLES = {
    "hang": hang,
    "hang in silence": hang_and_say_nothing_runs,
    "cut": cut,
    "fail": fail,
    "away": trouble(reachable=False),
    "stopped": trouble(stopped=True),
    "docker": trouble(docker=False),
    "rail": trouble(missing=("rail1",)),
    "memory before a start": trouble(others=25 * GIB),
    "memory in service": trouble(others=29 * GIB),
}


class Pairs(RuleBasedStateMachine):
    """Whatever happens to the world, the supervisor keeps its promises."""

    def __init__(self):
        super().__init__()
        self.play = Play(patience=300, ready_timeout=900)
        self.stuck = 0
        self.starts = 0  # after faults, since the last service_hours of service
        self.service = 0.0
        self.free = True  # the next start is one that was wished for, or follows an orderly reboot
        self.frozen = 0.0
        self.tokens_at_start = 0.0
        self.orderly = False  # the head was shut down in order, which is not seen yet
        self.refused = False

    @property
    def world(self):
        return self.play.world

    def tick(self, seconds):
        """One look and all that follows from it, held against what is true of the world."""
        world, play, before = self.world, self.play, self.play.state
        gone = self.gone()
        work, answer = world.work, world.answer
        world.run(seconds)
        gone = gone or self.gone()
        alive = world.work > work
        if world.answer is not None and world.answer is not answer:
            self.refused = not world.answer.tokens
        self.refused = self.refused and not alive
        # Whoever was refused a token waits for one.
        wanted = world.requests or world.asking or self.refused
        self.frozen = 0.0 if alive else self.frozen + (seconds if wanted else 0)
        seen = world.look(seconds)
        low = any(host.memory and host.memory.available < 2 * GIB for host in seen.hosts)
        wish = bool(seen.wish and (before.wish is None or before.wish.id != seen.wish.id))
        state, actions = step(before, seen, play.limits)
        self.hold(before, state, seen, gone=gone, low=low, wish=wish, alive=alive)
        if before.kind in UP:
            self.service += seconds
            self.starts = 0 if self.service >= play.limits.service_hours * 3600 else self.starts
        self.act(state, actions, seen)
        play.state = state
        self.orderly = self.orderly and not seen.head.reachable and "spark1" in state.ranks

    def gone(self):
        """Whether a rank of the present start is truly gone, be it seen or not."""
        known = self.play.state.ranks
        return any(
            host.name in known
            and (
                host.active != "active"
                or known[host.name].boot_id != f"{host.name}-{host.boot}"
                or known[host.name].invocation not in ("", host.invocation)
                or not host.container
                or not {process.pid for process in known[host.name].processes} <= set(host.pids)
            )
            for host in self.world.hosts
        )

    def hold(self, before, state, seen, *, gone, low, wish, alive):
        """The promises that one step can break."""
        limits = self.play.limits
        left = before.kind in (*UP, "stuck") and state.kind not in (*UP, "stuck")
        if left and not wish:
            patient = before.kind == "stuck" and self.frozen >= limits.patience
            assert gone or low or patient, f"{before.kind} -> {state.kind}: {state.why}"
            assert not (alive and not gone and not low), "what moves was restarted"
        if state.kind == "stuck":
            assert self.frozen >= limits.patience
        if state.kind in UP and before.kind not in UP:
            assert alive, "called serving without a token"
        if before.kind in pair.DOWN and not wish:
            assert state.kind == before.kind
        self.stuck = self.stuck + 1 if state.kind == "stuck" else 0
        assert self.stuck <= 1, "stuck for longer than one look"
        if state.kind in UP:
            # Found out by a canary at the latest, and then by two looks.
            assert self.frozen <= limits.patience + limits.canary_every + limits.canary_retry + 3 * 60
        if left or wish or self.orderly:
            self.free = wish or (self.orderly and state.kind == "starting")

    def act(self, state, actions, seen):
        """What is done, in its order, with its bound."""
        kind, hosts = state.kind, {host.host: host for host in seen.hosts}
        started = [action.host for action in actions if action.verb == "start"]
        stopped = [action.host for action in actions if action.verb == "stop"]
        assert not (started and stopped)
        assert not (kind in (*UP, "stuck") and (started or stopped)), "disturbed what serves"
        assert not (kind in pair.DOWN and started)
        assert all(hosts[name].reachable for name in started + stopped)
        if "spark2" in started:
            assert all(host.cleared and host.docker and not host.missing for host in seen.hosts)
            assert all(host.memory.available >= (0.8 * 120 + 4) * GIB for host in seen.hosts)
            self.starts += 0 if self.free else 1
            self.service, self.free, self.tokens_at_start = 0.0, False, self.world.tokens
            assert self.starts <= self.play.limits.restarts, "more restarts than allowed"
        if "spark1" in started:
            assert hosts["spark2"].active == "active", "the head was started before its worker"
        if "spark2" in stopped and hosts["spark1"].reachable:
            assert hosts["spark1"].over, "a worker was stopped before the head"
        for action in actions:
            self.world.do(action)

    @initialize(serving=st.sampled_from([True, True, True, False]))
    def begin(self, serving):
        if serving:
            self.want("start")
            self.all_is_well_again()
            assert self.play.state.kind == "serving"

    @rule(seconds=st.sampled_from([1.0, 5.0, 20.0, 60.0]), times=st.integers(1, 30))
    def time_goes_by(self, seconds, times):
        for _ in range(times):
            self.tick(seconds)

    @rule()
    def half_an_hour_goes_by(self):
        for _ in range(60):
            self.tick(30.0)

    @rule(verb=st.sampled_from(["start", "stop", "restart"]))
    def want(self, verb):
        self.world.want(verb)
        if verb == "restart" or (verb == "start" and self.play.state.kind in pair.DOWN):
            self.starts = 0
        self.tick(1.0)

    @rule(requests=st.integers(0, 3))
    def clients_come_and_go(self, requests):
        self.world.requests = requests

    @rule(name=names, kind=st.sampled_from(GONE), times=st.integers(1, 60))
    def a_rank_is_gone(self, name, kind, times):
        host = self.world.host(name)
        if kind == "host":
            self.world.boot(name)
            if name == "spark1":  # and with it the supervisor
                self.world.asking, self.world.answer = 0, None
        elif kind == "container":
            host.container = ""
        elif kind == "process":
            host.pids = (self.world.number(),) if host.pids else ()
        else:
            host.end(*{"exit 0": ("0", "inactive"), "killed": ("137", "failed")}[kind])
        for _ in range(times):
            self.tick(5.0)

    @rule(name=names, kind=st.sampled_from(sorted(TROUBLES)), times=st.integers(0, 60), stays=st.booleans())
    def something_is_wrong_for_a_while(self, name, kind, times, stays):
        TROUBLES[kind](self.world, self.world.host(name))
        for _ in range(times):
            self.tick(20.0)
        if not stays:
            self.world.heal()

    @rule()
    def the_head_is_rebooted_in_order(self):
        before = self.play.state
        self.play.state = again(with_farewell(before, self.world))
        self.world.boot("spark1")
        self.world.asking, self.world.answer = 0, None
        running = before.kind in (*UP, "stuck") or before.stage in ("workers", "head", "ready")
        self.orderly = running and before.kind not in pair.DOWN
        self.tick(30.0)

    @rule()
    def the_supervisor_is_started_again(self):
        self.world.asking, self.world.answer = 0, None
        self.play.state = again(self.play.state)

    @rule()
    def all_is_well_again(self):
        self.world.heal()
        for _ in range(600):
            self.tick(10.0)
            kind = self.play.state.kind
            if (self.world.generates and kind in UP) or (kind in pair.DOWN and not self.play.state.stage):
                break
        if kind in UP:
            assert self.world.generates
        else:
            assert kind in pair.DOWN, pair.sentence(self.play.state, self.play.limits)
            assert all(host.active != "active" for host in self.world.hosts) or self.play.state.wish is None

    @invariant()
    def it_can_be_said(self):
        assert pair.sentence(self.play.state, self.play.limits)
        assert again(self.play.state) == self.play.state


TestPairs = Pairs.TestCase
TestPairs.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
