"""The lab's heavy image: what it is named after, and the command that fills it."""

import re
from pathlib import Path

import pytest

from tests.support import cases
from twinspark_lab import engine
from twinspark_lab.names import checkout

BASE = checkout() / "lab" / "engine" / "base"


def test_tag_is_the_hash_of_the_recipe():
    assert re.fullmatch(r"twinspark/lab-engine-base:[0-9a-f]{12}", engine.engine_tag())


def test_the_tar_carries_the_hash_so_that_an_older_recipe_is_not_loaded(tmp_path):
    assert engine.engine_tar(tmp_path).stem.endswith(engine.engine_tag().rsplit(":", 1)[1])


def test_the_small_repository_starts_from_the_fixed_tag():
    dockerfile = (checkout() / "lab" / "engine" / "repo" / "Dockerfile").read_text()
    assert f"FROM {engine.FIXED_TAG}\n" in dockerfile


def test_every_requirement_is_pinned_to_one_version():
    lines = [x for x in (BASE / "requirements.txt").read_text().splitlines() if x and not x.startswith("#")]
    assert [x for x in lines if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.+]*", x)] == []


def test_the_pinned_torch_is_the_wheel_that_is_looked_for():
    assert "torch==2.13.0+cpu" in (BASE / "requirements.txt").read_text().splitlines()
    assert engine.TORCH_WHEEL.startswith("torch-2.13.0+cpu-cp311-")


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases" / "find_links.yaml"))
def test_find_links_of_pips_configuration(case):
    assert engine.links_in_config(case["listing"]) == case["folders"]


def test_torch_from_a_folder_of_this_machine(tmp_path):
    (tmp_path / "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
    argv = engine.install_argv(Path("/context"), ["/nowhere", str(tmp_path)], ["uv"])
    assert argv[-2:] == ["--find-links", str(tmp_path)]
    assert "--torch-backend" not in argv


def test_torch_from_where_uv_knows_cpu_builds_to_be(tmp_path):
    argv = engine.install_argv(Path("/context"), [str(tmp_path)], ["uv"])
    assert argv[-2:] == ["--torch-backend", "cpu"]


def test_packages_are_for_the_images_python_and_copied_not_linked(tmp_path):
    argv = engine.install_argv(Path("/context"), [], ["uv"])
    assert argv[argv.index("--python-version") + 1] == "3.11"
    # Files are stripped in place: a hard link would damage uv's own cache.
    assert argv[argv.index("--link-mode") + 1] == "copy"
