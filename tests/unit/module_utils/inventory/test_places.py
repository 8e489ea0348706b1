"""What of a site has no effect, and where a variable is set."""

from dataclasses import replace

import pytest
from ansible.module_utils.twinspark.inventory.places import File, Site, remarks, told

SETTINGS = frozenset({"twinspark_rails", "twinspark_rail_mtu", "twinspark_profile"})
GROUPS = ("all", "sparks", "lab")
GENERAL = File("group", "all", "group_vars/all/settings.yml", {"twinspark_rails": [1], "twinspark_rail_mtu": 9000})
SITE = Site(
    groups={"spark1": ("all", "sparks", "lab"), "spark2": ("all", "sparks")},
    inventory="inventory/hosts.yml",
    files=(GENERAL,),
    present={"group": [("all", GENERAL.path)]},
    all_groups=GROUPS,
    all_hosts=("spark1", "spark2"),
)


def test_a_site_without_fault() -> None:
    assert remarks(SITE, SETTINGS) == []


def test_all_hosts_with_values_of_their_own() -> None:
    site = replace(SITE, hosts={"spark1": {"twinspark_rails": [2]}, "spark2": {"twinspark_rails": [3]}})
    assert remarks(site, SETTINGS) == [
        "twinspark_rails in group_vars/all/settings.yml has no effect: each host has its own under its name in "
        "inventory/hosts.yml, which wins. Change it there, or remove it there"
    ]


@pytest.mark.parametrize(
    "hosts",
    [
        {"spark1": {"twinspark_rails": [2]}},
        {"spark1": {"twinspark_rails": [1]}, "spark2": {"twinspark_rails": [2]}},
        {"spark1": {"rack": 1}, "spark2": {"rack": 1}},
    ],
    ids=["one host set apart", "one of them as in group_vars", "somebody else's"],
)
def test_what_an_owner_may_do_to_hosts(hosts: dict[str, dict[str, object]]) -> None:
    assert remarks(replace(SITE, hosts=hosts), SETTINGS) == []


def test_the_vars_of_a_group_lose_against_group_vars() -> None:
    site = replace(
        SITE, group_variables={"lab": {"twinspark_rail_mtu": 1500, "twinspark_profile": "x", "twinspark_rails": [1]}}
    )
    assert remarks(site, SETTINGS) == [
        "twinspark_rail_mtu under vars: of the group lab in inventory/hosts.yml has no effect: "
        "group_vars/all/settings.yml sets it, too, and wins. Set it there, or for a host under its name in the "
        "inventory"
    ]


def test_group_vars_of_a_group_without_the_host_do_not_win() -> None:
    other = File("group", "lab", "group_vars/lab.yml", {"twinspark_profile": "y"})
    site = replace(SITE, files=(other,), present={}, group_variables={"spares": {"twinspark_profile": "x"}})
    assert remarks(site, SETTINGS) == []


@pytest.mark.parametrize(
    ("kind", "entry", "path", "sentence"),
    [
        ("group", "spraks.yml", "group_vars/spraks.yml",
         "group_vars/spraks.yml is not read, for the inventory has no group spraks: did you mean sparks?"),
        ("group", "rack", "group_vars/rack/a.yml",
         "group_vars/rack is not read, for the inventory has no group rack: there are all, lab, sparks"),
        ("host", "spark9.yml", "host_vars/spark9.yml",
         "host_vars/spark9.yml is not read, for the inventory has no host spark9: did you mean spark2?"),
        ("group", "all", "group_vars/all/settings.yml.bak",
         "group_vars/all/settings.yml.bak is not read: give it a name that ends in .yml, .yaml, .json, or that has "
         "no dot"),
        ("group", "all.yml", "group_vars/all.yml",
         "group_vars/all.yml is not read, for Ansible reads all instead, which is beside it: put both into one"),
    ],
)  # fmt: skip
def test_files_that_are_not_read(kind: str, entry: str, path: str, sentence: str) -> None:
    present = {"group": [("all", GENERAL.path)], "host": []}
    present[kind].append((entry, path))
    assert remarks(replace(SITE, present=present), SETTINGS) == [sentence]


def test_what_people_leave_for_each_other_is_no_such_file() -> None:
    present = {
        "group": [
            ("all", GENERAL.path), ("README.md", "group_vars/README.md"), ("all", "group_vars/all/README.md")
        ]
    }  # fmt: skip
    assert remarks(replace(SITE, present=present), SETTINGS) == []


def test_a_host_whose_name_has_dots() -> None:
    file = File("host", "spark1.local", "host_vars/spark1.local")
    site = Site(
        {"spark1.local": ("all",)}, files=(file,), all_hosts=("spark1.local",),
        present={"host": [("spark1.local", file.path)]},
    )  # fmt: skip
    assert remarks(site, SETTINGS) == []


def test_where_a_variable_is_set() -> None:
    site = replace(SITE, hosts={"spark1": {"twinspark_rails": [2]}})
    assert told(site.where("twinspark_rails")) == " (set in inventory/hosts.yml and group_vars/all/settings.yml)"
    assert told(site.where("twinspark_profile")) == ""
    assert site.names() == ["twinspark_rail_mtu", "twinspark_rails"]
