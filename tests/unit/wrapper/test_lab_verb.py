"""`twinspark lab` in a checkout, elsewhere, and with a fault in it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def lab(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`twinspark lab` with the content in *home*."""
    argv = [sys.executable, "-c", "from twinspark.cli import main; main()", "lab", *words]
    environment = {**os.environ, "TWINSPARK_HOME": str(home)}
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, cwd="/")


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """Content as a wheel carries it: without the lab."""
    (tmp_path / "roles").mkdir()
    (tmp_path / "site.yml").write_text("")
    return tmp_path


def test_it_is_there_in_a_checkout(root: Path) -> None:
    done = lab(root, "reboot", "spark9")
    assert done.returncode == 2
    assert "spark9 is no host of the lab" in done.stderr


@pytest.mark.parametrize("words", [["up", "--name", "x"], ["--help"], []])
def test_elsewhere_it_says_where_it_is(content: Path, words: list[str]) -> None:
    done = lab(content, *words)
    assert done.returncode == 2
    assert done.stderr == "The lab comes with a checkout of twinspark: run this inside one.\n"


def test_an_import_that_is_broken_is_not_taken_for_a_lab_that_is_not_there(content: Path) -> None:
    package = content / "lab/twinspark_lab"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "cli.py").write_text("import twinspark.gone\n")
    done = lab(content, "up")
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named 'twinspark.gone'" in done.stderr
