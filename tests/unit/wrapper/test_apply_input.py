"""What `twinspark apply` refuses before it does anything: command lines and inventories."""

import subprocess
import sys
from pathlib import Path

import pytest

from twinspark import precheck

from .conftest import ROOT, Site


def test_an_empty_group(site: Site) -> None:
    site.inventory.write_text("sparks: {hosts: {}}\n")
    site.play("preflight", {"name": "Ping", "ansible.builtin.ping": {}})
    done = site.twinspark("apply")
    assert done.returncode == 2
    assert NO_HOST in done.stderr
    assert "done in" not in done.stdout + done.stderr  # a play over no host does nothing, and nothing is done


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


@pytest.mark.parametrize(("word", "stage"), [("servee", "serve"), ("serve", "serve"), ("netwrok", "network")])
def test_a_stage_in_place_of_a_verb_is_told_how_it_is_run(site: Site, word: str, stage: str) -> None:
    done = subprocess.run(site.argv(word), env=site.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"there is no verb {word}: did you mean `twinspark apply --stage {stage}`?\n"


NO_HOST = "No host is in the inventory group 'sparks'"


@pytest.fixture
def ours(site: Site) -> Site:
    """The site with this project's settings of Ansible, which refuse what would only be warned of, and a stage."""
    (site.project / "ansible.cfg").write_text((ROOT / "ansible.cfg").read_text())
    site.play("preflight", {"name": "Ping", "ansible.builtin.ping": {}})
    return site


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"sparks: {hosts: {a: {b: c]}\n", " at line 1, column 15 (Colons in unquoted values"),
        (
            b"sparks:\n  hosts:\n    spark1: {a: 1}\n    spark1: {a: 2}\n",
            " at line 4, column 5 (Found duplicate mapping key 'spark1'): correct it, or make an inventory with",
        ),
        (b"sparks:\n  vars:\n    x: 1\n    y: 2\n    x: 1\n", " at line 5, column 5 (Found duplicate mapping key 'x')"),
        (b"- a\n- b\n", " (YAML inventory has invalid structure, it should be a dictionary)"),
        (b"{a: " * 3000 + b"1" + b"}" * 3000, " (maximum recursion depth exceeded)"),
        (b"sparks: {hosts: {a: {x: caf\xe9}}}\n", " (it is not UTF-8)"),
        (b"sparks:\n  hosts: {a: \0}\n", " (unacceptable character #x0000"),
        (b"sparks:\n  vars: {day: 2026-02-30}\n", " (day is out of range for month)"),
        (b"sparks:\n  vars: {day: !!int x}\n", " (invalid literal for int() with base 10: 'x')"),
    ],
    ids=["syntax", "host twice", "setting twice", "list", "deep", "latin-1", "nul", "no day", "no number"],
)
def test_what_ansible_can_not_read_is_one_sentence(ours: Site, content: bytes, sentence: str) -> None:
    ours.inventory.write_bytes(content)
    done = ours.twinspark("apply")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert f"Ansible can't read {ours.inventory}{sentence}" in done.stderr
    assert not (ours.state / "sites").exists()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty", None, " (nothing in it is an inventory)"),
        ("readme.md", b"no inventory\n", " (nothing in it is an inventory)"),
        ("hosts", b"just some text\n", "/hosts (Expected key=value host variable assignment, got: some)"),
        ("more.yml", b"a: {}\na: {}\n", "/more.yml at line 2, column 1 (Found duplicate mapping key 'a')"),
    ],
)
def test_a_folder_that_ansible_can_not_read_is_one_sentence(
    ours: Site, name: str, content: bytes | None, sentence: str
) -> None:
    ours.inventory = ours.project / "elsewhere"
    ours.inventory.mkdir()
    if content is not None:
        (ours.inventory / name).write_bytes(content)
    done = ours.twinspark("apply")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert f"Ansible can't read {ours.inventory}{sentence}: correct it, or make" in done.stderr


