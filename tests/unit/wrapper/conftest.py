"""A small checkout with playbooks of its own, run by the real ansible-runner on this machine without ssh."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
GATE = """
from ansible.module_utils.basic import AnsibleModule
AnsibleModule({}).fail_json(msg="weights needs a proof of rdma, and there is none. Fix: twinspark apply --stage rdma")
"""


def touch(path: Path) -> dict[str, Any]:
    """A task that leaves a file named after the host in the folder *path*."""
    return {
        "name": "Leave a mark",
        "ansible.builtin.copy": {"dest": f"{path}/{{{{ inventory_hostname }}}}", "content": "x", "mode": "0600"},
    }


@dataclass
class Site:
    """The checkout, its inventory, and the state folder of one test."""

    project: Path
    inventory: Path
    state: Path

    def play(self, stage: str, *tasks: dict[str, Any], hosts: str = "sparks") -> None:
        """Write playbooks/STAGE.yml and hang it into site.yml."""
        play = {
            "name": f"Do {stage}",
            "hosts": hosts,
            "gather_facts": False,
            "any_errors_fatal": True,
            "vars": {"twinspark_stage": stage},
            "tasks": list(tasks),
        }
        (self.project / f"playbooks/{stage}.yml").write_text(yaml.safe_dump([play], sort_keys=False))
        site = self.project / "site.yml"
        imports = (yaml.safe_load(site.read_text()) or []) + [
            {"name": stage, "ansible.builtin.import_playbook": f"playbooks/{stage}.yml"}
        ]
        site.write_text(yaml.safe_dump(imports, sort_keys=False))

    def hosts(self, **hosts: dict[str, Any]) -> None:
        """Write the inventory."""
        self.inventory.write_text(yaml.safe_dump({"sparks": {"hosts": hosts}}))

    def environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, "TWINSPARK_HOME": str(self.project), "TWINSPARK_STATE_DIR": str(self.state), **more}

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-c", "from twinspark.cli import main; main()", *words]

    def twinspark(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run the command as an owner would, on this inventory."""
        return subprocess.run(
            self.argv(words[0], "-i", str(self.inventory), *words[1:]),
            env=self.environment(**more),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def written(self) -> str:
        """Everything that a run has left on disk."""
        return "\n".join(path.read_text(errors="replace") for path in self.state.rglob("*") if path.is_file())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    project = tmp_path / "project"
    for folder in ("playbooks", "roles", "library", "inventory"):
        (project / folder).mkdir(parents=True)
    (project / "site.yml").write_text("[]\n")
    (project / "library/twinspark_gate.py").write_text(GATE)
    (project / "ansible.cfg").write_text("[defaults]\nlibrary = library\n")
    made = Site(project, project / "inventory/hosts.yml", tmp_path / "state")
    made.hosts(spark1=LOCAL, spark2=LOCAL)
    return made


@pytest.fixture
def proof_files() -> Callable[..., None]:
    """Write proofs that stand on each other: `proof_files(folder, "preflight", "network", network={...})`."""
    from ansible.module_utils.twinspark.proof import proofs
    from ansible.module_utils.twinspark.proof.values import Measurement, Verdict

    def write(folder: Path, *stages: str, **parts: dict[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        made: dict[str, Any] = {}
        kinds = {"verdicts": Verdict, "measurements": Measurement}
        for stage in stages:
            given = {"inputs": {"of": stage}, "verdicts": [{"name": "fine", "ok": True}], **parts.get(stage, {})}
            given |= {part: [kind.from_json(one) for one in given.get(part, [])] for part, kind in kinds.items()}
            before = made.get(proofs.previous_stage(stage) or "")
            made[stage] = proofs.build(
                stage=stage, host="spark1", written="2026-11-23T22:10:00+00:00", predecessor=before, **given
            )
            (folder / f"{stage}.json").write_text(proofs.dump(made[stage]))

    return write
