"""Promises between the wrapper, the settings and the documents."""

import subprocess
from pathlib import Path

import pytest
import yaml

from twinspark.exitcodes import MEANING
from twinspark.verbs import site_stages, stage_of_plays

ROOT = Path(__file__).resolve().parents[2]


def test_the_owner_s_settings_are_the_defaults_that_hold_without_them():
    defaults = yaml.safe_load((ROOT / "roles/common/defaults/main.yml").read_text())
    owner = yaml.safe_load((ROOT / "group_vars/all/settings.yml").read_text())
    assert owner == {name: defaults.get(name) for name in owner}


def test_every_exit_code_is_documented():
    text = (ROOT / "docs/operations.md").read_text()
    for code, meaning in MEANING.items():
        assert f"| {int(code)} | {meaning} |" in text


def test_the_wrapper_knows_the_stage_of_every_play():
    assert set(site_stages(ROOT)) <= set(stage_of_plays(ROOT).values())


def test_plain_ansible_stops_at_an_inventory_that_does_not_parse(tmp_path):
    (tmp_path / "hosts.yml").write_text("sparks:\n  hosts:\n    spark1: {ansible_host: 192.0.2.1\n")
    argv = ["ansible-playbook", "-i", str(tmp_path), "site.yml"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "did not find expected" in done.stderr
    assert "PLAY [" not in done.stdout


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("group_vars/all/mine.yml", b"a: b: c\n", " at line 1, column 5 (Colons in unquoted values"),
        ("group_vars/sparks.yml", b"a: 1\na: 2\n", " at line 2, column 1 (Found duplicate mapping key 'a')"),
        ("host_vars/spark1", b"x: caf\xe9\n", " (it is not UTF-8)"),
    ],
)
def test_plain_ansible_names_a_file_of_variables_that_does_not_parse(tmp_path, file, content, sentence):
    (tmp_path / "hosts.yml").write_text("sparks: {hosts: {spark1: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n")
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_bytes(content)
    argv = ["ansible-playbook", "-i", str(tmp_path / "hosts.yml"), "site.yml"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"twinspark: Ansible can't read {tmp_path / file}{sentence}" in done.stdout, done.stdout + done.stderr
    assert "[spark1]" not in done.stdout  # no host was asked


def test_plain_ansible_stops_at_a_host_that_stands_twice(tmp_path):
    (tmp_path / "hosts.yml").write_text("sparks:\n  hosts:\n    spark1: {a: 1}\n    spark1: {a: 2}\n")
    argv = ["ansible-playbook", "-i", str(tmp_path), "site.yml"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "spark1" in done.stderr
    assert "PLAY [" not in done.stdout
