"""What the supervisor says, read from its file."""

import json

import pytest
from ansible.module_utils.twinspark.serving.pair import State, Wish


def test_without_a_file_there_is_no_supervisor(run_module, tmp_path):
    told = run_module("twinspark_supervisor_info", check_mode=True, folder=str(tmp_path))
    assert (told["changed"], told["supervisor"]["kind"], told["supervisor"]["settled"]) == (False, "absent", False)


@pytest.mark.parametrize(("wish", "settled"), [("", True), ("w", True), ("another", False)])
def test_it_has_settled_by_the_wish_that_was_asked_for(run_module, tmp_path, wish, settled):
    state = State(kind="serving", wish=Wish(id="w", verb="start")).to_json()
    (tmp_path / "state.json").write_text(json.dumps({"sentence": "serving", "state": state, "hosts": []}))
    told = run_module("twinspark_supervisor_info", folder=str(tmp_path), wish=wish)["supervisor"]
    assert (told["kind"], told["sentence"], told["settled"]) == ("serving", "serving", settled)
