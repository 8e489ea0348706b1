"""`twinspark init` before it asks a host: addresses, and consent."""

import json
import os
import subprocess
import sys

import pytest

from twinspark import init_cli
from twinspark.precheck import UsageError


@pytest.mark.parametrize(
    ("given", "name", "variables"),
    [
        ("spark1.local", "spark1.local", {"ansible_host": "spark1.local"}),
        ("10.0.0.1", "10.0.0.1", {"ansible_host": "10.0.0.1"}),
        ("10.0.0.1:2222", "10.0.0.1_2222", {"ansible_host": "10.0.0.1", "ansible_port": 2222}),
        ("fe80::1", "fe80::1", {"ansible_host": "fe80::1"}),
    ],
)
def test_an_address_may_have_a_port(given, name, variables):
    assert init_cli.endpoint(given) == (name, variables)


@pytest.mark.parametrize("given", ["10.0.0.1:", "10.0.0.1:ssh", ":22", "10.0.0.1:0", "10.0.0.1:70000"])
def test_a_port_is_a_number(given):
    with pytest.raises(UsageError, match="neither an address nor ADDRESS:PORT"):
        init_cli.endpoint(given)


def test_an_inventory_is_overwritten_by_consent_only(tmp_path):
    target = tmp_path / "hosts.yml"
    target.write_text("mine")
    with pytest.raises(UsageError, match="is there already: name another with --output, or consent with --force"):
        init_cli.init(["10.0.0.1"], output=target)
    assert target.read_text() == "mine"


def test_what_was_there_is_kept_beside_it(tmp_path, root):
    target = tmp_path / "inventory/hosts.yml"
    init_cli.write(target, "first", root)
    init_cli.write(target, "second", root)
    init_cli.write(target, "third", root)
    kept = {path.name: path.read_text() for path in target.parent.glob("hosts*")}
    assert kept == {"hosts.yml": "third", "hosts.yml.1~": "first", "hosts.yml.2~": "second"}


def test_ansible_takes_nothing_that_is_kept_for_an_inventory(tmp_path, root):
    target = tmp_path / "inventory/hosts.yml"
    init_cli.write(target, "sparks: {hosts: {spark1: {}, spark3: {}}}\n", root)
    init_cli.write(target, "sparks: {hosts: {spark1: {}, spark2: {}}}\n", root)
    listed = subprocess.run(
        ["ansible-inventory", "-i", str(target.parent), "--list"],
        env={**os.environ, "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(listed.stdout)["sparks"]["hosts"] == ["spark1", "spark2"]


@pytest.mark.parametrize(
    ("addresses", "sentence"), [([], "no host was named"), (["10.0.0.1", "10.0.0.1"], "an address was named twice")]
)
def test_wrong_addresses_are_told_before_anything_is_asked(tmp_path, addresses, sentence):
    with pytest.raises(UsageError, match=sentence):
        init_cli.init(addresses, output=tmp_path / "hosts.yml", mdns=False)


def test_ssh_args_may_not_weaken_the_checking_of_host_keys(tmp_path):
    with pytest.raises(UsageError, match="--ssh-args: StrictHostKeyChecking=no in ansible_ssh_common_args lets any"):
        init_cli.init(["10.0.0.1"], output=tmp_path / "hosts.yml", ssh_args="-o StrictHostKeyChecking=no", key=None)


def test_hosts_that_do_not_answer_are_told_once_and_with_what_init_needs(tmp_path, root):
    done = subprocess.run(
        [sys.executable, "-c", "from twinspark.cli import main; main()", "init", "127.0.0.1:1", "-o", tmp_path / "x"],
        env={**os.environ, "TWINSPARK_HOME": str(root), "TWINSPARK_STATE_DIR": str(tmp_path / "state")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 4
    assert done.stdout == "Asking 127.0.0.1:1 for links, cables and addresses: 10 to 30 s ...\n"
    assert done.stderr.count("nothing listens for ssh at 127.0.0.1 port 1") == 1
    assert "each of them must answer to ssh and sudo" in done.stderr
    assert not (tmp_path / "x").exists()


def test_what_only_looks_tells_nothing_of_changes(tmp_path, root, monkeypatch, capsys):
    """The report that a playbook leaves on this machine is no change that an owner would look for."""
    content = tmp_path / "content"
    (content / "playbooks").mkdir(parents=True)
    leave = {"content": "{}", "dest": "{{ twinspark_discover_output }}", "mode": "0600"}
    play = {"hosts": "sparks", "gather_facts": False, "connection": "local", "tasks": [{"ansible.builtin.copy": leave}]}
    play["vars"] = {"ansible_python_interpreter": sys.executable}
    (content / "playbooks/discover.yml").write_text(json.dumps([play]))
    (content / "ansible.cfg").write_text((root / "ansible.cfg").read_text())
    monkeypatch.setenv("TWINSPARK_STATE_DIR", str(tmp_path / "state"))
    assert init_cli.ask(content, ["127.0.0.1"], {}, {}) == (0, {})
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "")
