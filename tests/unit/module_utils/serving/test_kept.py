"""Which state a rollback goes to, what stands in the way, and what the settings say beyond it."""

import pytest
from ansible.module_utils.twinspark.serving import kept
from ansible.module_utils.twinspark.serving.argv import RankPlan
from ansible.module_utils.twinspark.serving.kept import File, Found, Kept, State
from ansible.module_utils.twinspark.serving.rank import Memory, Nccl, Rank
from ansible.module_utils.twinspark.serving.serve import Reason

HOSTS = ("spark1", "spark2")


def plan(seqs="2", env=None, digest=""):
    argv = ["vllm", "serve", "/m", "--max-num-seqs", seqs]
    return RankPlan(0, 2, argv, env or {"A": "1"}, ["docker", *argv], digest or f"d{seqs}", [], [])


def passed(id, text="unit"):
    files = {"/unit": File(0o644, text)}
    return Kept(id=id, written=f"time of {id}", image="i", snapshot="/s", url="u", model="m", plan=plan(), files=files)


def state(id, installed=False, image="i", lacks="", url="u", **more):
    return State(
        id=id, written=f"time of {id}", image=image, snapshot="/s", url=url, model="m", plan=plan(**more),
        installed=installed, lacks=lacks,
    )  # fmt: skip


def rank(image="i"):
    return Rank(
        unit={}, container=None, desired="", image_id=image, health=None, peers={}, dead=(), ready=False, settled=False,
        phase="", cause=None, log_tail=(), ranks=(), nccl=Nccl(), started=None, ready_seconds=None, memory=Memory(1, 1),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "ids"),
    [
        ("", "a", "a"),
        ("a", "a", "a"),
        ("a", "b", "ba"),
        ("ba", "c", "cb"),
        ("ba", "a", "ab"),  # a rollback: the two change places
        ("ba", "b", "ba"),
    ],
)
def test_two_states_are_kept_the_last_one_first(old, new, ids):
    assert "".join(found.id for found in kept.keep([passed(id) for id in old], passed(new))) == ids


def test_the_same_state_again_is_kept_as_it_is_now():
    assert kept.keep([passed("a", "old"), passed("b")], passed("a", "new"))[0].files["/unit"].text == "new"


def both(*states):
    return {host: Found(tuple(states)) for host in HOSTS}


@pytest.mark.parametrize(
    ("found", "id"),
    [
        (both(state("b", installed=True), state("a")), "a"),
        (both(state("b"), state("a")), "b"),  # an apply since did not pass
        (both(state("b")), "b"),
        # It did not even come to the worker's files.
        ({"spark1": Found((state("b"), state("a"))), "spark2": Found((state("b", installed=True), state("a")))}, "b"),
        # Neither did what was kept come in the same order: the ID is what counts.
        ({"spark1": Found((state("b"), state("a"))), "spark2": Found((state("a"), state("b")))}, "b"),
    ],
)
def test_it_goes_to_the_last_state_that_passed_and_is_not_here(found, id):
    target = kept.target(HOSTS, found)
    assert (target.id, target.written, target.problems) == (id, f"time of {id}", [])


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (both(), "no state was kept yet; `twinspark apply --stage serve` keeps each one that passes"),
        (
            both(state("b", installed=True)),
            "the state that is here (it passed time of b) is the only one that was kept",
        ),
        (
            {"spark1": Found((state("b", installed=True), state("a"))), "spark2": Found((state("b", installed=True),))},
            "spark2 has not kept the state that passed time of a",
        ),
        (
            {"spark1": Found((state("b"),)), "spark2": Found(error="no JSON")},
            "on spark2 the kept states can't be read: no JSON",
        ),
    ],
)
def test_without_one_it_says_why(found, problem):
    target = kept.target(HOSTS, found)
    assert (target.id, target.problems) == ("", [problem])


def test_what_stands_in_the_way_is_told_by_host():
    states = {"spark1": state("a"), "spark2": state("a", lacks="the weights in /s are gone")}
    assert kept.missing(HOSTS, {host: state("a") for host in HOSTS}, {host: rank() for host in HOSTS}, "u") == []
    assert kept.missing(HOSTS, states, {"spark1": rank(""), "spark2": rank()}, "http://other") == [
        "the door passes on to http://other, and in that state the engine listens at u",
        "on spark1 Docker does not have the image i, or does not answer",
        "on spark2 the weights in /s are gone",
    ]


@pytest.mark.parametrize(
    ("wanted", "image", "reasons"),
    [
        (plan(), "i", []),
        (plan("8"), "i", [Reason("spark1", "--max-num-seqs", "2", "8")]),
        (plan(digest="e"), "j", [Reason("spark1", "image", "i", "j")]),
        (plan(digest="e"), "i", [Reason("spark1", "digest", "d2", "e")]),  # an option of Docker's
        (plan(env={"A": "2"}, digest="e"), "i", [Reason("spark1", "A", "1", "2")]),
    ],
)
def test_what_the_next_apply_changes_is_told_by_flag(wanted, image, reasons):
    assert kept.ahead(HOSTS[:1], {"spark1": state("a")}, {"spark1": wanted}, image) == reasons


def test_an_environment_file_is_read_as_docker_reads_it():
    text = "# Managed\nA=x y\nB=2=3\n\nC=\n"
    assert kept.environment(text) == {"A": "x y", "B": "2=3", "C": ""}
