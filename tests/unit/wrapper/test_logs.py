"""`twinspark logs` with this machine as the hosts, and a played journalctl; what ssh says is recorded."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from twinspark import logs
from twinspark.exitcodes import Exit
from twinspark.reach import Host

from .conftest import LOCAL, Site

CLOSED = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_user": "spark"}
# Each host is told from the other by the second unit, which only the head has.
JOURNALCTL = """#!/bin/sh
echo "$$ $*" >>"$PLAYED/calls"
case "$*" in *"--since=soon"*) echo "Failed to parse timestamp: soon" >&2; exit 1 ;; esac
case "$*" in *twinspark-serve*) name=head ;; *) name=worker ;; esac
cat "$PLAYED/$name"
case "$*" in *--follow*) exec sleep 600 ;; esac
"""


def line(microseconds: int, text: str, unit: str = "twinspark-vllm.service") -> str:
    return json.dumps({"__REALTIME_TIMESTAMP": str(microseconds), "MESSAGE": text, "_SYSTEMD_UNIT": unit}) + "\n"


@pytest.fixture
def played(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "played"
    folder.mkdir()
    (folder / "journalctl").write_text(JOURNALCTL)
    (folder / "journalctl").chmod(0o755)
    (folder / "head").write_text(
        line(10, "one") + line(30, "three", "twinspark-serve.service") + "no entry\n" + line(50, "five")
    )
    (folder / "worker").write_text(line(20, "two") + line(40, "four"))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("PLAYED", str(folder))
    return folder


def said(text: str) -> list[str]:
    """What follows the time."""
    return [line.split(" ", 2)[2] for line in text.splitlines()]


ALL = ["spark1 rank 0: one", "spark2 rank 1: two", "spark1 supervisor: three", "spark2 rank 1: four",
       "spark1 rank 0: five"]  # fmt: skip


def test_all_hosts_in_one_order(site: Site, played: Path) -> None:
    done = site.twinspark("logs")
    assert done.returncode == 0, done.stderr
    assert said(done.stdout) == ALL
    assert "--lines=200" in (played / "calls").read_text()


def test_the_last_lines_are_those_of_all_hosts_together(site: Site, played: Path) -> None:
    assert said(site.twinspark("logs", "-n", "2").stdout) == ALL[-2:]


def test_one_host_and_a_time(site: Site, played: Path) -> None:
    done = site.twinspark("logs", "--host", "spark2", "--since", "-10 min", "--boot", "-1")
    assert said(done.stdout) == [ALL[1], ALL[3]]
    calls = (played / "calls").read_text()
    assert "--since=-10 min --boot=-1" in calls
    assert "--lines" not in calls


def test_a_host_that_there_is_none(site: Site, played: Path) -> None:
    done = site.twinspark("logs", "--host", "spark3")
    assert done.returncode == 2
    assert "there is no host 'spark3' in the inventory" in done.stderr


def test_a_host_that_is_away_is_told_and_the_others_go_on(site: Site, played: Path) -> None:
    site.hosts(spark1=LOCAL, spark2=CLOSED)
    done = site.twinspark("logs")
    assert done.returncode == 4
    assert said(done.stdout) == [ALL[0], ALL[2], ALL[4]]
    assert len(done.stderr.splitlines()) == 1
    assert "spark2 (127.0.0.1): nothing listens for ssh at 127.0.0.1 port 1." in done.stderr


def test_a_time_that_journalctl_does_not_know_is_a_wrong_command_line(site: Site, played: Path) -> None:
    done = site.twinspark("logs", "--since", "soon")
    assert done.returncode == 2
    assert "spark1: journalctl: Failed to parse timestamp: soon." in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_following_ends_by_a_signal_with_all_that_was_started(site: Site, played: Path, number: int) -> None:
    argv = site.argv("logs", "-i", str(site.inventory), "-f")
    child = subprocess.Popen(argv, env=site.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout
    assert child.stderr
    got = [child.stdout.readline().strip() for _ in ALL]
    assert said("\n".join(got)) == ALL
    child.send_signal(number)
    assert child.wait(timeout=20) == 130, child.stderr.read()
    assert child.stderr.read() == ""
    pids = [int(call.split()[0]) for call in (played / "calls").read_text().splitlines()]
    assert len(pids) == 2
    time.sleep(0.2)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_a_reader_that_has_seen_enough_is_no_error(site: Site, played: Path) -> None:
    (played / "head").write_text("".join(line(number, "x" * 200) for number in range(3000)))
    argv = site.argv("logs", "-i", str(site.inventory), "--since", "today")
    child = subprocess.Popen(argv, env=site.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout
    assert child.stderr
    child.stdout.readline()
    child.stdout.close()
    assert child.wait(timeout=30) == 0
    assert child.stderr.read() == ""


@pytest.mark.parametrize(
    ("code", "text", "end", "words"),
    [
        (1, "sudo: a password is required\n", Exit.UNREACHABLE, "`sudo usermod -aG adm nvidia` on it"),
        (1, "nvidia is not in the sudoers file.\nsudo: no\n", Exit.UNREACHABLE, "usermod -aG adm"),
        (255, "nvidia@10.0.0.1: Permission denied (publickey).\n", Exit.UNREACHABLE, "no key that this machine offers"),
        (255, "Host key verification failed.\n", Exit.UNREACHABLE, "its ssh host key is not known yet"),
        (1, "Data from the specified boot (-9) is not available: No such boot ID\n", Exit.USAGE, "specified boot (-9)"),
        (1, "Failed to open files: Input/output error\n", Exit.FAILED, "Failed to open files: Input/output error."),
        (3, "", Exit.FAILED, "exit code 3"),
    ],
)
def test_every_trouble_is_one_sentence(code: int, text: str, end: Exit, words: str) -> None:
    sentence, found = logs.trouble(Host("spark1", 0, "10.0.0.1", "nvidia"), code, text)
    assert (found, sentence.count("\n")) == (end, 0)
    assert sentence.startswith("spark1")
    assert words in sentence
