"""When a pair may be started, and when it counts as up."""

import pytest
from ansible.module_utils.twinspark.proof import proofs
from ansible.module_utils.twinspark.proof.values import Verdict
from ansible.module_utils.twinspark.serving.canary import Canary
from ansible.module_utils.twinspark.serving.supervised import Supervised
from ansible.module_utils.twinspark.serving.upkeep import NOTHING_SERVED, obstacle, shortfall

GOOD = Canary(True, "", tokens=8, seconds=0.5)


def proof(stage, ok=True):
    return proofs.build(
        stage=stage,
        host="spark1",
        inputs={"of": stage},
        verdicts=[Verdict("bandwidth of rail1", ok, reason="" if ok else "the rail is slower")],
        written="2026-11-23T22:10:00+00:00",
    )


def test_without_a_supervisor_there_is_nothing_to_start():
    assert obstacle({}, supervisor=False) == NOTHING_SERVED


def test_a_proof_that_is_missing_or_good_is_no_obstacle():
    assert obstacle({"rdma": proof("rdma")}) == ""


@pytest.mark.parametrize(("overrides", "refused"), [((), True), (("rdma",), False), (("image",), True)])
def test_a_fabric_that_failed_keeps_the_pair_down_unless_the_owner_overrides_it(overrides, refused):
    said = obstacle({"rdma": proof("rdma", ok=False)}, overrides)
    assert bool(said) is refused
    if refused:
        assert said.startswith("the last proof of stage rdma failed (")
        assert "the rail is slower" in said.lower()
        assert "`twinspark apply --stage rdma`" in said


def test_what_is_not_before_the_pair_does_not_count():
    assert obstacle({"serve": proof("serve", ok=False), "evaluate": proof("evaluate", ok=False)}) == ""


@pytest.mark.parametrize(
    ("found", "canary", "words"),
    [
        (Supervised("serving", "serving", wish="w"), GOOD, ""),
        (Supervised("busy", "busy", wish="w"), GOOD, ""),
        (
            Supervised("busy", "busy", wish="w"),
            Canary(False, "no answer within 3 s", requests=9, counted=70),  # others' requests are served before it
            "",
        ),
        (Supervised("given_up", "given up: 3 restarts were not enough", wish="w"), None, "given up: 3 restarts"),
        (Supervised("starting", "starting, waiting for spark2", wish="w"), None, "waiting for spark2. It goes on by"),
        (Supervised("stopped", "stopped", wish="w"), None, "the pair does not serve: stopped"),
        (Supervised("serving", "serving", wish="old"), None, "has not taken the wish up (serving)"),
        (Supervised(), None, "has not taken the wish up (no supervisor has written its state)"),
        (Supervised("serving", "serving", wish="w"), Canary(False, "HTTP 500: no"), "no good answer (HTTP 500: no)"),
    ],
)
def test_a_pair_is_up_by_its_supervisor_s_word_and_an_answer(found, canary, words):
    said = shortfall(found, "w", canary)
    assert words in said
    assert bool(said) is bool(words)
