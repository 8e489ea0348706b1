"""What `twinspark apply` refuses before it does anything: command lines and inventories."""

import json
import subprocess

import pytest

from twinspark import precheck

from .conftest import LOCAL, ROOT, Site


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
        (["--stage", "benchmark"], "has no playbooks/benchmark.yml"),
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
    ("text", "where"),
    [
        (
            "sparks:\n  hosts:\n    spark1: {a: 1}\n    spark1: {a: 2}\n",
            "line 4, column 5: 'spark1' stands twice, first in line 3",
        ),
        ("sparks:\n  vars:\n    x: 1\n    y: 2\n    x: 1\n", "line 5, column 5: 'x' stands twice, first in line 3"),
        ("sparks: {hosts: {a: {}, a: {}}}\n", "line 1, column 25: 'a' stands twice, first in line 1"),
    ],
)
def test_a_key_that_stands_twice_loses_nothing_unheard(site: Site, text: str, where: str) -> None:
    site.play("preflight", {"name": "Ping", "ansible.builtin.ping": {}})
    site.inventory.write_text(text)
    done = site.twinspark("apply")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert f"{site.inventory} is not YAML at {where}" in done.stderr


def test_a_merge_overrides_and_repeats_nothing(site: Site) -> None:
    site.inventory.write_text("sparks: {hosts: {a: &a {x: 1, y: 2}, b: &b {<<: *a, y: 3}, c: {<<: *b, x: 4}}}\n")
    assert precheck.loads(site.inventory)["sparks"]["hosts"]["c"] == {"x": 4, "y": 3}


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
def test_what_ansible_can_not_read_is_told_with_a_fix(site: Site, name: str, content: bytes | None, why: str) -> None:
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
