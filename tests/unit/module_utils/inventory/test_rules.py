"""The rules of an inventory: cases/rules.yaml."""

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.twinspark.inventory.rules import NEEDED, Inventory, Known, problems

from tests.support import cases

FLAG = "vllm_serve_flag_max_num_seqs"
KNOWN = Known(
    variables=frozenset({"hf_weights_repo", "hf_weights_rehash", "vllm_serve_port", "twinspark_profile", FLAG}),
    roles=frozenset({"hf_weights", "vllm_serve"}),
    profiles=("deepseek-v4-flash", "lab-smollm2"),
    profile_paths=frozenset({*NEEDED, "name", "serve.env", "serve.max_num_seqs", "serve.canary.prompt"}),
)
RAILS = [
    {"name": "rail1", "interface": "enp1s0f1np1", "hca": "rocep1s0f1", "subnet": "192.168.177.0/24"},
    {"name": "rail2", "interface": "enP2p1s0f1np1", "hca": "roceP2p1s0f1", "subnet": "192.168.178.0/24"},
]
SOUND: dict[str, Any] = {
    "addresses": {"spark1": "10.0.0.1", "spark2": "10.0.0.2"},
    "rails": {"spark1": RAILS, "spark2": RAILS},
    "variables": ["twinspark_profile", "ansible_host", "hf_weights_repo"],
    "profile": "deepseek-v4-flash",
    "profile_content": {
        "name": "x",
        "weights": {"repo": "a/b", "revision": "1" * 40},
        "image": {"tag": "t", "commit": "2" * 40},
        "serve": {"served_name": "s"},
    },
}


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases/rules.yaml"))
def test_problems(case: dict[str, Any]) -> None:
    given = {key: value for key, value in case.items() if key not in {"name", "problems"}}
    assert problems(Inventory(**SOUND | given), KNOWN) == case["problems"]
