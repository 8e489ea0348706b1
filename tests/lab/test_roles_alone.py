"""Every role from a playbook of five lines, in an empty folder with the content's paths and nothing else of a checkout.

In check mode, and what a test does for real it takes away: the lab is left as it was. TWINSPARK_INVENTORY names it, as
for the scenarios.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.lab
ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.parent.name for path in (ROOT / "roles").glob("*/tasks"))
# What has no default.
VARS = {"uv_env": {"uv_env_path": "/opt/twinspark/env/alone", "uv_env_requirements": ["click==8.5.1"]}}
# The lab has no GPU: its own way to run a collective.
LAB_VARS = {"rdma_verify_nccl": {"rdma_verify_nccl_argv": ["/usr/local/bin/twinspark-lab-nccl"]}}
UGLY = (
    "Traceback",
    "is undefined",
    "has no attribute",
    "couldn't resolve",
    "was not found",
    "Finalization of task args",
)


@dataclass
class Outside:
    """A folder away from the checkout, with an inventory that has the hosts and the lab's own settings only."""

    folder: Path

    def play(self, role: str, *words: str, become: bool = True, hosts: str = "sparks", **variables: object) -> "Run":
        """In check mode, a play that is nothing but the role."""
        used = {"role": role} | ({"vars": variables} if variables else {})
        return self.run({"hosts": hosts, "become": become, "roles": [used]}, "--check", *words)

    def run(self, play: dict[str, Any], *words: str) -> "Run":
        """By ansible-playbook, as README has it."""
        (self.folder / "play.yml").write_text(yaml.safe_dump([play], sort_keys=False))
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        twinspark = Path(sys.executable).parent / "twinspark"
        content = subprocess.run([twinspark, "path"], cwd=self.folder, capture_output=True, text=True, check=True)
        done = subprocess.run(
            [Path(sys.executable).parent / "ansible-playbook", "-i", "inventory", "play.yml", *words],
            cwd=self.folder, capture_output=True, text=True, check=False,
            env={**environment, "ANSIBLE_CONFIG": f"{content.stdout.strip()}/ansible.cfg", "ANSIBLE_FORCE_COLOR": "0"},
        )  # fmt: skip
        return Run(done.returncode, done.stdout + done.stderr)


@dataclass
class Run:
    """How a play ended."""

    code: int
    text: str

    @property
    def sentences(self) -> list[str]:
        """What the play ended with, as its last lines say it."""
        return [line for line in self.text.splitlines() if line.startswith("twinspark: ")]

    def refused(self, *said: str) -> None:
        """It failed, in one sentence (the same on every host) that says all of this, and nothing ugly."""
        assert self.code != 0, self.text
        assert len({line.replace("spark2", "spark1") for line in self.sentences}) == 1, self.text
        for words in said:
            assert words in self.sentences[0], self.sentences[0]
        for words in UGLY:
            assert words not in self.sentences[0], self.sentences[0]


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    inventory = Path(os.environ["TWINSPARK_INVENTORY"])
    (tmp_path / "inventory/group_vars").mkdir(parents=True)
    shutil.copy(inventory / "hosts.yml", tmp_path / "inventory")
    shutil.copy(inventory / "group_vars/lab.yml", tmp_path / "inventory/group_vars")
    shutil.copytree(ROOT / "lab/profiles", tmp_path / "profiles")
    # The lab's evaluation asks questions of the lab, by a path that is relative to the site.
    shutil.copytree(ROOT / "lab/questions", tmp_path / "lab/questions")
    return Outside(tmp_path)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_works_from_a_playbook_of_five_lines(outside: Outside, role: str):
    done = outside.play(role, **VARS.get(role, {}), **LAB_VARS.get(role, {}))
    assert done.code == 0, done.text
    assert "changed=" in done.text
    assert "Traceback" not in done.text


def test_weights_alone_need_no_profile_s_entry(outside: Outside):
    """CONTRIBUTING's recipe: another model, with the profile that comes with twinspark."""
    lab = outside.folder / "inventory/group_vars/lab.yml"
    lab.write_text(lab.read_text().replace("twinspark_profile: lab-smollm2\n", ""))
    done = outside.play("hf_weights", twinspark_weights_repo="some/model", twinspark_weights_revision="a" * 40)
    # Either that model is fetched in pretence, or the Hub of the lab says that it has none: never the profile's model.
    assert "DeepSeek" not in done.text, done.text
    if done.code != 0:
        done.refused("some/model")


def test_weights_alone_on_one_host_are_there_and_proved_after_one_run(outside: Outside):
    """For real: from a folder on the host, so that no Hub is asked. Nothing else tells the sums of such files."""
    inventory = yaml.safe_load((outside.folder / "inventory/hosts.yml").read_text())
    inventory["sparks"]["children"]["lab"]["hosts"].pop("spark2")
    (outside.folder / "inventory/hosts.yml").write_text(yaml.safe_dump(inventory))
    made, commit = "/var/tmp/alone-model", "b" * 40
    cache = "/home/spark/.cache/huggingface/hub/models--alone--model"
    told = {
        "twinspark_weights_repo": "alone/model",
        "twinspark_weights_revision": commit,
        "hf_weights_source_dir": made,
    }
    shell = "ansible.builtin.shell"
    play = {"hosts": "sparks", "become": True, "roles": [{"role": "hf_weights", "vars": told}]}
    before = [{shell: f"mkdir -p {made} && echo '{{}}' >{made}/config.json && echo weights >{made}/model.safetensors"}]
    after = [{shell: f"cat {cache}/snapshots/{commit}/model.safetensors", "register": "seen"}]
    after.append({"ansible.builtin.assert": {"that": "seen.stdout == 'weights'"}})
    try:
        done = outside.run(play | {"pre_tasks": before, "post_tasks": after})
        assert done.code == 0, done.text
    finally:
        gone = [{shell: f"rm -rf {made} {cache} /var/lib/twinspark/proofs/weights.json"}]
        outside.run({"hosts": "sparks", "become": True, "tasks": gone})


def test_a_setting_without_a_default_is_named(outside: Outside):
    outside.play("uv_env").refused("uv_env_path", "uv_env_requirements")


def test_an_unknown_profile_is_named(outside: Outside):
    done = outside.play("preflight", "-e", "twinspark_profile=lab-smolm2")
    done.refused("there is no profiles/lab-smolm2.yml: did you mean lab-smollm2?")


def test_a_misspelt_key_of_a_profile_is_named(outside: Outside):
    profile = outside.folder / "profiles/lab-smollm2.yml"
    profile.write_text(profile.read_text().replace("max_num_seqs:", "max_num_seq:"))
    outside.play("preflight").refused("no role reads the key serve.max_num_seq: did you mean serve.max_num_seqs?")


@pytest.mark.parametrize("hosts", ["sparks", "lab"])
def test_a_missing_group_is_named(outside: Outside, hosts: str):
    inventory = outside.folder / "inventory/hosts.yml"
    inventory.write_text(inventory.read_text().replace("sparks:", "machines:"))
    done = outside.play("preflight", hosts=hosts)
    assert any("o host is in the inventory group 'sparks'" in line for line in done.sentences), done.text
    assert len(set(done.sentences)) == 1
    assert "Traceback" not in done.text
    assert hosts == "sparks" or done.code != 0  # no host of a group that is not there: Ansible itself ends with 0


@pytest.mark.parametrize("role", ["peer_ssh", "hf_weights"])
def test_a_play_without_root_is_told_to_become_it(outside: Outside, role: str):
    outside.play(role, become=False).refused("need root on spark", "add `become: true` to the play")
