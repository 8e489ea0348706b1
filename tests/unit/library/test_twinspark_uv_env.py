"""A real environment, made with the venv module; without requirements, so that no index is asked."""

import getpass
import sys

import pytest

ARGS = {"python": sys.executable, "installer": "pip", "owner": getpass.getuser()}


@pytest.fixture
def made(run_module, tmp_path):
    path = str(tmp_path / "env")
    return path, run_module("twinspark_uv_env", path=path, **ARGS)


def test_check_mode_predicts_and_makes_nothing(run_module, tmp_path):
    answer = run_module("twinspark_uv_env", check_mode=True, path=str(tmp_path / "env"), **ARGS)
    assert answer["changed"]
    assert not (tmp_path / "env").exists()


def test_a_second_run_changes_nothing(run_module, made):
    path, first = made
    assert first["changed"]
    second = run_module("twinspark_uv_env", path=path, **ARGS)
    assert not second["changed"]
    assert second["diff"]["before"] == second["diff"]["after"]


def test_absent_removes_it_once(run_module, made):
    path, _ = made
    assert run_module("twinspark_uv_env", path=path, state="absent")["changed"]
    assert not run_module("twinspark_uv_env", path=path, state="absent")["changed"]


def test_an_unpinned_requirement_is_refused_before_anything_is_made(run_module, tmp_path):
    answer = run_module("twinspark_uv_env", path=str(tmp_path / "env"), requirements=["click"], **ARGS)
    assert answer["failed"]
    assert "not pinned" in answer["msg"]
    assert not (tmp_path / "env").exists()
