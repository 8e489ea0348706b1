"""Text of others: what the readers of JSON, YAML and numbers make of anything at all."""

import json
from contextlib import suppress

import pytest
import yaml
from ansible.module_utils.twinspark.proof import foreign
from ansible.module_utils.twinspark.proof.foreign import ForeignError
from hypothesis import given, settings
from hypothesis import strategies as st

# 528 bytes, two million values.
LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdef", "bcdefg", strict=True)
)

MERGES = "a: &a {k: v}\n" + "".join(
    f"{name}: &{name} {{<<: [{','.join([f'*{before}'] * 9)}]}}\n"
    for before, name in zip("abcdef", "bcdefg", strict=True)
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[" * 100_000, "nested too deep"),
        ('{"a":' * 100_000, "nested too deep"),
        ("9" * 5000, "digits"),
        ("{", "Expecting"),
        (b"\xff", "decode"),
    ],
)
def test_json_that_can_t_be_read_raises_the_one_error(text, problem):
    with pytest.raises(ForeignError, match=problem):
        foreign.json_of(text)


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        (LAUGHS, "more than 100000 values", 6),
        (MERGES, "more than 100000 values", 6),
        ("&a [*a]", "repeats what it stands in", 1),
        ("a: &b\n  c: *b\n", "repeats what it stands in", 2),
        ("a: *b\n", "undefined alias", 1),
        ("[" * 100_000, "levels deep", 1),
        ("- " * 100_000, "levels deep", 1),
        ("{a: " * 100_000, "levels deep", 1),
        ("x" * (foreign.LONGEST_YAML + 1), "longer than 1 MiB", 0),
        ("a: 1" + ":1" * 200_000, "a number of 400001 characters", 1),
        ("a: " + "9" * 5000, "a number of 5000 characters", 1),
        ("a:\n  b: !!int '" + "1" * 5000 + "'", "a number of 5000 characters", 2),
        ("a: !!int ''", "a value in it is none", 0),
        ("a: !!bool x", "a value in it is none", 0),
        ("a: 2026-02-31", "a value in it is none", 0),
        ("a: !!timestamp x", "a value in it is none", 0),
        ("{[a]: b}", "unhashable", 1),
        ("a: [b\n", "did not find", 2),
        ("a: !thing b", "could not determine", 1),
        ("\x00", "it is not YAML|special characters", None),
    ],
)
def test_yaml_that_can_t_be_read_raises_the_one_error_and_says_where(text, problem, line):
    with pytest.raises(ForeignError, match=problem) as refusal:
        foreign.yaml_of(text)
    assert line in (None, refusal.value.line)


@pytest.mark.parametrize(
    "text",
    [
        "", "a: 1", "a: [&x 1, *x, *x]", "a: &b {c: d}\ne:\n  <<: *b\n", "t: 1:30:00", "- 2026-02-28", "x: 'A'",
        "a: b # c",
        "k: " + "word " * 1000, 'k: "' + "1" * 5000 + '"',
    ],
)  # fmt: skip
def test_yaml_that_can_be_read_is_what_pyyaml_makes_of_it(text):
    assert foreign.yaml_of(text) == yaml.safe_load(text)


def test_the_first_laughs_are_still_few_enough():
    assert len(foreign.yaml_of("".join(LAUGHS.splitlines(keepends=True)[:4]))) == 4


ANY = st.one_of(
    st.text(),
    st.lists(st.sampled_from(["&a ", "*a", "<<: ", "[", "]", "{", "}", ": ", "- ", "\n", "  ", "a", "1", "!!int ", "'",
                              '"', "|", "0x", "_", "!!bool ", "!!set ", "2026-01-01", "?", ","])).map("".join),
)  # fmt: skip


@settings(deadline=None)
@given(ANY)
def test_any_text_is_read_or_raises_the_one_error(text):
    for reader in (foreign.json_of, foreign.yaml_of):
        with suppress(ForeignError):
            reader(text)
    foreign.whole(text)
    foreign.decimal(text)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_what_was_written_is_read_back(value):
    assert foreign.json_of(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "whole", "decimal"),
    [
        ("12", 12, 12.0), ("0", 0, 0.0), ("12.5", None, 12.5), ("9" * 5000, None, None), ("\u00b2", None, None),
        ("\u0663", None, None), ("1.2.3", None, None), ("", None, None), (" 1", None, None), ("-1", None, None),
        (None, None, None), (1, None, None), ("1_0", None, None), ("1\n", None, None),
    ],
)  # fmt: skip
def test_numbers_are_decimal_digits_and_not_too_many(text, whole, decimal):
    assert (foreign.whole(text), foreign.decimal(text)) == (whole, decimal)


def test_lines_are_cut():
    assert list(foreign.lines_of("abc\nd\n\nefgh", 2)) == ["ab", "d", "", "ef"]
