"""The record of states that passed, in a real folder."""

import pytest
from ansible.module_utils.twinspark.proof.json_form import ShapeError
from ansible.module_utils.twinspark.serving.argv import RankPlan
from ansible.module_utils.twinspark.serving.kept import File, Kept
from ansible.module_utils.twinspark_host import kept

PLAN = RankPlan(0, 1, ["vllm"], {"A": "1"}, ["docker"], "d", [], [])


def test_what_is_saved_is_loaded_and_is_root_s_alone(tmp_path):
    path = tmp_path / "serve/kept.json"
    assert kept.load(path) == ()
    states = tuple(
        Kept(id=id, written="t", image="i", snapshot="/s", url="u", model="m", plan=PLAN,
             files={"/etc/u": File(0o600, "ü\n")}, proof={"verdict": "pass"})
        for id in "ba"
    )  # fmt: skip
    kept.save(path, states)
    assert path.stat().st_mode & 0o777 == 0o600
    assert kept.load(path) == states


@pytest.mark.parametrize("text", ["{", "[1]", '[{"id": "x"}]'])
def test_a_record_that_cant_be_read_is_told(tmp_path, text):
    path = tmp_path / "kept.json"
    path.write_text(text)
    with pytest.raises(ShapeError, match=str(path)):
        kept.load(path)


def test_a_file_comes_back_with_its_text_and_its_mode_and_one_that_was_not_there_goes(tmp_path):
    there, gone = tmp_path / "env", tmp_path / "rules"
    there.write_text("A=1\n")
    there.chmod(0o600)
    before = kept.files([str(there), str(gone)])
    assert before == {str(there): File(0o600, "A=1\n")}
    there.write_text("A=2\n")
    there.chmod(0o644)
    gone.write_text("new")
    for path in (there, gone):
        kept.restore(str(path), before.get(str(path)))
    assert kept.files([str(there), str(gone)]) == before


def test_weights_whose_files_are_gone_from_the_cache_are_told(tmp_path):
    snapshot = tmp_path / "snapshots/1"
    assert kept.lacks(str(snapshot)) == f"the weights in {snapshot} are gone"
    (snapshot / "sub").mkdir(parents=True)
    (tmp_path / "blob").write_text("x")
    (snapshot / "config.json").symlink_to("../../blob")
    assert kept.lacks(str(snapshot)) == ""
    (snapshot / "sub/w").symlink_to("../../../pruned")
    assert kept.lacks(str(snapshot)) == f"1 of 2 files of the weights in {snapshot} are gone, as sub/w"
