"""A refusal, in one sentence."""


def test_what_speaks_against_it_is_told(run_module):
    told = run_module("twinspark_refusal", what="Rollback", problems=["a is gone", "b too"], fix="run it again")
    assert told["failed"]
    assert told["msg"] == "Rollback refused: a is gone; b too. Nothing was changed. Fix: run it again."


def test_without_a_problem_nothing_is_refused(run_module):
    told = run_module("twinspark_refusal", check_mode=True, what="Rollback", problems=[])
    assert (told["changed"], told.get("failed", False)) == (False, False)


def test_the_wrapper_takes_it_for_a_gate():
    from ansible.module_utils.twinspark.inventory import explain

    assert explain.ACTIONS["twinspark_refusal"] == explain.GATE
