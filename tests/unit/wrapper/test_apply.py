"""`twinspark apply` for real: ansible-runner, ansible-playbook, this machine as the hosts; only ssh is left out."""

import json
import re
from pathlib import Path

from twinspark import precheck
from twinspark.verbs import Place

from .conftest import LOCAL, Site, touch

CLOSED = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_user": "spark"}


def test_a_second_run_changes_nothing(site: Site, tmp_path: Path) -> None:
    site.play("preflight", touch(tmp_path))
    first, second = site.twinspark("apply"), site.twinspark("apply")
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert "in all: changed=2" in first.stdout
    assert "in all: changed=0" in second.stdout
    assert "begin   preflight" in first.stdout
    assert "changed spark1: Leave a mark" in first.stdout


def test_the_stages_changes_are_those_in_all(site: Site, tmp_path: Path) -> None:
    """A task that hides its result, and one whose failure is ignored, count as Ansible counts them."""
    broken = {"name": "Try", "ansible.builtin.command": {"argv": ["false"]}, "ignore_errors": True}
    site.play("preflight", {**touch(tmp_path), "no_log": True}, broken)
    site.play("network", {"name": "Do", "ansible.builtin.command": {"argv": ["true"]}})
    done = site.twinspark("apply")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"changed=(\d+)$", done.stdout, re.MULTILINE) == ["4", "2", "6"]
    assert "changed spark1: Leave a mark" in done.stdout


def test_check_changes_nothing_and_shows_the_diff(site: Site, tmp_path: Path) -> None:
    site.play("preflight", touch(tmp_path))
    done = site.twinspark("apply", "--check", "--diff", "--expect-unchanged")
    assert done.returncode == 6
    assert "2 tasks would change something" in done.stderr
    assert "in all: changed=2" in done.stdout
    assert "+x" in done.stdout
    assert not (tmp_path / "spark1").exists()


def test_chosen_stages_run_in_the_order_of_the_line(site: Site) -> None:
    for stage in ("preflight", "network", "rdma"):
        site.play(stage, {"name": "Say", "ansible.builtin.debug": {"msg": f"this is {stage}"}})
    done = site.twinspark("apply", "--stage", "rdma", "--stage", "preflight")
    assert done.returncode == 0, done.stderr
    assert [word for word in done.stdout.split() if word in {"preflight", "network", "rdma"}][:2] == ["preflight"] * 2
    assert "this is network" not in done.stdout
    assert done.stdout.index("this is preflight") < done.stdout.index("this is rdma")
    later = site.twinspark("apply", "--from", "network", "--to", "network")
    assert "this is preflight" not in later.stdout
    assert "this is network" in later.stdout
    assert "this is rdma" not in later.stdout


def test_a_failed_task_is_one_sentence(site: Site, tmp_path: Path) -> None:
    site.play("preflight", {"name": "Write it", "ansible.builtin.copy": {"dest": "/nowhere/at/all", "content": "x"}})
    site.play("network", touch(tmp_path))
    done = site.twinspark("apply")
    assert done.returncode == 5
    assert "spark1: Write it: Destination directory /nowhere/at does not exist." in done.stderr
    assert "Stopped at preflight." in done.stderr
    assert "{'" not in done.stderr + done.stdout
    assert not (tmp_path / "spark1").exists()


def test_a_gate_that_refuses(site: Site) -> None:
    site.play("weights", {"name": "Require rdma", "twinspark_gate": {}})
    done = site.twinspark("apply")
    assert done.returncode == 3
    assert "weights needs a proof of rdma, and there is none. Fix: twinspark apply --stage rdma." in done.stderr
    assert "weights needs" not in done.stdout  # told once, at the end
    assert "failed  spark1: Require rdma" in done.stdout


def test_what_a_rescue_dealt_with_is_not_blamed(site: Site) -> None:
    site.play(
        "preflight",
        {
            "name": "Try",
            "block": [{"name": "First", "ansible.builtin.fail": {"msg": "first"}}],
            "rescue": [{"name": "Second", "ansible.builtin.fail": {"msg": "second"}}],
        },
    )
    done = site.twinspark("apply")
    assert done.returncode == 5
    assert "second." in done.stderr
    assert "first." not in done.stderr


