"""What the checkout says there is, and the sentence that plain Ansible prints for an inventory that can't be right."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]


def play(
    inventory: Path, *words: str, playbook: str = "playbooks/preflight.yml", **more: str
) -> subprocess.CompletedProcess[str]:
    """The first play of site.yml by plain Ansible: it asks no host for anything."""
    folder = inventory.parent if inventory.is_file() else inventory
    if not (folder / "group_vars").exists():
        (folder / "group_vars").symlink_to(ROOT / "group_vars")
    return subprocess.run(
        [
            str(Path(sys.executable).parent / "ansible-playbook"),
            "-i",
            str(inventory),
            playbook,
            *words,
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0", **more},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("hosts", "words", "sentence"),
    [
        (
            {"spark1": "192.0.2.1"},
            ["-e", "{rdma_verify_rail_gbit_s: -5}"],
            "twinspark: rdma_verify_rail_gbit_s (set by -e) must be at least 0, is -5. Nothing was changed.",
        ),
        (
            {"spark1": "192.0.2.1"},
            ["-e", "twinspark_weights_revision=main"],
            "twinspark: twinspark_weights_revision is 'main': give the full commit, 40 hexadecimal digits, of the "
            "repository's history on the Hub. Nothing was changed.",
        ),
        (
            {"spark1": "192.0.2.1"},
            ["-e", "{__preflight_known_bad: []}"],
            "twinspark: the variable __preflight_known_bad is a role's own and can't be set: did you mean "
            "preflight_known_bad? Nothing was changed.",
        ),
        (
            {"spark1": "192.0.2.1", "spark2": "192.0.2.1"},
            [],
            "twinspark: spark1 and spark2 have the same management address 192.0.2.1: "
            "correct ansible_host of one of them. Nothing was changed.",
        ),
        (
            {"spark1": "192.0.2.1"},
            ["-e", "twinspark_profil=x"],
            "twinspark: the variable twinspark_profil is not known to any role: did you mean twinspark_profile? "
            "Nothing was changed.",
        ),
        (
            {"spark1": "192.0.2.1"},
            ["-e", "{ansible_ssh_common_args: -o StrictHostKeyChecking=no}"],
            "twinspark: spark1: StrictHostKeyChecking=no in ansible_ssh_common_args lets any machine answer for the "
            "host: remove it, log in once by hand, compare the fingerprint, and keep it pinned. Nothing was changed.",
        ),
        (
            {"spark1": "192.168.1"},
            ["-e", "{twinspark_rail_mtu: -5, twinspark_rails_first_host: abc}"],
            "twinspark: spark1: its ansible_host 192.168.1 is not an IPv4 address: write four numbers from 0 to 255, "
            "like 192.168.1.20, or a name. Besides, twinspark_rails_first_host is 'abc': give a whole number of at "
            "least 1. Besides, twinspark_rail_mtu is -5: give a whole number from 1280 to 9978, as a rule 9000. "
            "Nothing was changed.",
        ),
        (
            {"spark1": "192.0.2.1", "spark2": "192.0.2.2"},
            ["-e", "{twinspark_rails: []}"],
            "twinspark: spark1: twinspark_rails is empty, but 2 hosts need a rail between them. Nothing was changed.",
        ),
        (
            {"spark1": "192.0.2.1"},
            ["-e", "{rdma_verify_rail_gbit_s: many, vllm_serve_close_rendezvous: {a: 1}}"],
            "twinspark: rdma_verify_rail_gbit_s (set by -e) must be a number, is 'many'. Besides, "
            "vllm_serve_close_rendezvous (set by -e) must be true or false, is a mapping. Nothing was changed.",
        ),
        (
            {"spark1": "192.0.2.1", "spark2": "192.0.2.2"},
            [
                "-e",
                "{preflight_known_bad: [{what: kernal, pattern: 7*, reason: x, fix: y}, {what: os, patern: 1}]}",
            ],
            "twinspark: preflight_known_bad (set by -e), entry 1: what must be one of os, kernel, driver, "
            "nic_firmware, docker, arch, is 'kernal'. Besides, preflight_known_bad (set by -e), entry 2 lacks "
            "pattern, reason, fix. Besides, preflight_known_bad (set by -e), entry 2 has a key patern: did you mean "
            "pattern? Nothing was changed.",
        ),
        ({}, [], "twinspark: No host is in the inventory group 'sparks': name at least one under sparks.hosts"),
    ],
    ids=[
        "out of range",
        "a branch",
        "a role's own",
        "same address",
        "misspelt variable",
        "unchecked host key",
        "no numbers",
        "no rails",
        "wrong types",
        "known-bad list",
        "no host",
    ],
)
def test_plain_ansible_says_it_in_one_sentence(tmp_path: Path, hosts: dict, words: list[str], sentence: str) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(
        yaml.safe_dump({"sparks": {"hosts": {host: {"ansible_host": at} for host, at in hosts.items()}}})
    )
    done = play(inventory, *words)
    assert sentence in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    "line", ["ansible_host_key_checking=no", "ansible_ssh_extra_args='-oStrictHostKeyChecking=off'"]
)
def test_an_ini_inventory_may_not_switch_off_the_checking_of_host_keys(tmp_path: Path, line: str) -> None:
    inventory = tmp_path / "hosts"
    inventory.write_text(f"[sparks]\nspark1 ansible_host=192.0.2.1\n[sparks:vars]\n{line}\n")
    done = play(inventory)
    assert "lets any machine answer for the host" in done.stdout, done.stdout + done.stderr
    assert "twinspark: spark1: " in done.stdout


LAX = "-o StrictHostKeyChecking="
# A misspelling: something to refuse where nothing weakens the checking, so that no host is asked.
SPELT = "twinspark_profil: x"
PASSED = "twinspark: the variable twinspark_profil is not known"


@pytest.mark.parametrize(
    ("file", "text", "weak"),
    [
        ("hosts.yml", "sparks: {vars: {ansible_host_key_checking: false}}", "ansible_host_key_checking=False lets any"),
        (
            "more.yml",
            f"sparks: {{children: {{lab: {{hosts: {{spark1: {{ansible_ssh_common_args: {LAX}no}}}}}}}}}}",
            "StrictHostKeyChecking=no in ansible_ssh_common_args lets any",
        ),
        (
            "group_vars/sparks.yml",
            "ansible_ssh_extra_args: -o UserKnownHostsFile=/dev/null",
            "UserKnownHostsFile=/dev/null in ansible_ssh_extra_args lets any",
        ),
        (
            "group_vars/sparks.json",
            '{"ansible_ssh_executable": "/opt/lax"}',
            "ansible_ssh_executable=/opt/lax runs another program than ssh",
        ),
        ("group_vars/sparks", "ansible_ssh_args: -C", "ansible_ssh_args lacks `-o StrictHostKeyChecking=yes`"),
        (
            "host_vars/spark1/ssh",
            "ansible_scp_extra_args: -oStrictHostKeyChecking=off",
            "StrictHostKeyChecking=off in ansible_scp_extra_args lets any",
        ),
        (
            "host_vars/spark1.yml",
            f"ansible_ssh_common_args: \"{{{{ '{LAX}' ~ 'no' }}}}\"",
            "StrictHostKeyChecking=no in ansible_ssh_common_args lets any",
        ),
    ],
)
def test_an_inventory_may_not_weaken_the_checking_of_host_keys(tmp_path: Path, file: str, text: str, weak: str) -> None:
    done = play(folder_with(tmp_path, file, text))
    assert f"twinspark: spark1: {weak}" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("more.yml", "switches: {hosts: {switch1: {ansible_host_key_checking: false}}}"),
        ("group_vars/switches.yml", f"ansible_ssh_common_args: {LAX}no"),
        (
            "group_vars/sparks.yml",  # as the lab writes it
            f"ansible_ssh_common_args: -F /dev/null -o UserKnownHostsFile=/s {LAX}yes -o IdentitiesOnly=yes",
        ),
        ("group_vars/sparks.yml", "ansible_host_key_checking:"),
        ("group_vars/sparks.yml", 'ansible_host_key_checking: "{{ true }}"'),
    ],
    ids=["another host", "another group", "the lab's arguments", "null", "a template that is true"],
)
def test_what_weakens_nothing_may_stay(tmp_path: Path, file: str, text: str) -> None:
    done = play(folder_with(tmp_path, file, text, SPELT))
    assert PASSED in done.stdout, done.stdout + done.stderr
    assert "Besides" not in done.stdout


def test_arguments_for_ssh_are_recorded_nowhere(tmp_path: Path) -> None:
    """ansible-runner records a module's arguments, as -vvv shows them."""
    text = "ansible_ssh_common_args: -o 'ProxyCommand=sshpass -p very_secret ssh -W %h:%p jump'"
    done = play(folder_with(tmp_path, "host_vars/spark1.yml", text, SPELT), "-vvv", ANSIBLE_INJECT_INVOCATION="1")
    assert PASSED in done.stdout
    assert "module_args" in done.stdout, done.stdout
    assert "very_secret" not in done.stdout + done.stderr


