"""The supervisor's way into its peers."""

import shutil
import subprocess

import pytest
from ansible.module_utils.twinspark.serving import peer_access

KEY = "ssh-ed25519 AAAAC3Nza twinspark-serve@spark1"


def test_four_command_lines_whole():
    text = peer_access.sudoers()
    lines = [line.strip(" ,\\") for line in text.splitlines()]
    assert lines[-3:] == [
        f"/usr/bin/python3 -I /usr/local/lib/twinspark/supervisor rank --boot-id /proc/sys/kernel/random/boot_id {verb}"
        for verb in ("log", "start", "stop")
    ]
    assert "*" not in text


def test_the_key_is_good_from_the_rails_for_one_command():
    _, line = peer_access.authorized_key(KEY, ["10.0.1.11", "10.0.2.11"], "/etc/boot_id").splitlines()
    assert line == (
        'from="10.0.1.11,10.0.2.11",restrict,command="sudo -n /usr/bin/python3 -I /usr/local/lib/twinspark/supervisor '
        'rank --boot-id /etc/boot_id \\"$SSH_ORIGINAL_COMMAND\\"" ssh-ed25519 AAAAC3Nza'
    )


@pytest.mark.parametrize("path", ["/a b", '/a"', "relative", "/a*", "/a,b", "/a\n"])
def test_a_path_that_sudo_would_read_otherwise_is_refused(path):
    with pytest.raises(ValueError, match="can't be in a rule of sudo"):
        peer_access.sudoers(boot_id_path=path)


def test_visudo_takes_it(tmp_path):
    if not shutil.which("visudo"):
        pytest.skip("no visudo here")
    (tmp_path / "rule").write_text(peer_access.sudoers())
    done = subprocess.run(["visudo", "-cf", tmp_path / "rule"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