def test_an_unreachable_host(site: Site) -> None:
    site.hosts(spark1=LOCAL, spark2=CLOSED)
    site.play("preflight", {"name": "Ping", "ansible.builtin.ping": {}})
    done = site.twinspark("apply")
    assert done.returncode == 4
    assert "spark2 (127.0.0.1): nothing listens for ssh at 127.0.0.1 port 1." in done.stderr
    assert "unreachable=1" in done.stdout


def test_no_run_reuses_a_connection_of_the_last_one(site: Site) -> None:
    site.play(
        "preflight",
        {"name": "Tell", "ansible.builtin.debug": {"msg": "{{ lookup('env', 'ANSIBLE_SSH_CONTROL_PATH_DIR') }}"}},
    )
    folders = {re.findall(r"spark1: (/\S+)", site.twinspark("apply").stdout)[0] for _ in range(2)}
    assert len(folders) == 2, "a host key that has changed would not be seen"
    assert not any(Path(folder).exists() for folder in folders)


def test_the_inventory_tells_how_one_logs_in(site: Site) -> None:
    site.hosts(spark1={"ansible_host": "10.0.0.1", "ansible_user": "nvidia", "ansible_port": 2222}, spark2={})
    assert Place(site.project, site.inventory).login_of("spark1") == ("nvidia", "2222")
    assert Place(site.project, site.inventory).login_of("spark2") == ("", "")


def test_a_playbook_at_fault_is_our_fault(site: Site) -> None:
    (site.project / "playbooks/preflight.yml").write_text("- hosts: sparks\n  tusks: []\n")
    (site.project / "site.yml").write_text("- import_playbook: playbooks/preflight.yml\n")
    done = site.twinspark("apply")
    assert done.returncode == 1
    assert "tusks" in done.stderr


def test_nothing_secret_is_written(site: Site) -> None:
    site.play("preflight", {"name": "Ping", "ansible.builtin.ping": {}})
    done = site.twinspark("apply", HF_TOKEN="hf_very_secret", ANSIBLE_BECOME_PASS="hf_very_secret")
    assert done.returncode == 0
    assert "hf_very_secret" not in site.written()
    run = next((site.state / "sites").glob("*/runs/*"))
    assert run.stat().st_mode & 0o777 == 0o700
    command = json.loads((run / "artifacts/run/command").read_text())
    assert command["env"]["ANSIBLE_HOST_KEY_CHECKING"] == "True"


def test_variables_arrive_with_their_types(site: Site) -> None:
    site.play(
        "preflight",
        {
            "name": "Look",
            "ansible.builtin.assert": {
                "that": ["flag is true", "number == 3", "text == 'a=b'", "twinspark_override == ['rdma']"]
            },
        },
    )
    done = site.twinspark("apply", "-e", "flag=true", "-e", "number=3", "-e", "text=a=b", "--override", "rdma")
    assert done.returncode == 0, done.stderr


def test_a_host_that_is_named_like_a_secret_is_none() -> None:
    given = "http://compass:8080"
    assert precheck.extra_vars([f"hf_weights_endpoint={given}"]) == {"hf_weights_endpoint": given}


def test_old_runs_are_dropped(site: Site) -> None:
    site.play("preflight", {"name": "Ping", "ansible.builtin.ping": {}})
    site.twinspark("apply")
    runs = next((site.state / "sites").glob("*/runs"))
    for number in range(15):
        (runs / f"20200101T0000{number:02d}-1").mkdir()
    site.twinspark("apply")
    assert len(list(runs.iterdir())) == 10


def test_numbers_of_a_long_job_are_shown(site: Site) -> None:
    (site.project / "library/look.py").write_text(
        "from ansible.module_utils.basic import AnsibleModule\n"
        "numbers = {'done': 3 * 2**30, 'total': 12 * 2**30, 'unit': 'B', 'rate': 2**30}\n"
        "AnsibleModule({}).exit_json(job={'state': 'running', 'progress': numbers})\n"
    )
    wait = {
        "name": "Await it",
        "look": {},
        "register": "r",
        "until": "false",
        "retries": 1,
        "delay": 0,
        "failed_when": False,
    }
    site.hosts(spark1=LOCAL)
    site.play("weights", wait)
    done = site.twinspark("apply")
    assert "job     spark1: Await it: 3 of 12 GiB, 25%, 1 GiB/s, 9 s left" in done.stdout, done.stdout + done.stderr
