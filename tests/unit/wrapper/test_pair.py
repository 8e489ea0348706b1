"""The pair's state in a line: from the supervisor's own file, or in words why it is not known."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible.module_utils.twinspark.serving.pair import Limits, State, sentence

from twinspark import pair
from twinspark.pair import PairState

from .conftest import LOCAL, Site


def printed(now: int = 1_000_000, written: float = 999_990.0, **state: object) -> str:
    """What the command prints on a head: its clock, and the file as the supervisor writes it."""
    given = State(**state)  # type: ignore[arg-type]
    document = {"schema": 1, "written": written, "sentence": sentence(given, Limits()), "state": given.to_json()}
    return f"{now}\n{json.dumps(document, indent=1)}\n"


def test_a_pair_that_serves() -> None:
    found = pair.said(printed(kind="serving", since=992_800.0, restarts=1), "spark1")
    assert found == PairState("serving", "serving", "spark1", 992_800.0, 7200.0, 1, 10.0)
    assert found.line == "serving; for 2 h 00 min; 1 restart counted"


def test_what_the_supervisor_waits_for_is_in_its_words() -> None:
    found = pair.said(printed(kind="starting", since=999_000.0, phase="waiting for spark2"), "spark1")
    assert found.line.startswith("starting, waiting for spark2; for 16 min")


def test_the_reason_which_may_be_long_stands_in_a_line_of_its_own() -> None:
    found = pair.said(printed(kind="given_up", since=999_000.0, restarts=3, why="3 restarts did not help"), "spark1")
    assert found.line == "given up; for 16 min 40 s; 3 restarts counted\n      3 restarts did not help"
    assert (found.state, found.why) == ("given_up", "3 restarts did not help")


def test_a_supervisor_that_writes_no_more_is_told() -> None:
    found = pair.said(printed(written=999_000.0, kind="serving", since=999_000.0), "spark1")
    assert "the supervisor has written nothing for 16 min" in found.line
    assert "`systemctl status twinspark-serve` on spark1" in found.line


def test_a_clock_that_was_set_back_makes_no_time_below_zero() -> None:
    assert pair.said(printed(now=5, kind="serving", since=999_000.0), "spark1").seconds == 0.0


def test_the_first_state_has_no_since() -> None:
    assert pair.said(printed(kind="stopped"), "spark1").line == "stopped"


@pytest.mark.parametrize("text", ["", "12\n", "12\n{", "12\n[]", "12\n{}", '12\n{"state": 3, "sentence": ""}', "x\n{}"])
def test_what_cant_be_read_is_not_known(text: str) -> None:
    found = pair.said(text, "spark1")
    assert found.state == "not reached"
    assert found.line.startswith("not reached: the state on spark1 can't be read")


def test_before_the_first_serve_there_is_none() -> None:
    found = pair.failed("cat: /var/lib/twinspark/serve/state.json: No such file or directory\n", "spark1")
    assert found.line == "nothing is served yet: no supervisor has written its state on spark1"


def test_ssh_s_last_word_says_why_it_was_not_reached() -> None:
    said = "Warning: x\nssh: connect to host 10.0.0.1 port 22: Connection refused\n\n"
    assert pair.failed(said, "spark1").line == (
        "not reached: spark1: ssh: connect to host 10.0.0.1 port 22: Connection refused"
    )


def test_status_reads_the_head_s_file(site: Site, tmp_path: Path) -> None:
    (tmp_path / "serve").mkdir()
    now = int(time.time())
    text = printed(kind="serving", since=now - 60.0, written=float(now)).partition("\n")[2]
    (tmp_path / "serve/state.json").write_text(text)
    site.hosts(spark1={**LOCAL, "twinspark_state_dir": str(tmp_path)}, spark2=LOCAL)
    assert site.twinspark("status").stdout.startswith("pair: serving; for 1 min")
    told = json.loads(site.twinspark("status", "--json").stdout)
    assert (told["schema"], told["pair"]["state"], told["pair"]["host"]) == (2, "serving", "spark1")
    assert [row["stage"] for row in told["stages"]][:2] == ["preflight", "network"]


def test_status_tells_the_proofs_of_hosts_that_are_away(site: Site) -> None:
    site.hosts(spark1={"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_user": "spark"})
    done = site.twinspark("status")
    assert done.returncode == 0
    assert done.stdout.startswith(
        "pair: not reached: spark1: ssh: connect to host 127.0.0.1 port 1: Connection refused"
    )
    assert "missing" in done.stdout


def test_a_head_that_is_silent_is_given_up_with_all_that_was_started(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "children"
    monkeypatch.setattr(pair, "command", lambda path: f"sleep 60 & echo $! >{mark}; wait")
    monkeypatch.setattr(pair, "IN_ALL_SECONDS", 1.0)
    monkeypatch.setenv("TWINSPARK_STATE_DIR", str(tmp_path / "state"))
    from twinspark.place import Place

    began = time.monotonic()
    look = pair.Look(Place(site.project, site.inventory))
    assert look.end().line == "not reached: spark1 gave no answer within 1 s"
    assert time.monotonic() - began < 20
    child = int(mark.read_text())
    time.sleep(0.2)
    stat = Path(f"/proc/{child}/stat")
    assert not stat.exists() or stat.read_text().split()[2] == "Z"


def test_status_imports_neither_the_lab_nor_what_runs_ansible(site: Site) -> None:
    code = "from twinspark import cli; import sys\ntry: cli.main()\nfinally: print(*sys.modules, file=sys.stderr)"
    argv = [sys.executable, "-c", code, "status", "-i", str(site.inventory)]
    site.twinspark("status")  # Ansible is asked for the inventory once
    done = subprocess.run(argv, env=site.environment(), capture_output=True, text=True, check=False)
    loaded = set(done.stderr.split())
    assert "twinspark.status" in loaded
    assert not loaded & {"twinspark_lab", "twinspark.verbs", "twinspark.runner", "twinspark.precheck", "yaml", "jinja2"}
