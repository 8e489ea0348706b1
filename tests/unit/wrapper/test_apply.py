"""`twinspark apply` for real: ansible-runner, ansible-playbook, this machine as the hosts; only ssh is left out."""

import json
import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path

import pexpect
import pytest

from twinspark import precheck
from twinspark.runner import handed_over
from twinspark.verbs import Place

from .conftest import LOCAL, ROOT, Site

CLOSED = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_user": "spark"}


def touch(path: Path) -> dict[str, object]:
    return {
        "name": "Leave a mark",
        "ansible.builtin.copy": {"dest": f"{path}/{{{{ inventory_hostname }}}}", "content": "x", "mode": "0600"},
    }


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
    assert "weights needs a proof of rdma, and there is none. Cure: twinspark apply --stage rdma." in done.stderr


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


def test_an_empty_group(site: Site) -> None:
    site.inventory.write_text("sparks: {hosts: {}}\n")
    site.play("preflight", {"name": "Ping", "ansible.builtin.ping": {}})
    done = site.twinspark("apply")
    assert done.returncode == 2
    assert "No host is in the inventory group 'sparks'" in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--stage", "rmda"], "there is no stage 'rmda': did you mean rdma?"),
        (["-e", "hf_token=abc"], "hf_token looks like a secret"),
        (["-e", "ansible_become_pass=abc"], "ansible_become_pass looks like a secret"),
        (
            ["-e", 'hf_weights_client_environment={"HF_TOKEN": "abc"}'],
            "HF_TOKEN in hf_weights_client_environment looks",
        ),
        (["-e", "hf_weights_client_environment={HF_TOKEN: abc}"], "HF_TOKEN in hf_weights_client_environment looks"),
        (["-e", "hf_weights_client_environment=HF_TOKEN=abc"], "HF_TOKEN in hf_weights_client_environment looks"),
        (["-e", 'a={"b": [{"hub-token": "abc"}]}'], "hub-token in a looks like a secret"),
        (["-e", 'a="{\\"HF_TOKEN\\": \\"abc\\"}"'], "HF_TOKEN in a looks like a secret"),
        (["-e", '{"a": {"HF_TOKEN": "abc"}}'], "-e takes name=value, not a mapping or a file"),
        (["-e", "@secrets.yml"], "-e takes name=value, not a mapping or a file"),
        (["-e", "ansible_host_key_checking=false"], "how host keys are checked"),
        (["-e", "ansible_ssh_extra_args=-o StrictHostKeyChecking=no"], "how host keys are checked"),
        (["-e", "ansible_ssh_args=-o KnownHostsCommand=/x"], "how host keys are checked"),
        (["-e", "ansible_ssh_args=-C"], "ansible_ssh_args would change how host keys are checked"),
        (["-e", "ansible_ssh_executable=/x"], "ansible_ssh_executable would change how host keys are checked"),
        (["-e", "abc"], "-e takes name=value, not 'abc'"),
        (["--stage", "rdma", "--from", "rdma"], "--stage excludes --from and --to"),
        (["--from", "rdma", "--to", "network"], "network comes before rdma"),
        (["--override", "rmda"], "there is no stage 'rmda': did you mean rdma?"),
        (["--stage", "benchmark"], "this checkout has no playbooks/benchmark.yml"),
    ],
)
def test_a_wrong_command_line(site: Site, words: list[str], sentence: str) -> None:
    site.play("preflight", {"name": "Ping", "ansible.builtin.ping": {}})
    done = site.twinspark("apply", *words)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert '"abc"' not in done.stderr
    assert "?." not in done.stderr
    assert not (site.state / "sites").exists()


def test_an_inventory_that_does_not_parse(site: Site) -> None:
    site.play("preflight", {"name": "Ping", "ansible.builtin.ping": {}})
    site.inventory.write_text("sparks: {hosts: {a: {b: c]}\n")
    done = site.twinspark("apply")
    assert done.returncode == 2
    assert f"{site.inventory} is not YAML at line 1" in done.stderr


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"- a\n- b\n", "is a list, but a file of an inventory is a mapping"),
        (b'"spark1"\n', "is a single value, but a file of an inventory is a mapping"),
        (b"{a: " * 3000 + b"1" + b"}" * 3000, "is nested too deeply to be read: write it flatter"),
        (b"sparks: {hosts: {a: {x: caf\xe9}}}\n", "is no text in UTF-8 (byte 28 is 0xe9): save it as UTF-8"),
        (b"sparks:\n  hosts: {a: \0}\n", "has the character 0x00 in line 2, which no text has: remove it"),
    ],
    ids=["list", "scalar", "deep", "latin-1", "nul"],
)
def test_a_file_that_is_no_inventory(site: Site, content: bytes, sentence: str) -> None:
    site.play("preflight", {"name": "Ping", "ansible.builtin.ping": {}})
    site.inventory.write_bytes(content)
    done = site.twinspark("apply")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert f"{site.inventory} {sentence}" in done.stderr


