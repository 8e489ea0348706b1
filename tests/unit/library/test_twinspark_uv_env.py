"""Real environments, made by the venv module or by the real uv of the role's version, from wheels in a folder."""

import getpass
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ARGS = {"python": sys.executable, "installer": "pip", "owner": getpass.getuser()}
VERSION = yaml.safe_load((ROOT / "roles/uv_env/defaults/main.yml").read_text())["uv_env_uv_version"]


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


@pytest.fixture(scope="module")
def uv(tmp_path_factory):
    """uv of the role's version, from the package index; a machine that can't get it can't show this."""
    folder = tmp_path_factory.mktemp("uv")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    got = subprocess.run([folder / "bin/pip", "install", "--quiet", f"uv=={VERSION}"], check=False, capture_output=True)
    if got.returncode:
        pytest.skip(f"uv {VERSION} can't be had here")
    folder.chmod(0o755)
    return str(folder / "bin/uv")


def wheel(folder, name, version, needs=""):
    """A wheel of one empty module."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


@pytest.fixture
def env(run_module, tmp_path, uv, monkeypatch):
    """Run the module with uv on tmp_path/env; its answer. The index is a folder of wheels, ours alone."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for version in ("1.0", "2.0"):
        wheel(wheels, "alpha", version)
    wheel(wheels, "beta_gamma", "1.0")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_NO_CACHE", "1")

    def run(*requirements, **more):
        given = {"path": str(tmp_path / "env"), "python": sys.executable, "uv": uv, "owner": getpass.getuser()}
        answer = run_module("twinspark_uv_env", **{**given, "requirements": list(requirements), **more})
        assert not answer.get("failed"), answer["msg"]
        return answer

    return run


def names(answer):
    return [reason["name"] for reason in answer["reasons"]]


def installed(tmp_path):
    return sorted(info.name for info in (tmp_path / "env").glob("lib/python3*/site-packages/*.dist-info"))


def test_nothing_there_yet(env, tmp_path):
    marked = 'beta-gamma==1.0 ; python_version < "3"'
    assert names(env("alpha==1.0", marked, check_mode=True)) == ["python", "alpha"]
    assert not (tmp_path / "env").exists()
    assert names(env("alpha==1.0", marked)) == ["python", "alpha"]
    assert installed(tmp_path) == ["alpha-1.0.dist-info"]


def test_as_wanted_needs_no_index(env, tmp_path, monkeypatch):
    env("alpha==1.0", "Beta_Gamma==1.0")
    for wheel_there in (tmp_path / "wheels").iterdir():
        wheel_there.unlink()
    assert not env("beta.gamma==1.0", "alpha==1.0")["changed"]
    monkeypatch.delenv("UV_NO_INDEX")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    assert not env("beta.gamma==1.0", "alpha==1.0")["changed"]


def test_another_version_is_predicted_then_brought(env, tmp_path):
    env("alpha==1.0")
    expected = [{"name": "alpha", "current": "1.0", "desired": "2.0"}]
    look = env("alpha==2.0", check_mode=True)
    assert (look["reasons"], installed(tmp_path)) == (expected, ["alpha-1.0.dist-info"])
    assert (look["diff"]["before"], look["diff"]["after"]) == ("alpha 1.0\n", "alpha 2.0\n")
    assert env("alpha==2.0")["reasons"] == expected
    assert installed(tmp_path) == ["alpha-2.0.dist-info"]


def test_what_was_added_by_hand_goes_and_what_went_comes_back(env, tmp_path, uv):
    env("alpha==1.0")
    python = ["--python", str(tmp_path / "env/bin/python")]
    subprocess.run([uv, "pip", "install", "--quiet", *python, "beta-gamma==1.0"], check=True)
    subprocess.run([uv, "pip", "uninstall", "--quiet", *python, "alpha"], check=True)
    for checking in (True, False):
        assert names(env("alpha==1.0", check_mode=checking)) == ["alpha", "beta-gamma"]
    assert installed(tmp_path) == ["alpha-1.0.dist-info"]
    assert not env("alpha==1.0")["changed"]


