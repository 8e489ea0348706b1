"""The wheel: all of the content that a checkout has, and nothing of what is for a checkout only."""

import subprocess
import zipfile
from pathlib import Path

import pytest

CONTENT = ("playbooks", "roles", "library", "module_utils", "filter_plugins", "callback_plugins", "profiles")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, root: Path) -> zipfile.ZipFile:
    """The wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(["hatchling", "build", "--target", "wheel", "--directory", folder], cwd=root, check=True)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


@pytest.fixture(scope="module")
def tracked(root: Path) -> list[str]:
    """Every file of the checkout that Git knows and that is there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True)
    return [name for name in listed.stdout.split("\0") if name and (root / name).is_file()]


def test_the_wheel_has_all_of_the_content(wheel: zipfile.ZipFile, tracked: list[str]) -> None:
    wanted = {name for name in tracked if name.split("/")[0] in {*CONTENT, "site.yml", "ansible.cfg"}}
    assert len(wanted) > 100
    assert {f"twinspark/content/{name}" for name in wanted} - set(wheel.namelist()) == set()


def test_the_wheel_has_the_settings_where_they_do_not_win_over_the_owners(
    wheel: zipfile.ZipFile, tracked: list[str]
) -> None:
    wanted = {f"twinspark/content/site/{name}" for name in tracked if name.startswith("group_vars/")}
    assert wanted - set(wheel.namelist()) == set()
    assert "twinspark/content/group_vars/all/settings.yml" not in wheel.namelist()


def test_the_wheel_has_nothing_of_the_lab_and_the_tests(wheel: zipfile.ZipFile) -> None:
    strangers = ("lab", "tests", "molecule", "bench", "twinspark/lab", "twinspark/content/lab", "twinspark_lab")
    assert [name for name in wheel.namelist() if name.startswith(tuple(f"{folder}/" for folder in strangers))] == []
    assert {name.split("/")[0] for name in wheel.namelist()} == {"twinspark", "twinspark-0.1.0.dist-info"}
    assert not [name for name in wheel.namelist() if "smollm2" in name]


def test_every_folder_that_ansible_is_told_of_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    configuration = wheel.read("twinspark/content/ansible.cfg").decode()
    for folder in CONTENT[1:-1]:
        assert f" = {folder}\n" in configuration
