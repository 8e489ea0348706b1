"""Starting a long job: the table of cases/twinspark_job.yaml, and runs that want the same job at the same moment."""

import getpass
import threading
import time
from pathlib import Path

import pytest

from tests.support import cases

ARGUMENTS = {
    "name": "weights-serve", "argv": ["/bin/true"], "user": getpass.getuser(), "chdir": "/", "environment": {},
    "environment_file": "", "digest_extra": "", "state": "started", "force": True,
}  # fmt: skip


class Systemd:
    """systemd's part: a unit that is there can't be started again. Every look takes a while, as a real one does."""

    def __init__(self):
        self.running, self.refused = False, 0

    def run_command(self, argv):
        if argv[:2] == ["systemctl", "show"]:
            seen = "active" if self.running else "inactive"
            time.sleep(0.05)
            return 0, f"LoadState=loaded\nActiveState={seen}\nSubState={'running' if self.running else 'dead'}\n", ""
        if argv[0] == "systemd-run":
            self.refused += self.running
            code, self.running = (1, True) if self.running else (0, True)
            return code, "", "Unit twinspark-job-weights-serve.service was already loaded" * code
        return 0, "", ""


class Module:
    """An AnsibleModule as far as the module looks at it; what it would print is kept."""

    check_mode = False

    def __init__(self, systemd):
        self.params, self.run_command, self.said = ARGUMENTS, systemd.run_command, {}

    def exit_json(self, **result):
        self.said = result

    def fail_json(self, **result):
        self.said = {"failed": True, **result}
        raise SystemExit(1)


@pytest.fixture
def library(load_module, monkeypatch, tmp_path):
    """The module, with its folders below tmp_path."""
    library = load_module("twinspark_job")
    monkeypatch.setattr(library, "LOCKS", tmp_path)
    monkeypatch.setattr(library.jobs, "JOBS_DIR", str(tmp_path / "jobs"))
    return library


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases/twinspark_job.yaml"))
def test_every_case_of_the_table(play, library, case):
    play(library, case)


@pytest.mark.parametrize("number", [2, 5])
def test_runs_at_once_start_one_job_and_share_it(library, monkeypatch, number):
    systemd = Systemd()
    modules = [Module(systemd) for _ in range(number)]
    waiting = iter(modules)
    monkeypatch.setattr(library, "AnsibleModule", lambda *a, **k: next(waiting))
    threads = [threading.Thread(target=library.main) for _ in modules]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert systemd.refused == 0
    assert sorted(module.said["changed"] for module in modules) == [False] * (number - 1) + [True]
    assert {module.said["job"]["state"] for module in modules} == {"running"}
