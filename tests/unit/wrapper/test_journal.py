"""The journals of several hosts in one order. The entries are journalctl's own (systemd 257, Debian 13)."""

import json
import random
import shlex
import subprocess

import pytest

from twinspark.journal import BEGIN, RANK, SUPERVISOR, WINDOW, Entry, Merger, Wanted, clean, command, entry
from twinspark.reach import Host

HEAD, WORKER = Host("spark1", 0, "10.0.0.1", "nvidia"), Host("spark2", 1, "10.0.0.2", "root")
RAW = {
    "__CURSOR": "s=5d0;i=1", "__REALTIME_TIMESTAMP": "1795567317409312", "__MONOTONIC_TIMESTAMP": "93", "_BOOT_ID": "b",
    "_SYSTEMD_UNIT": RANK, "MESSAGE": "(Worker_TP0) INFO Loading weights took 3.1 s",
}  # fmt: skip


def raw(**more: object) -> str:
    return json.dumps({**RAW, **more})


def words(host: Host, **wanted: object) -> list[str]:
    """What journalctl is given, whichever way the shell takes."""
    line = command(host, Wanted(**wanted))  # type: ignore[arg-type]
    return shlex.split(line.rpartition("exec ")[2])


def test_the_command_on_a_worker_whose_login_is_root() -> None:
    assert command(WORKER, Wanted(lines=200)) == (
        "exec journalctl --quiet --no-pager --all --output=json --output-fields=MESSAGE,_SYSTEMD_UNIT,UNIT "
        "--unit=twinspark-vllm.service --lines=200"
    )


def test_the_head_has_the_supervisor_s_journal_too() -> None:
    given = words(HEAD, follow=True, since="-10 min", boot="-1")
    assert given[6:] == [f"--unit={RANK}", f"--unit={SUPERVISOR}", "--since=-10 min", "--boot=-1", "--follow"]


@pytest.mark.parametrize(
    ("uid", "groups", "how"),
    [(0, "root", ""), (1000, "nvidia adm", ""), (1000, "systemd-journal", ""), (1000, "nvidia admin", "sudo -n ")],
)
def test_sudo_is_asked_only_where_the_journal_is_closed(tmp_path, uid: int, groups: str, how: str) -> None:
    (tmp_path / "id").write_text(f"#!/bin/sh\n[ $1 = -u ] && echo {uid} || echo {groups}\n")
    (tmp_path / "sudo").write_text('#!/bin/sh\necho "sudo $*"\n')
    (tmp_path / "journalctl").write_text('#!/bin/sh\necho "journalctl $*"\n')
    for path in tmp_path.iterdir():
        path.chmod(0o755)
    argv = ["sh", "-c", command(HEAD, Wanted(since="'; reboot"))]
    done = subprocess.run(argv, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(f"{how}journalctl --quiet")
    assert "--since='; reboot" in done.stdout
    assert not done.stderr


def test_an_entry_has_time_host_and_rank_before_each_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    found = entry(raw(MESSAGE="first\nsecond\n"), WORKER)
    assert found
    assert list(found.lines) == [
        "2026-11-25 00:41:57.409 spark2 rank 1: first",
        "2026-11-25 00:41:57.409 spark2 rank 1: second",
        "2026-11-25 00:41:57.409 spark2 rank 1:",
    ]


@pytest.mark.parametrize(
    ("unit", "who"),
    [
        ({"_SYSTEMD_UNIT": SUPERVISOR}, "supervisor"),
        ({"_SYSTEMD_UNIT": "init.scope", "UNIT": SUPERVISOR}, "supervisor"),  # systemd on the unit
        ({"_SYSTEMD_UNIT": "init.scope", "UNIT": RANK}, "rank 0"),
    ],
)
def test_who_wrote_it(unit: dict[str, str], who: str) -> None:
    found = entry(raw(**unit), HEAD)
    assert found
    assert found.who == who


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([0x41, 0xFF, 0x42], "A\ufffdB"),
        (["one", "two"], "one\ntwo"),
        (None, "(no text)"),
        ("\x1b[31mred\x1b[0m \x1b]0;title\x07end\x07", "red end"),
        ("10%\r50%\r100%", "100%"),
        ("kept\ttab", "kept\ttab"),
    ],
)
def test_any_message_becomes_a_text_that_does_nothing_to_a_terminal(given: object, text: str) -> None:
    found = entry(raw(MESSAGE=given), HEAD)
    assert found
    assert found.text == text


@pytest.mark.parametrize("line", ["", "-- No entries --", "[]", "3", "{}", '{"__REALTIME_TIMESTAMP": "x"}'])
def test_what_is_no_entry_is_none(line: str) -> None:
    assert entry(line, HEAD) is None


def test_no_text_keeps_a_control_character() -> None:
    every = "".join(chr(code) for code in range(0x100))
    assert not [letter for letter in clean(every) if (ord(letter) < 32 and letter not in "\t\n") or letter == "\x7f"]


def at(microseconds: int, host: str) -> Entry:
    return Entry(microseconds, host, "rank 0", "")


def test_a_host_that_is_a_little_late_is_put_in_its_place() -> None:
    merger = Merger({"a", "b"}, 0)
    merger.take(at(20, "a"), 1.0)
    merger.take(at(10, "b"), 1.0 + WINDOW / 2)
    assert merger.ready(1.0 + WINDOW * 0.9) == []
    assert [found.microseconds for found in merger.ready(1.0 + WINDOW * 2)] == [10, 20]


def test_nothing_is_printed_before_every_host_has_begun_or_ended() -> None:
    merger = Merger({"a", "b", "c"}, 0)
    merger.take(at(20, "a"), 0.1)
    merger.take(at(30, "b"), 0.1)
    assert merger.ready(BEGIN - 0.1) == []
    merger.ended("c")
    assert len(merger.ready(BEGIN - 0.1)) == 2


def test_a_host_that_says_nothing_is_not_waited_for_for_ever() -> None:
    merger = Merger({"a", "b"}, 0)
    merger.take(at(20, "a"), 0.1)
    assert len(merger.ready(BEGIN)) == 1


def test_at_the_end_all_is_given_in_order() -> None:
    merger = Merger({"a"}, 0)
    for microseconds in (5, 3, 4):
        merger.take(at(microseconds, "a"), 1)
    assert [found.microseconds for found in merger.rest()] == [3, 4, 5]
    assert merger.rest() == []


@pytest.mark.parametrize("seed", range(5))
def test_whatever_comes_within_the_window_is_in_order(seed: int) -> None:
    """Entries of three hosts, each up to half the window late."""
    chance = random.Random(seed)  # noqa: S311 - the same ones each time
    merger, printed = Merger(set("abc"), 0.0), []
    sent = [(number * 0.01, chance.choice("abc")) for number in range(500)]
    came = sorted((when + chance.random() * WINDOW / 2, when, host) for when, host in sent)
    for now, when, host in came:
        merger.take(at(int(when * 1e6), host), now)
        printed += merger.ready(now)
    printed += merger.rest()
    assert [found.microseconds for found in printed] == sorted(int(when * 1e6) for when, _ in sent)