def test_an_inventory_in_a_circle_ends(site: Site) -> None:
    site.inventory.write_text("a: &a {b: *a, vars: {twinspark_profile: x}}\n")
    (site.inventory.parent / "group_vars").mkdir()
    (site.inventory.parent / "group_vars/all.yml").write_text("twinspark_profile: y\n")
    with pytest.raises(precheck.UsageError, match=r"twinspark_profile under a\.vars is overruled"):
        precheck.inventory(site.inventory, site.project)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("empty", None, ""),
        ("readme.md", b"no inventory\n", ""),
        ("hosts", b"just some text\n", " (Expected key=value host variable assignment, got: some)"),
    ],
)
def test_what_ansible_can_not_read_is_told_with_a_cure(site: Site, name: str, content: bytes | None, why: str) -> None:
    site.play("preflight", {"name": "Ping", "ansible.builtin.ping": {}})
    (site.project / "ansible.cfg").write_text((ROOT / "ansible.cfg").read_text())
    folder = site.project / "elsewhere"
    folder.mkdir()
    if content is not None:
        (folder / name).write_bytes(content)
    site.inventory = folder / name if name == "hosts" else folder
    done = site.twinspark("apply")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert f"{site.inventory} is no inventory that Ansible can read{why}: write one like" in done.stderr


def test_a_binary_is_no_inventory(site: Site) -> None:
    site.inventory = site.project / "hosts"
    site.inventory.write_bytes(b"\x7fELF\x02\x01\0\0\xff")
    done = site.twinspark("apply")
    assert done.returncode == 2
    assert f"{site.inventory} is no text in UTF-8 (byte 9 is 0xff)" in done.stderr


@pytest.mark.parametrize("settings", ["all.yml", "all/settings.yml"])
def test_a_setting_that_would_be_overruled_is_refused(site: Site, settings: str) -> None:
    site.play("preflight", {"name": "Ping", "ansible.builtin.ping": {}})
    target = site.project / "settings" / settings
    target.parent.mkdir(parents=True)
    target.write_text("twinspark_profile: deepseek-v4-flash\nsame: 1\n")
    (site.inventory.parent / "group_vars").mkdir()
    link = site.inventory.parent / "group_vars" / settings.partition("/")[0]
    link.symlink_to(target if link.name == "all.yml" else target.parent)  # as `twinspark init` makes it
    group = {"hosts": {"spark1": LOCAL}, "vars": {"same": 1, "other": 2}}
    site.inventory.write_text(json.dumps({"sparks": group}))
    assert site.twinspark("apply").returncode == 0
    group["vars"]["twinspark_profile"] = "lab-smollm2"
    site.inventory.write_text(json.dumps({"all": {"children": {"sparks": group}}}))
    done = site.twinspark("apply")
    assert done.returncode == 2
    assert f"{site.inventory}: twinspark_profile under all.children.sparks.vars is overruled by {link}" in done.stderr
    assert "set it there, or under each host's own name" in done.stderr


def test_an_empty_name_is_no_inventory(site: Site) -> None:
    done = subprocess.run(
        site.argv("status", "-i", ""), env=site.environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "-i names no inventory: give its path, or leave -i out" in done.stderr


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("group_vars/README", b"settings: of\n  - every group\n"),
        ("group_vars/Makefile", b"all:\n\techo\n"),
        ("group_vars/.git/index", b"DIRC\0\0\xff"),
        ("host_vars/.git/HEAD", b"- a\n"),
        ("group_vars/sparks/.note/x.yml", b"- a\n"),
        ("group_vars/old~/x.yml", b"- a\n"),
        ("group_vars/switches.yml", b"ansible_ssh_common_args: -o StrictHostKeyChecking=no\n"),
    ],
)
def test_what_ansible_reads_for_no_host_of_sparks_may_stay(site: Site, file: str, text: bytes) -> None:
    target = site.inventory.parent / file
    target.parent.mkdir(parents=True)
    target.write_bytes(text)
    precheck.inventory(site.inventory, site.project)


@pytest.mark.parametrize("file", ["group_vars/all", "group_vars/sparks/README", "host_vars/spark1/deep/ssh"])
def test_a_file_without_a_suffix_that_ansible_reads_must_parse(site: Site, file: str) -> None:
    target = site.inventory.parent / file
    target.parent.mkdir(parents=True)
    target.write_text("a: b: c\n")
    with pytest.raises(precheck.UsageError, match=f"{file} is not YAML at line 1, column 5"):
        precheck.inventory(site.inventory, site.project)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("2026-02-30", "'2026-02-30' is no timestamp"),
        ("!!int x", "'x' is no int"),
        ("!!float x", "'x' is no float"),
        ("!!bool x", "'x' is no bool"),
        ("!!timestamp x", "'x' is no timestamp"),
    ],
)
def test_a_value_that_is_none_of_its_kind_is_one_sentence(site: Site, value: str, sentence: str) -> None:
    site.inventory.write_text(f"sparks:\n  vars: {{day: {value}}}\n")
    done = site.twinspark("apply")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert f"{site.inventory} is not YAML at line 2, column 15: {sentence} (if it is meant as text, quote it)" in (
        done.stderr
    )


def test_settings_of_other_hosts_are_their_owners_business(site: Site) -> None:
    (site.project / "roles/hf_weights").mkdir(parents=True)
    (site.inventory.parent / "group_vars").mkdir()
    (site.inventory.parent / "group_vars/all.yml").write_text("{ansible_user: nvidia, hf_weights_streams: 4}\n")
    site.inventory.write_text("switches: {vars: {ansible_user: admin}}\n")
    precheck.inventory(site.inventory, site.project)
    site.inventory.write_text("sparks: {vars: {hf_weights_streams: 2}}\n")
    with pytest.raises(precheck.UsageError, match=r"hf_weights_streams under sparks\.vars is overruled"):
        precheck.inventory(site.inventory, site.project)


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
        assert f"another twinspark works on this inventory (process {child.pid})" in second.stderr
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
