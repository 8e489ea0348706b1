"""What the owner wants, written for the supervisor."""

import json

import pytest
from ansible.module_utils.twinspark.serving.pair import State, Wish


def wanted(folder):
    return json.loads((folder / "wanted.json").read_text())


def answers(folder, kind, wish):
    """The supervisor's file, when it follows this wish."""
    state = State(kind=kind, wish=Wish(id=wish, verb="start")).to_json()
    (folder / "state.json").write_text(json.dumps({"sentence": "", "state": state}))


def test_a_wish_is_written_once(run_module, tmp_path):
    folder = tmp_path / "serve"
    first = run_module("twinspark_wish", verb="start", why="image", folder=str(folder))
    assert first["changed"]
    assert wanted(folder) == {"id": first["id"], "verb": "start", "why": "image"}
    answers(folder, "serving", first["id"])
    again = run_module("twinspark_wish", verb="start", folder=str(folder))
    assert (again["changed"], again["id"]) == (False, first["id"])


@pytest.mark.parametrize(("verb", "kind"), [("restart", "serving"), ("stop", "serving"), ("start", "given_up")])
def test_another_wish_has_another_id(run_module, tmp_path, verb, kind):
    first = run_module("twinspark_wish", verb="start", folder=str(tmp_path))
    answers(tmp_path, kind, first["id"])
    other = run_module("twinspark_wish", verb=verb, folder=str(tmp_path))
    assert other["changed"]
    assert wanted(tmp_path)["id"] == other["id"] != first["id"]


def test_check_mode_writes_nothing(run_module, tmp_path):
    assert run_module("twinspark_wish", check_mode=True, verb="stop", folder=str(tmp_path / "serve"))["changed"]
    assert not (tmp_path / "serve").exists()


@pytest.mark.parametrize("broken", ["", "{", '{"id": "x", "verb": "dance"}'])
def test_a_wish_that_cant_be_read_is_replaced(run_module, tmp_path, broken):
    (tmp_path / "wanted.json").write_text(broken)
    assert run_module("twinspark_wish", verb="start", folder=str(tmp_path))["changed"]
    assert wanted(tmp_path)["verb"] == "start"
