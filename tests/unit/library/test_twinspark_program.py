"""Laying down a role's program."""


def test_a_program_is_laid_down_whole_and_what_is_gone_from_it_is_removed(run_module, tmp_path):
    folder = tmp_path / "program"
    run = {"path": str(folder)}
    assert run_module("twinspark_program", check_mode=True, **run, files={"a.py": "1\n"})["changed"]
    assert not folder.exists()
    assert run_module("twinspark_program", **run, files={"a.py": "1\n", "core/b.py": "2\n"})["changed"]
    assert not run_module("twinspark_program", **run, files={"a.py": "1\n", "core/b.py": "2\n"})["changed"]
    found = run_module("twinspark_program", **run, files={"a.py": "3\n"})
    assert (found["written"], found["removed"]) == (["a.py"], ["core/b.py"])
    run_module("twinspark_program", **run, state="absent")
    assert not folder.exists()