@pytest.mark.parametrize(
    "content",
    [b'"spark1"\n', b"a: &a {b: *a, vars: {twinspark_profile: x}}\n", b"\x7fELF\x02\x01\0\0\xff"],
    ids=["a word", "a circle", "a binary"],
)
def test_what_ansible_reads_some_host_out_of_has_none_for_us(ours: Site, content: bytes) -> None:
    ours.inventory = ours.project / "hosts"
    ours.inventory.write_bytes(content)
    done = ours.twinspark("apply")
    assert done.returncode == 2
    assert NO_HOST in done.stderr


@pytest.mark.parametrize("name", ["all", "all.yml", "sparks/README"])
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a: b: c\n", " at line 1, column 5 (Colons in unquoted values"),
        (b"a: 1\na: 2\n", " at line 2, column 1 (Found duplicate mapping key 'a')"),
        (b"x: caf\xe9\n", " (it is not UTF-8)"),
        (b"- a\n", " (failed to combine variables, expected dicts but got a 'dict' and a 'list')"),
    ],
    ids=["syntax", "twice", "latin-1", "list"],
)
def test_a_file_of_variables_that_ansible_can_not_read_is_named(
    ours: Site, name: str, content: bytes, sentence: str
) -> None:
    file = ours.inventory.parent / "group_vars" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with pytest.raises(precheck.UsageError) as refused:
        precheck.inventory(ours.inventory, ours.project)
    assert str(refused.value).startswith(f"Ansible can't read {file}{sentence}")


def test_a_file_of_one_host_is_named_too(ours: Site) -> None:
    file = ours.inventory.parent / "host_vars/spark1/deep/ssh"
    file.parent.mkdir(parents=True)
    file.write_text("a: b: c\n")
    done = ours.twinspark("apply")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert f"Ansible can't read {file} at line 1, column 5 (Colons" in done.stderr


def test_a_merge_may_add_but_not_override(ours: Site) -> None:
    """Ansible can't tell an override from a key that is set twice, so plain Ansible refuses it as well."""
    ours.inventory.write_text("sparks: {hosts: {a: &a {x: 1}, b: {<<: *a, y: 3}}}\n")
    precheck.inventory(ours.inventory, ours.project)
    ours.inventory.write_text("sparks: {hosts: {a: &a {x: 1}, b: {<<: *a, x: 3}}}\n")
    with pytest.raises(precheck.UsageError, match="duplicate mapping key 'x'"):
        precheck.inventory(ours.inventory, ours.project)


def test_a_vault_without_its_password_is_told(ours: Site) -> None:
    file = ours.inventory.parent / "group_vars/all.yml"
    file.parent.mkdir()
    file.write_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    with pytest.raises(precheck.UsageError, match=f"{file} .it is encrypted: set ANSIBLE_VAULT_PASSWORD_FILE"):
        precheck.inventory(ours.inventory, ours.project)


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
def test_what_ansible_reads_for_no_host_of_sparks_may_stay(ours: Site, file: str, text: bytes) -> None:
    target = ours.inventory.parent / file
    target.parent.mkdir(parents=True)
    target.write_bytes(text)
    precheck.inventory(ours.inventory, ours.project)


def test_a_broken_settings_file_is_named_as_the_documentation_says(ours: Site) -> None:
    """Plain Ansible does not; docs/operations.md sends its users here."""
    file = ours.inventory.parent / "group_vars/all/settings.yml"
    file.parent.mkdir(parents=True)
    file.write_text("twinspark_rail_mtu: 9000: 1\n")
    done = ours.twinspark("apply", "--check")
    assert done.returncode == 2
    assert f"Ansible can't read {file} at line 1, column" in done.stderr
    plain = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(ours.inventory), "site.yml"],
        cwd=ours.project, env=ours.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "YAML parsing failed: " in plain.stdout + plain.stderr