def test_an_interrupted_installation_is_made_anew(env, tmp_path):
    env("alpha==1.0")
    (tmp_path / "env/.twinspark.json").unlink()
    (next((tmp_path / "env").glob("lib/python3*/site-packages")) / "alpha.py").unlink()
    assert names(env("alpha==1.0")) == ["installation", "alpha"]
    assert next((tmp_path / "env").glob("lib/python3*/site-packages/alpha.py"))
    assert not env("alpha==1.0")["changed"]


def test_an_interpreter_that_is_gone_means_making_it_anew(env, tmp_path):
    env("alpha==1.0")
    python = tmp_path / "env/bin/python"
    python.unlink()
    python.symlink_to("/nonexistent/python3")
    assert names(env("alpha==1.0", check_mode=True)) == ["python", "alpha"]
    assert names(env("alpha==1.0")) == ["python", "alpha"]
    assert not env("alpha==1.0")["changed"]


def test_a_package_that_no_index_has_is_told(env, run_module, tmp_path, uv):
    env("alpha==1.0")
    given = {"path": str(tmp_path / "env"), "python": sys.executable, "uv": uv, "owner": getpass.getuser()}
    answer = run_module("twinspark_uv_env", **given, requirements=["alpha==3.0"], check_mode=True)
    assert answer["failed"]
    assert re.search(
        r"comparing .* failed with exit 1: .*alpha==3\.0.*Fix: check that this host reaches", answer["msg"]
    )
    assert installed(tmp_path) == ["alpha-1.0.dist-info"]


def test_a_list_that_lacks_a_dependency_is_told(env, run_module, tmp_path, uv):
    wheel(tmp_path / "wheels", "delta", "1.0", needs="Requires-Dist: alpha\n")
    given = {"path": str(tmp_path / "env"), "python": sys.executable, "uv": uv, "owner": getpass.getuser()}
    answer = run_module("twinspark_uv_env", **given, requirements=["delta==1.0"])
    assert answer["failed"]
    assert "`delta` requires `alpha`, but it's not installed. Fix: complete it" in answer["msg"]
    assert env("delta==1.0", "alpha==1.0")["changed"]


def test_check_mode_without_uv_says_that_it_can_not_compare(env):
    env("alpha==1.0")
    answer = env("alpha==2.0", check_mode=True, uv="/nonexistent/uv")
    assert not answer["changed"]
    assert "there is no /nonexistent/uv yet" in str(answer["warnings"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives to another user")
def test_nothing_in_the_environment_runs_as_root_where_a_user_owns_it(env, tmp_path):
    """The owner can put into it what Python runs at its start; whoever that ran as is told by a file."""
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        folder.chmod(folder.stat().st_mode | 0o011)
    (tmp_path / "wheels").chmod(0o755)
    (tmp_path / "ran").mkdir(mode=0o777)
    (tmp_path / "ran").chmod(0o777)
    more = {"owner": "nobody", "python": "/usr/bin/python3"}
    env("alpha==1.0", **more)
    assert {entry.owner() for entry in (tmp_path / "env").rglob("*.py")} == {"nobody"}
    trap = next((tmp_path / "env").glob("lib/python3*/site-packages")) / "trap.pth"
    trap.write_text(f"import os; open(f'{tmp_path}/ran/{{os.geteuid()}}', 'w')\n")
    assert not env("alpha==1.0", **more)["changed"]
    assert env("alpha==2.0", **more)["changed"]
    ran = {entry.name for entry in (tmp_path / "ran").iterdir()}
    assert "0" not in ran
    assert ran, "the trap did not spring, so this test shows nothing"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives to another user")
def test_another_owner_is_given_the_tree(env, tmp_path):
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        folder.chmod(folder.stat().st_mode | 0o011)
    env("alpha==1.0", python="/usr/bin/python3")
    more = {"owner": "nobody", "python": "/usr/bin/python3"}
    assert names(env("alpha==1.0", check_mode=True, **more)) == ["owner"]
    assert (tmp_path / "env").owner() == "root"
    assert names(env("alpha==1.0", **more)) == ["owner"]
    assert {entry.owner() for entry in (tmp_path / "env").rglob("*.py")} == {"nobody"}
    assert not env("alpha==1.0", **more)["changed"]
