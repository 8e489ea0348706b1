"""Which program may be started when the pair is given up, and how."""

import stat

import pytest
from ansible.module_utils.twinspark.serving import hook

PROGRAM = ("/usr/local/bin/told", stat.S_IFREG | 0o755, 0)
FOLDERS = [("/usr/local/bin", stat.S_IFDIR | 0o755, 0), ("/", stat.S_IFDIR | 0o755, 0)]


def folder(mode, owner=0):
    return ("/usr/local", stat.S_IFDIR | mode, owner)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ([PROGRAM, *FOLDERS], ""),
        ([(PROGRAM[0], PROGRAM[1], 1000), *FOLDERS], "/usr/local/bin/told is not root's"),
        ([(PROGRAM[0], stat.S_IFREG | 0o775, 0), *FOLDERS], "others than root can write to /usr/local/bin/told"),
        ([(PROGRAM[0], stat.S_IFREG | 0o757, 0), *FOLDERS], "others than root can write to /usr/local/bin/told"),
        ([(PROGRAM[0], stat.S_IFREG | 0o750, 0), *FOLDERS], "/usr/local/bin/told is no program that everybody may run"),
        ([(PROGRAM[0], stat.S_IFDIR | 0o755, 0), *FOLDERS], "/usr/local/bin/told is no program that everybody may run"),
        ([PROGRAM, folder(0o755, 1000)], "/usr/local is not root's"),
        ([PROGRAM, folder(0o775)], "others than root can write to /usr/local"),
        ([PROGRAM, folder(0o1777)], ""),  # as /tmp: what is root's in it nobody else can replace
    ],
)
def test_a_program_that_another_user_could_replace_is_not_started(found, why):
    assert hook.refused(PROGRAM[0], found) == why


def test_it_runs_as_a_user_of_no_rights_for_a_limited_time():
    argv = hook.argv(["/bin/told", "-x"], {"TWINSPARK_REASON": "3 restarts\ndid not help"})
    assert argv[0] == "systemd-run"
    assert argv[-3:] == ["--", "/bin/told", "-x"]
    assert "--property=DynamicUser=yes" in argv
    assert f"--property=RuntimeMaxSec={hook.SECONDS}" in argv
    assert "--setenv=TWINSPARK_REASON=3 restarts did not help" in argv
