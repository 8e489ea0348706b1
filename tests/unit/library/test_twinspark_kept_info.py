"""What a host tells of the states that it has kept."""

import pytest
from ansible.module_utils.twinspark.serving.argv import RankPlan
from ansible.module_utils.twinspark.serving.kept import Kept
from ansible.module_utils.twinspark_host import kept

PLAN = RankPlan(0, 1, ["vllm"], {"A": "1"}, ["docker"], "d", [], [])


@pytest.fixture
def look(run_module, tmp_path):
    unit = tmp_path / "rank.service"
    unit.write_text("now\n")
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot/config.json").write_text("{}")
    more = {"written": "t", "image": "i", "snapshot": f"{tmp_path}/snapshot", "url": "u", "model": "m", "plan": PLAN}
    new = Kept(id="b", files=kept.files([str(unit)]), **more)
    unit.write_text("before\n")
    old = Kept(id="a", files=kept.files([str(unit)]), **{**more, "snapshot": f"{tmp_path}/gone"})

    def run(text, record=(new, old)):
        unit.write_text(text)
        path = tmp_path / "kept.json"
        if record:
            kept.save(path, record)
        found = run_module("twinspark_kept_info", check_mode=True, path=str(path), files=[str(unit)])
        assert not found["changed"]
        return found["found"]

    return run


@pytest.mark.parametrize(
    ("text", "installed"), [("now\n", [True, False]), ("before\n", [False, True]), ("x", [False, False])]
)
def test_it_knows_which_state_is_installed_and_what_is_gone(look, text, installed):
    found = look(text)
    assert [state["installed"] for state in found["kept"]] == installed
    assert [bool(state["lacks"]) for state in found["kept"]] == [False, True]
    assert "files" not in found["kept"][0]


def test_nothing_kept_and_a_record_that_cant_be_read_are_two_things(look, tmp_path):
    assert look("now\n", record=()) == {"kept": [], "error": ""}
    (tmp_path / "kept.json").write_text("{")
    found = look("now\n", record=())
    assert found["kept"] == []
    assert "kept.json" in found["error"]
