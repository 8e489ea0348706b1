"""The record of builds on a host."""


def test_a_build_is_remembered_once(run_module, tmp_path):
    wanted = {"record": str(tmp_path / "history.json"), "entry": {"image": "e:1", "id": "sha256:1", "digest": "d"}}
    assert run_module("twinspark_image_record", check_mode=True, **wanted)["changed"]
    assert not (tmp_path / "history.json").exists()
    assert run_module("twinspark_image_record", **wanted)["changed"]
    again = run_module("twinspark_image_record", **wanted)
    assert (again["changed"], again["previous"]) == (False, None)
