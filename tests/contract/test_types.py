"""mypy judges every room of the house, and nothing untyped hides a mistake from it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOMS = ("src", "lab", "module_utils", "library", "filter_plugins", "callback_plugins", "roles")
# One file of each room, and of each way in which its name is found.
FILES = (
    "src/twinspark/status.py",
    "module_utils/twinspark/serving/serve.py",
    "module_utils/twinspark_host/snapshot.py",
    "library/twinspark_unit.py",
    "filter_plugins/twinspark.py",
    "callback_plugins/twinspark_explain.py",
    "roles/hf_weights/files/twinspark_weights/store.py",
    "roles/vllm_image/files/image_stream.py",
)
WRONG = '\nwrong: int = "text"\n\n\ndef untyped(value):\n    return value\n'
# A comment that takes a file, or a line for whatever reason, away from mypy.
SILENT = re.compile(r"#\s*(mypy:|type:\s*ignore(?!\[))")
# What comes from Ansible has a type, too: a module's arguments are the only Any.
LEAK = "\nfrom ansible.module_utils.basic import no_such_name\n"


def test_a_mistake_in_any_room_is_seen(root: Path, tmp_path: Path) -> None:
    shutil.copy(root / "pyproject.toml", tmp_path)
    shutil.copytree(root / "typings", tmp_path / "typings", symlinks=True)
    for room in ROOMS:
        shutil.copytree(root / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        with (tmp_path / name).open("a") as stream:
            stream.write(WRONG)
    with (tmp_path / "library/twinspark_secret.py").open("a") as stream:
        stream.write(LEAK)
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=tmp_path, capture_output=True, text=True, check=False)
    seen = re.findall(r"^(\S+?):\d+: error: (.+)$", done.stdout, re.MULTILINE)
    for error in ('type "int"', "[no-untyped-def]"):  # the second one is an error by `strict` alone
        assert {path.replace("typings/ansible/", "") for path, text in seen if error in text} == set(FILES), done.stdout
    assert any("no_such_name" in text for _, text in seen), done.stdout


def test_no_file_is_silent_about_its_types(root: Path) -> None:
    files = [file for room in ROOMS for file in (root / room).rglob("*.py")]
    assert len(files) > 100
    assert [str(file.relative_to(root)) for file in files if SILENT.search(file.read_text())] == []
