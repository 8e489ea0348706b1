"""Disks that are too small, or full in the middle."""

import pytest

from tests.lab.hf_weights.faultlab import TOTAL, assert_nothing_unverified, assert_whole

pytestmark = pytest.mark.lab


def test_a_disk_too_small_on_the_head_is_refused_before_anything_comes(lab, small):
    code, log = lab.fetch(small)
    assert code == 1
    assert "twinspark_hub_home to a larger disk" in log
    assert lab.final_names(lab.head, small) == {}


def test_a_disk_full_at_80_percent_on_the_head_keeps_what_came(lab, small):
    code, log = lab.fetch(small, reserve_gib=-1)  # as if somebody else had filled it after the check
    assert code == 1
    assert "full" in log.splitlines()[-2], log
    assert_nothing_unverified(lab, lab.head, small)
    lab.run(lab.head, f"sudo mount -o remount,size={TOTAL * 2} {small}")
    code, log = lab.fetch(small)
    assert code == 0, log
    assert_whole(lab, lab.head, small)


def test_a_disk_full_at_80_percent_on_the_receiver_keeps_what_came(lab, served, small):
    code, log = lab.pull(small)
    assert code == 1
    assert "twinspark_hub_home to a larger disk" in log
    code, log = lab.pull(small, reserve_gib=-1)
    assert code == 1
    assert "the disk is full" in log.splitlines()[-2], log
    assert_nothing_unverified(lab, lab.other, small)
    lab.run(lab.other, f"sudo mount -o remount,size={TOTAL * 2} {small}")
    code, log = lab.pull(small)
    assert code == 0, log
    assert_whole(lab, lab.other, small)
    assert lab.info(lab.other, small)["copy"]["bytes"] < TOTAL
