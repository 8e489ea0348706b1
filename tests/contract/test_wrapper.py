"""Promises between the wrapper, the settings and the documents."""

from pathlib import Path

import yaml

from twinspark.core.inventory_rules import SETTINGS
from twinspark.exitcodes import MEANING
from twinspark.verbs import site_stages, stage_of_plays

ROOT = Path(__file__).resolve().parents[2]


def test_every_setting_of_the_owner_is_known_by_name():
    assert set(yaml.safe_load((ROOT / "group_vars/all/settings.yml").read_text())) <= SETTINGS


def test_every_exit_code_is_documented():
    text = (ROOT / "docs/operations.md").read_text()
    for code, meaning in MEANING.items():
        assert f"| {int(code)} | {meaning} |" in text


def test_the_wrapper_knows_the_stage_of_every_play():
    assert set(site_stages(ROOT)) <= set(stage_of_plays(ROOT).values())
