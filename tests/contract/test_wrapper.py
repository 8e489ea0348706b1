"""Promises between the wrapper, the settings and the documents."""

import subprocess
from pathlib import Path

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


def test_plain_ansible_stops_at_a_host_that_stands_twice(tmp_path):
    (tmp_path / "hosts.yml").write_text("sparks:\n  hosts:\n    spark1: {a: 1}\n    spark1: {a: 2}\n")
    argv = ["ansible-playbook", "-i", str(tmp_path), "site.yml"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "spark1" in done.stderr
    assert "PLAY [" not in done.stdout
