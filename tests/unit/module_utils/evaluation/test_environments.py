"""Lists of packages, and what uv 0.13.9 and pip 23.2.1 print about a change."""

import json

import pytest
from ansible.module_utils.twinspark.evaluation import environments as env

UV = env.Desired("/opt/e", ("click==8.3.1",), "/usr/bin/python3.13", uv="/uv")
PIP = env.Desired("/opt/uv", ("uv==0.13.9",), "/usr/bin/python3.13", installer="pip")


@pytest.mark.parametrize(
    "text", ["click", "click>=8", "click==8.*", "click @ https://example.org/c.whl", "-r more.txt"]
)
def test_what_is_not_pinned_is_refused(text):
    with pytest.raises(env.RequirementError, match="not pinned"):
        env.parse_requirements([text])


def test_a_requirements_file_s_comments_are_dropped():
    assert env.parse_requirements(["# head", "", "click==8.5.1  # why"]) == ("click==8.5.1",)


@pytest.mark.parametrize(
    ("desired", "look", "argv"),
    [
        (
            UV,
            ("--check",),
            "/uv pip sync --quiet --output-format json --allow-empty-requirements --check --python /opt/e/bin/python -",
        ),
        (
            PIP,
            (),
            "/opt/uv/bin/python -m pip install --quiet --disable-pip-version-check --report - -r /dev/stdin",
        ),
    ],
    ids=["uv", "pip"],
)
def test_the_command(desired, look, argv):
    assert " ".join(env.sync_argv(desired, *look)) == argv


# Recorded: `uv pip sync --dry-run --output-format json` on an environment with click 8.3.0 and idna.
SYNC = """{
  "schema": {"version": "preview"},
  "changes": [
    {"name": "click", "version": "8.3.0", "action": "uninstalled"},
    {"name": "click", "version": "8.3.1", "action": "installed"},
    {"name": "idna", "version": "3.10", "action": "uninstalled"}
  ],
  "dry_run": true
}"""


def test_what_uv_would_change():
    assert env.changes(UV, SYNC) == [
        {"name": "click", "current": "8.3.0", "desired": "8.3.1"},
        {"name": "idna", "current": "3.10", "desired": ""},
    ]
    assert env.changes(UV, '{"schema": {"version": "preview"}, "changes": [], "dry_run": true}') == []


def test_what_pip_would_change():
    report = {"version": "1", "install": [{"metadata": {"name": "uv", "version": "0.13.9"}}]}
    assert env.changes(PIP, json.dumps(report)) == [{"name": "uv", "current": "", "desired": "0.13.9"}]


@pytest.mark.parametrize("desired", [UV, PIP])
def test_a_command_that_failed_told_nothing(desired):
    assert env.changes(desired, "") is None
