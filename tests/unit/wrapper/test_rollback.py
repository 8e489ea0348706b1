"""`twinspark rollback`: what the playbook is given, and the exit code of a refusal."""

import shutil
from pathlib import Path

from .conftest import LOCAL, Site

ROOT = Path(__file__).resolve().parents[3]


def test_a_refusal_ends_with_3_and_its_reason(site: Site) -> None:
    shutil.copy(ROOT / "library/twinspark_refusal.py", site.project / "library")
    site.hosts(spark1=LOCAL)
    site.play(
        "rollback",
        {"name": "Verify", "twinspark_refusal": {"what": "Rollback", "problems": ["no state was kept yet"]}},
    )
    done = site.twinspark("rollback")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "Rollback refused: no state was kept yet. Nothing was changed." in done.stderr


def test_consent_and_check_mode_reach_the_playbook(site: Site) -> None:
    site.hosts(spark1=LOCAL)
    told = "{{ vllm_serve_interrupt | default('asks') }} {{ 'looks' if ansible_check_mode else 'acts' }}"
    site.play("rollback", {"name": "Say", "ansible.builtin.debug": {"msg": told}})
    assert "asks acts" in site.twinspark("rollback").stdout
    assert "True looks" in site.twinspark("rollback", "--interrupt", "--check").stdout
