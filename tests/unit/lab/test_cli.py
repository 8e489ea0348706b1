"""`twinspark lab` with words that mean nothing: told, with the code of a wrong command line."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from twinspark_lab import hosts
from twinspark_lab.cli import app
from twinspark_lab.names import Lab, lab
from twinspark_lab.shell import LabError

# An engine that knows no container, and one whose container has booted with a failed unit.
NONE = "#!/bin/sh\nexit 1\n"
DEGRADED = """#!/bin/sh
case "$*" in
  *inspect*) echo '[{"State": {"Status": "running"}}]';;
  *is-system-running*) echo degraded;;
  *--failed*) echo 'ssh.service loaded failed failed';;
esac
"""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["up", "--hosts", "cloud"], "hosts are container or vm, not 'cloud'"),
        (["check", "--hosts", "cloud"], "hosts are container or vm, not 'cloud'"),
        (["status", "--name", "No Name"], "'No Name' is no name for a lab"),
        (["reboot", "spark9"], "spark9 is no host of the lab: it has spark1, spark2"),
        (["reboot", "--hard", "--name", "nosuch"], "container hosts have no power to cut"),
        (["link", "spark1", "eth0", "sideways"], "a link goes up or down, not 'sideways'"),
        (["ssh", "spark9"], "spark9 is no host of the lab"),
    ],
)
def test_a_wrong_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], sentence: str) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_a_lab_that_is_not_up_is_no_wrong_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    result = CliRunner().invoke(app, ["inventory", "--name", "nosuch"])
    assert result.exit_code == 1
    assert "run `twinspark lab up --name nosuch`" in result.stderr


@pytest.mark.parametrize(
    ("engine", "ask", "sentence"),
    [
        (NONE, hosts.init_pid, "`twinspark lab up --name nosuch` repairs it"),
        (
            DEGRADED,
            hosts.wait_host,
            "(ssh.service): look with `docker exec`, then `twinspark lab reboot spark1 --name nosuch`",
        ),
    ],
)
def test_advice_names_the_lab(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    ask: Callable[[Lab, str], object],
    sentence: str,
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(engine)
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(LabError, match=re.escape(sentence)):
        ask(lab("nosuch"), "spark1")
