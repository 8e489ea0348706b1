"""The differences between what runs and what should run, by their names."""

import pytest
from ansible.module_utils.twinspark.serving.changes import Change, changes, flags

ARGV = ["vllm", "serve", "/m", "--max-num-seqs", "2", "--trust-remote-code", "--port", "8000"]
ENV = {"A": "1"}


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        (["vllm", "serve", "/m"], {"command": "vllm serve /m"}),
        (["x", "--a", "1", "--b"], {"command": "x", "--a": "1", "--b": "set"}),
        (["x", "--a=1"], {"command": "x", "--a": "1"}),
        (["x", "--a", "1", "2"], {"command": "x", "--a": "1 2"}),
        (["x", "--a", "1", "--a", "2"], {"command": "x", "--a": "1 2"}),
        (["x", "--a", "-1"], {"command": "x", "--a": "-1"}),
    ],
)
def test_an_argv_is_read_by_its_flags(argv, found):
    assert flags(argv) == found


@pytest.mark.parametrize(
    ("argv", "env", "found"),
    [
        (ARGV, ["A=1", "PATH=/bin"], []),
        ([*ARGV[:4], "8", *ARGV[5:]], ["A=1"], [Change("--max-num-seqs", "8", "2")]),
        (
            [word for word in ARGV if word != "--trust-remote-code"],
            ["A=1"],
            [Change("--trust-remote-code", "absent", "set")],
        ),
        ([*ARGV, "--seed", "3"], ["A=1"], [Change("--seed", "3", "absent")]),
        (["vllm", "serve", "/old", *ARGV[3:]], ["A=1"], [Change("command", "vllm serve /old", "vllm serve /m")]),
        (ARGV, ["A=2=3"], [Change("A", "2=3", "1")]),
        (ARGV, [], [Change("A", "absent", "1")]),
    ],
)
def test_what_differs_is_named(argv, env, found):
    assert changes(argv, env, ARGV, ENV) == found


def test_a_secret_s_value_is_in_no_reason():
    assert changes(ARGV, ["A=1", "HF_TOKEN=old"], ARGV, {**ENV, "HF_TOKEN": "new"}) == [
        Change("HF_TOKEN", "hidden", "hidden")
    ]
