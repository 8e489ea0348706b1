"""The lab's inventory, as Ansible will read it."""

from pathlib import Path

import jinja2
import pytest
import yaml

from twinspark_lab import access, inventory
from twinspark_lab.hosts import Placement
from twinspark_lab.names import Lab

PLACES = [Placement("spark1", "10.213.0.11", "i"), Placement("spark2", "10.213.0.12", "i")]


def test_hosts_are_in_rank_order_with_pinned_keys(monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/s")
    text = inventory.hosts_yaml(Lab("x1"), PLACES)
    group = yaml.safe_load(text)["sparks"]["children"]["lab"]
    assert list(group["hosts"]) == ["spark1", "spark2"]
    assert group["hosts"]["spark2"] == {"ansible_host": "10.213.0.12"}
    options = group["vars"]["ansible_ssh_common_args"]
    assert "UserKnownHostsFile=/s/twinspark/lab/x1/known_hosts" in options
    assert "StrictHostKeyChecking=yes" in options
    assert group["vars"]["ansible_ssh_private_key_file"] == "/s/twinspark/lab/x1/id_ed25519"


def test_the_labs_values_are_filled_in_and_ansibles_are_left_alone():
    text = inventory.lab_yaml("endpoint: << hub >>\nlater: '{{ inventory_hostname }}'\n", {"hub": "http://h"})
    assert yaml.safe_load(text) == {"endpoint": "http://h", "later": "{{ inventory_hostname }}"}


def test_a_misspelt_name_in_the_template_is_an_error():
    with pytest.raises(jinja2.UndefinedError):
        inventory.lab_yaml("a: << hubb >>", {"hub": ""})


def test_the_shipped_template_renders_without_services(root: Path):
    template = (root / "lab" / "inventory" / "lab.yml.j2").read_text()
    text = inventory.lab_yaml(template, {"lab": "x1", "hub": "", "git": ""})
    assert yaml.safe_load(text)["twinspark_profile"] == "lab-smollm2"
    assert "://" not in text


def test_the_shipped_template_names_the_services(root: Path):
    template = (root / "lab" / "inventory" / "lab.yml.j2").read_text()
    text = inventory.lab_yaml(template, {"lab": "x1", "hub": "http://h:8080", "git": "git://h"})
    assert "http://h:8080" in str(yaml.safe_load(text).values())
    assert "git://h/engine.git" in str(yaml.safe_load(text).values())


@pytest.mark.parametrize("template", ["lab.yml.j2", "vm.yml.j2"])
def test_a_shipped_template_sets_what_a_role_knows(root: Path, template: str):
    text = inventory.lab_yaml((root / "lab/inventory" / template).read_text(), {"lab": "x1", "hub": "h", "git": "g"})
    known: set[str] = set()
    for defaults in (root / "roles").glob("*/defaults/main.yml"):
        known |= set(yaml.safe_load(defaults.read_text()) or {})
    assert {name for name in yaml.safe_load(text) if not name.startswith("twinspark_")} <= known


def test_the_vm_hosts_are_measured_with_the_article_s_options_and_others_after_them(root: Path):
    ours = yaml.safe_load(inventory.lab_yaml((root / "lab/inventory/vm.yml.j2").read_text(), {"lab": "x1"}))
    article = yaml.safe_load((root / "roles/rdma_verify/defaults/main.yml").read_text())["rdma_verify_connection"]
    assert ours["rdma_verify_connection"][: len(article)] == article


def test_known_hosts_pin_address_and_name():
    text = access.known_hosts_text({"spark1": ("10.213.0.11", "ssh-ed25519 AAAA root@spark1")})
    assert text == "10.213.0.11,spark1 ssh-ed25519 AAAA\n"
