from pathlib import Path

import pytest
from ansible.module_utils.twinspark.evaluation import environments as env

from tests.support import cases

PYTHON = "/usr/bin/python3.13"


def actual(case: dict, desired: env.Desired) -> env.Actual:
    """The state that a case describes."""
    stamp = {"digest": env.digest(desired), "packages": case["packages"]}
    if case["stamp"] == "none":
        stamp = {}
    elif case["stamp"] != "fresh":
        stamp["packages"] = case["stamp"]
    return env.Actual(case.get("python", PYTHON), case["packages"], stamp, "root")


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases/environments.yaml"))
def test_plan(case):
    desired = env.Desired("/opt/e", tuple(case["requirements"]), PYTHON, uv="/uv")
    todo = env.plan(desired, actual(case, desired))
    assert [reason["name"] for reason in todo.reasons] == case["reasons"]
    assert todo.create == case.get("create", False)
    assert todo.install == bool(case["reasons"])


@pytest.mark.parametrize(
    "text", ["click", "click>=8", "click==8.*", "click @ https://example.org/c.whl", "-r more.txt"]
)
def test_what_is_not_pinned_is_refused(text):
    with pytest.raises(env.RequirementError, match="not pinned"):
        env.parse_requirements([text])


def test_a_requirements_file_s_comments_are_dropped():
    assert env.parse_requirements(["# head", "", "click==8.5.1  # why"]) == ("click==8.5.1",)


def test_a_prediction_drops_what_was_added_by_hand():
    desired = env.Desired("/opt/e", ("click==8.5.1",), PYTHON)
    before = env.Actual(PYTHON, {"click": "8.5.0", "six": "1"}, {"packages": {"click": "8.5.0"}})
    assert env.predicted(desired, before, env.plan(desired, before)) == {"click": "8.5.1"}


def test_the_order_of_the_list_does_not_matter():
    one = env.Desired("/opt/e", ("a==1", "b==2"), PYTHON)
    assert env.digest(one) == env.digest(env.Desired("/opt/e", ("b==2", "a==1"), PYTHON))


def test_folders_to_packages():
    names = ["typing_extensions-4.16.0.dist-info", "zope.interface-7.2.dist-info"]
    assert env.packages_of(names) == {"typing-extensions": "4.16.0", "zope-interface": "7.2"}
