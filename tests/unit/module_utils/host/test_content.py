"""What the content's own files say that there is."""

from pathlib import Path

import yaml
from ansible.module_utils.twinspark_host.content import known_names, specs

ROOT = Path(__file__).resolve().parents[4]


def test_names_come_from_specs_defaults_and_vars(tmp_path: Path) -> None:
    role = tmp_path / "roles/hf_weights"
    for name, content in {
        "meta/argument_specs.yml": {"argument_specs": {"main": {"options": {"hf_weights_repo": {}}}, "verify": None}},
        "defaults/main.yml": {"hf_weights_repo": "x", "hf_weights_streams": 4},
        "vars/main.yml": {"__hf_weights_inputs": {}},
    }.items():
        (role / name).parent.mkdir(parents=True)
        (role / name).write_text(yaml.safe_dump(content))
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/one.yml").write_text("")
    known = known_names(tmp_path, (str(tmp_path / "profiles"),))
    assert {"hf_weights_repo", "hf_weights_streams", "__hf_weights_inputs"} <= known.variables
    assert known.roles == {"hf_weights"}
    assert known.profiles == ("one",)


def test_every_variable_of_this_checkout_is_known_to_it() -> None:
    known = known_names(ROOT, (str(ROOT / "profiles"),))
    for path in [*ROOT.glob("roles/*/defaults/main.yml"), *ROOT.glob("group_vars/all/*.yml")]:
        assert set(yaml.safe_load(path.read_text()) or {}) <= known.variables, path


def test_every_setting_has_its_type() -> None:
    found = specs(ROOT)
    assert found["rdma_verify_rail_gbit_s"].type == "float"
    assert found["preflight_known_bad"].options["blocks"].type == "bool"
    assert "common_gate" in found
