"""Wrong types of settings, in the words of this project: told early by `wrong`, and what Ansible tells by `plain`."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import DEFAULT_TYPE_VALIDATORS as VALIDATORS
from ansible.module_utils.twinspark.inventory.settings import Spec, defaults_alone, plain, wrong

ROOT = Path(__file__).resolve().parents[4]
ENTRY = {
    "what": {"type": "str", "required": True, "choices": ["kernel", "driver"]},
    "blocks": {"type": "bool"},
}
SPECS: dict[str, dict[str, Any]] = {
    "gbit": {"type": "float"},
    "seconds": {"type": "int"},
    "quiet": {"type": "bool"},
    "ipc": {"type": "str", "choices": ["host", "private"]},
    "env": {"type": "dict"},
    "bad": {"type": "list", "elements": "dict", "options": ENTRY},
    "ports": {"type": "list", "elements": "int"},
    "tests": {"type": "list", "elements": "str", "choices": ["write_bw", "write_lat"]},
    "anything": {"type": "raw"},
    "share": {"type": "float", "description": ["A share.", "Range: 0 to 1."]},
    "many": {"type": "list", "elements": "int", "description": ["Counts.", "Range: 1 or more."]},
}
REFUSED = [
    ("gbit", "many", "gbit must be a number, is 'many'", "gbit must be a number, is a text"),
    ("gbit", [1], "gbit must be a number, is a list", None),
    ("seconds", 1.5, "seconds must be a whole number, is 1.5", "seconds must be a whole number, is a number"),
    ("quiet", "maybe", "quiet must be true or false, is 'maybe'", "quiet must be true or false, is a text"),
    ("env", "hf_secret", "env must be a mapping, is a text", None),
    ("env", [1], "env must be a mapping, is a list", None),
    ("ipc", "hots", "ipc must be one of host, private, is 'hots'",
     "value of ipc must be one of: host, private, got: hots"),
    ("bad", "7.0", "bad, entry 1, must be a mapping, is a text",
     "bad must have entries that are each a mapping, is a text"),
    ("bad", {"what": "kernel"}, "bad must be a list, is a mapping", None),
    ("bad", [{"blocks": False}], "bad, entry 1 lacks what", "missing required arguments: what found in bad"),
    ("bad", [{"what": "kernal"}], "bad, entry 1: what must be one of kernel, driver, is 'kernal'",
     "value of what must be one of: kernel, driver, got: kernal found in bad"),
    ("bad", [{"what": "driver", "blocks": "maybe"}], "bad, entry 1: blocks must be true or false, is 'maybe'",
     "blocks in bad must be true or false, is a text"),
    ("bad", [{"what": "driver", "block": True}], "bad, entry 1 has a key block: did you mean blocks?",
     "bad has a key block: did you mean blocks?"),
    ("bad", [{"what": "driver", "zz": 1}], "bad, entry 1 has a key zz, but only what, blocks are read",
     "bad has a key zz, but only blocks, what are read"),
    ("ports", ["x"], "ports, entry 1, must be a whole number, is 'x'",
     "ports must have entries that are each a whole number, is a text"),
    ("tests", ["write_bw", "wrote"], "tests, entry 2, must be one of write_bw, write_lat, is 'wrote'",
     "value of tests must be one or more of: write_bw, write_lat. Got no match for: wrote"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "early", "late"), REFUSED)
def test_what_ansible_refuses_is_refused_in_plain_words(name: str, value: Any, early: str, late: str | None) -> None:
    assert list(wrong(name, value, Spec.from_json(SPECS[name]), VALIDATORS)) == [early]
    told = ArgumentSpecValidator({name: SPECS[name]}).validate({name: value}).error_messages
    assert plain(told) == [late or early]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gbit", 90), ("gbit", "90.5"), ("gbit", None), ("seconds", "30"), ("quiet", "yes"), ("quiet", 0), ("env", {}),
        ("env", "a=1"), ("ipc", "host"), ("bad", []), ("bad", [{"what": "kernel", "blocks": "no"}]), ("ports", "1,2"),
        ("tests", "write_bw"), ("anything", {"a": [1]}),
    ],
)  # fmt: skip
def test_what_ansible_takes_is_taken(name: str, value: Any) -> None:
    assert list(wrong(name, value, Spec.from_json(SPECS[name]), VALIDATORS)) == []
    assert ArgumentSpecValidator({name: SPECS[name]}).validate({name: value}).error_messages == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("share", 1, []),
        ("share", -5, ["share must be from 0 to 1, is -5"]),
        ("share", "1.5", ["share must be from 0 to 1, is '1.5'"]),
        ("share", float("nan"), ["share must be from 0 to 1, is nan"]),
        ("share", None, []),
        ("many", [3, 0], ["many, entry 2, must be at least 1, is 0"]),
    ],
)
def test_a_number_out_of_its_range_is_told(name: str, value: Any, said: list[str]) -> None:
    """Which Ansible's own specs can't express."""
    assert list(wrong(name, value, Spec.from_json(SPECS[name]), VALIDATORS)) == said


def test_an_inventory_that_sets_nothing_is_remarked_on() -> None:
    settings = {"twinspark_profile", "__x_vars"}
    assert "the profile p, and rails" in defaults_alone(["ansible_host", "__x_vars"], "p", settings, weights=False)
    assert defaults_alone(["ansible_host", "twinspark_profile"], "p", settings, weights=False) == ""


def test_a_profile_that_nobody_names_is_told_unless_its_weights_do_not_count() -> None:
    settings = {"twinspark_profile", "twinspark_rails"}
    said = defaults_alone(["twinspark_rails"], "p", settings, weights=False)
    assert said == "twinspark_profile is set nowhere, so its default holds: the profile p"
    assert defaults_alone(["twinspark_rails"], "p", settings, weights=True) == ""
    assert "hold: rails in" in defaults_alone(["ansible_host"], "p", settings, weights=True)


def test_a_sentence_that_is_not_known_stays_as_it_is() -> None:
    assert plain(["something else"]) == ["something else"]


@pytest.mark.parametrize("role", sorted(path.parents[1].name for path in ROOT.glob("roles/*/defaults/main.yml")))
def test_the_roles_own_defaults_are_of_their_types(role: str) -> None:
    defaults = yaml.safe_load((ROOT / f"roles/{role}/defaults/main.yml").read_text()) or {}
    entries = yaml.safe_load((ROOT / f"roles/{role}/meta/argument_specs.yml").read_text())["argument_specs"]
    options = entries["settings" if role == "common" else "main"]["options"]
    literal = {name: value for name, value in defaults.items() if "{{" not in str(value)}
    assert [
        said for name in literal for said in wrong(name, literal[name], Spec.from_json(options[name]), VALIDATORS)
    ] == []
