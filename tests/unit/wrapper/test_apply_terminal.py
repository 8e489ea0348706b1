"""`twinspark apply` and whoever sits before it: Ctrl-C, a second run, passwords, a terminal."""

import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pexpect
import pytest

from twinspark.runner import handed_over

from .conftest import LOCAL, Site, touch


def start(site: Site, mark: Path) -> subprocess.Popen[str]:
    """An apply that has begun to sleep, in a session of its own as a shell would give it."""
    site.hosts(spark1=LOCAL)
    site.play("preflight", touch(mark), {"name": "Sleep", "ansible.builtin.command": {"argv": ["sleep", "60"]}})
    child = subprocess.Popen(
        site.argv("apply", "-i", str(site.inventory)),
        env=site.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while not (mark / "spark1").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    return child


def test_ctrl_c_ends_in_order(site: Site, tmp_path: Path) -> None:
    child = start(site, tmp_path)
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    _, complaints = child.communicate(timeout=40)
    assert child.returncode == 130
    assert time.monotonic() - began < 15
    assert "Interrupted." in complaints
    assert "continues from here" in complaints


def test_one_run_at_a_time(site: Site, tmp_path: Path) -> None:
    child = start(site, tmp_path)
    try:
        second = site.twinspark("apply")
        assert second.returncode == 2
        assert f"another twinspark is working on this inventory (process {child.pid})" in second.stderr
    finally:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=40)
    assert child.returncode == 130


SUDO = """#!/bin/sh
# Asks as sudo does and takes one password only.
while [ "$1" != /bin/sh ]; do [ "$1" = -p ] && prompt=$2; shift; done
printf %s "$prompt" >&2
read -r given
[ "$given" = "very secret" ] || { echo "sudo: 1 incorrect password attempt" >&2; exit 1; }
exec "$@"
"""


@pytest.mark.parametrize(("typed", "code"), [("very secret", 0), ("wrong", 4), ("", 2)])
def test_the_password_of_sudo_is_asked_for_and_written_nowhere(site: Site, typed: str, code: int) -> None:
    sudo = site.project / "sudo"
    sudo.write_text(SUDO)
    sudo.chmod(0o755)
    with (site.project / "ansible.cfg").open("a") as settings:  # the tests run as root, too
        settings.write("[privilege_escalation]\nbecome_allow_same_user = True\n")
    site.hosts(spark1={**LOCAL, "ansible_become_exe": str(sudo)})
    site.play("preflight", {"name": "Ping", "ansible.builtin.ping": {}, "become": True})
    command, *words = site.argv("apply", "-K", "-vvv", "-i", str(site.inventory))
    child = pexpect.spawn(command, words, env=site.environment(), encoding="utf-8", timeout=60, dimensions=(24, 200))
    child.expect_exact("sudo password on the hosts: ")
    child.sendline(typed)
    seen = child.read()
    child.close()
    assert child.exitstatus == code, seen
    if typed:
        assert typed not in seen
        assert typed not in site.written()
        assert not list(site.state.rglob("passwords"))


def test_a_password_is_asked_for_at_a_terminal_only(site: Site) -> None:
    done = site.twinspark("apply", "-K")
    assert done.returncode == 2
    assert "keep ansible_become_password in a vault file" in done.stderr


def test_an_ansible_that_asks_for_no_password_leaves_nobody_waiting() -> None:
    with handed_over("very secret") as words:
        folder = Path(words[-1]).parent
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_on_a_terminal(site: Site, tmp_path: Path) -> None:
    site.play("preflight", touch(tmp_path))
    ours, theirs = pty.openpty()
    env = site.environment(TERM="xterm-256color", COLUMNS="100", LINES="40")
    child = subprocess.Popen(site.argv("apply", "-i", str(site.inventory)), env=env, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
    assert child.wait(timeout=30) == 0
    text = seen.decode()
    assert "preflight" in text
    assert "spark1: Leave a mark" in text
    assert "in all: changed=2" in text