def folder_with(folder: Path, file: str, text: str, more: str = "") -> Path:
    """An inventory folder with a host, the checkout's settings, and one more file; the folder's path."""
    site = folder / "site"
    (site / "group_vars").mkdir(parents=True)
    (site / "group_vars/all").mkdir()
    for settings in (ROOT / "group_vars/all").iterdir():
        (site / "group_vars/all" / settings.name).symlink_to(settings)
    (site / "group_vars/all/more.yml").write_text(f"{more}\n")
    (site / "a.yml").write_text("sparks: {hosts: {spark1: {ansible_host: 192.0.2.1}}}\n")
    target = site / file
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(f"{text}\n")
    return site


def test_neither_may_the_environment(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("sparks: {hosts: {spark1: {ansible_host: 192.0.2.1}}}\n")
    done = play(inventory, ANSIBLE_HOST_KEY_CHECKING="False")
    assert "twinspark: ansible.cfg or the environment: ansible_host_key_checking=False lets any" in done.stdout
    done = play(inventory, ANSIBLE_SSH_ARGS="-C")
    assert (
        "twinspark: ansible.cfg or the environment: ansible_ssh_args lacks `-o StrictHostKeyChecking=yes`"
        in done.stdout
    )
    done = play(inventory, ANSIBLE_SSH_EXECUTABLE="/opt/lax")
    assert "twinspark: ansible.cfg or the environment: ansible_ssh_executable=/opt/lax runs another" in done.stdout


def test_a_token_in_a_jobs_environment_is_refused_and_not_shown(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(
        "sparks: {hosts: {spark1: {ansible_host: 192.0.2.1,\n"
        "  hf_weights_client_environment: {HF_TOKEN: hf_very_secret}}}}\n"
    )
    done = play(inventory, "-vvv")
    assert "twinspark: spark1: HF_TOKEN in hf_weights_client_environment looks like a secret" in done.stdout
    assert "hf_very_secret" not in done.stdout + done.stderr


@pytest.mark.parametrize("playbook", ["site.yml", "playbooks/preflight.yml"])
def test_a_port_that_is_none_is_told(tmp_path: Path, playbook: str) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("sparks: {hosts: {spark1: {ansible_host: 192.0.2.1, ansible_port: abc}}}\n")
    done = play(inventory, playbook=playbook)
    assert "twinspark: spark1: its ansible_port is 'abc': give a whole number from 1 to 65535" in done.stdout


def test_a_wrong_type_is_told_with_the_host_that_has_it_and_never_what_may_be_a_secret(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    hosts = {
        "spark1": {"ansible_host": "192.0.2.1", "vllm_serve_env": ["very_secret"]},
        # What needs the profile is judged later, when that is loaded.
        "spark2": {"ansible_host": "192.0.2.2", "preflight_image_gib": "{{ profile.image.gib }}"},
    }
    inventory.write_text(yaml.safe_dump({"sparks": {"hosts": hosts}}))
    done = play(inventory, "-vvv", playbook="site.yml")
    assert (
        "twinspark: spark1: vllm_serve_env (set in hosts.yml) must be a mapping, is a list. Nothing was changed."
        in done.stdout
    )
    assert "very_secret" not in done.stdout + done.stderr


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """Two hosts that nothing is asked of: nobody listens there."""
    inventory = tmp_path / "hosts.yml"
    hosts = {f"spark{n}": {"ansible_host": f"127.0.0.{n}", "ansible_port": 1} for n in (1, 2)}
    inventory.write_text(yaml.safe_dump({"sparks": {"hosts": hosts}}))
    return inventory


@pytest.mark.parametrize("playbook", ["site.yml", "playbooks/rdma.yml"])
def test_a_limit_is_refused_before_a_host_is_asked(pair: Path, playbook: str) -> None:
    done = play(pair, "--limit", "spark1", playbook=playbook)
    assert "twinspark: --limit leaves out spark2, but a stage needs every host" in done.stdout, done.stdout
    assert "UNREACHABLE" not in done.stdout


@pytest.mark.parametrize(
    ("playbook", "words"),
    [
        ("playbooks/ask.yml", []),
        ("playbooks/ask.yml", ["--limit", "spark1"]),
        ("playbooks/rdma.yml", ["--limit", "sparks"]),
        ("playbooks/rdma.yml", ["--limit", "spark1,spark2"]),
    ],
)
def test_a_limit_that_leaves_out_nobody_who_is_needed_is_fine(pair: Path, playbook: str, words: list[str]) -> None:
    done = play(pair, *words, playbook=playbook)
    assert "leaves out" not in done.stdout
    assert "UNREACHABLE" in done.stdout, done.stdout


@pytest.mark.parametrize("of", ["role", "play"])
def test_a_variable_of_a_role_in_a_play_of_ones_own_is_seen(pair: Path, of: str) -> None:
    """Its hosts can't be reached, so that no role does anything even if the name is not seen."""
    misspelt = {"vars": {"rdma_verify_rail_gbit": 3}}
    role = {"role": "rdma_verify", **(misspelt if of == "role" else {})}
    own = pair.parent / "own.yml"
    own.write_text(
        yaml.safe_dump(
            [{"hosts": "sparks", "gather_facts": False, "roles": [role], **(misspelt if of == "play" else {})}]
        )
    )
    done = play(pair, playbook=str(own))
    said = "the variable rdma_verify_rail_gbit is not known to any role: did you mean rdma_verify_rail_gbit_s?"
    assert f"twinspark: {said} Nothing was changed." in done.stdout, done.stdout + done.stderr


def test_what_has_no_effect_in_a_site_is_told(tmp_path: Path) -> None:
    own = "{name: rail1, interface: a, hca: b, subnet: 192.168.9.0/24}"
    host = f"{{ansible_host: 127.0.0.1, ansible_port: 1, twinspark_rails: [{own}]}}"
    site = folder_with(tmp_path, "group_vars/spraks.yml", "twinspark_profile: x")
    (site / "a.yml").write_text(f"sparks: {{hosts: {{spark1: {host}}}, vars: {{twinspark_rail_mtu: 1500}}}}\n")
    done = play(site / "a.yml")
    said = " ".join((done.stdout + done.stderr).split())
    settings = ROOT / "group_vars/all/settings.yml"
    assert "group_vars/spraks.yml is not read, for the inventory has no group spraks: did you mean sparks?" in said
    assert f"twinspark_rail_mtu under vars: of the group sparks in a.yml has no effect: {settings} sets it" in said
    assert f"twinspark_rails in {settings} has no effect: each host has its own under its name in a.yml" in said
    assert "UNREACHABLE" in said  # remarks stop nothing


def test_a_site_that_is_encrypted_is_read_by_ansible_alone(tmp_path: Path) -> None:
    site = folder_with(tmp_path, "group_vars/sparks.yml", "twinspark_rail_mtu: 1500")
    (site / "a.yml").write_text("sparks: {hosts: {spark1: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n")
    word = tmp_path / "word"
    word.write_text("open sesame\n")
    for file in ("a.yml", "group_vars/sparks.yml"):
        vault = Path(sys.executable).parent / "ansible-vault"
        subprocess.run([vault, "encrypt", "--vault-password-file", word, site / file], check=True, capture_output=True)
    done = play(site / "a.yml", "--vault-password-file", str(word))
    assert "UNREACHABLE" in done.stdout, done.stdout + done.stderr
    assert "has no effect" not in done.stdout + done.stderr


def test_an_out_of_range_number_is_told_with_its_file(tmp_path: Path) -> None:
    done = play(folder_with(tmp_path, "group_vars/sparks.yml", "rdma_verify_repeats: 12"))
    said = "twinspark: rdma_verify_repeats (set in group_vars/sparks.yml) must be from 1 to 9, is 12. Nothing"
    assert said in done.stdout, done.stdout + done.stderr


def test_a_site_without_settings_says_what_holds(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("sparks: {hosts: {spark1: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n")
    said = "the inventory sets nothing of twinspark, so the roles' defaults hold: the profile deepseek-v4-flash"
    told = play(inventory)
    assert said in " ".join((told.stdout + told.stderr).split())
    told = play(inventory, "-e", "twinspark_rail_mtu=9000")
    assert said not in " ".join((told.stdout + told.stderr).split())
    assert "twinspark_profile is set nowhere, so its default holds: the profile deepseek-v4-flash" in " ".join(
        (told.stdout + told.stderr).split()
    )
