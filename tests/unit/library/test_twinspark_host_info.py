"""The boot ID of this machine and the user of this process."""

import os
from pathlib import Path


def test_the_kernel_s_boot_id_and_this_user(run_module):
    told = run_module("twinspark_host_info")
    assert told["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert told["uid"] == os.geteuid()
    assert told["changed"] is False


def test_another_file_may_tell_the_boot(run_module, tmp_path):
    (tmp_path / "boot").write_text("third\n")
    assert run_module("twinspark_host_info", boot_id_path=str(tmp_path / "boot"))["boot_id"] == "third"


def test_a_file_that_is_not_there_is_told(run_module, tmp_path):
    told = run_module("twinspark_host_info", boot_id_path=str(tmp_path / "none"))
    assert told["failed"]
    assert "none can't be read (No such file or directory): correct twinspark_boot_id_path." in told["msg"]
