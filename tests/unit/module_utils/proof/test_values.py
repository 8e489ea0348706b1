"""The values that stages give each other: what a machine can compare, what people read, and what is refused."""

import json
from pathlib import Path

import pytest
from ansible.module_utils.twinspark.proof.proofs import digest, judge
from ansible.module_utils.twinspark.proof.values import (
    Measurement,
    Proof,
    Requirement,
    ShapeError,
    Verdict,
    capital,
    paragraph,
    sentence,
    sentences,
)
from hypothesis import given
from hypothesis import strategies as st

NAN, INF = float("nan"), float("inf")
# Recorded by a whole run of the version before, its verdicts and measurements cut down to one of a kind.
BEFORE = json.loads((Path(__file__).parent / "cases/schema1.json").read_text())
FINITE = st.floats(allow_nan=False, allow_infinity=False) | st.integers()
JSON = st.none() | st.booleans() | FINITE | st.text()


@pytest.mark.parametrize(
    ("operator", "value", "measured", "holds"),
    [
        (">=", 90, 90.0, True), (">=", 90, 89.999, False), ("<=", 3, 3, True),
        (">", 0, 0, False), ("<", 0.25, 0.1, True),
        (">=", 90, NAN, False), (">=", 90, INF, False), ("<=", 3, -INF, False), (">=", 0, True, False),
        (">=", 90, None, False), (">=", 90, "nothing", False), ("<", 90, [1], False),
        ("==", 4, 4, True), ("==", 4, 4.0, True), ("==", 1, True, False),
        ("==", "IB", "IB", True), ("==", "x", None, False),
        ("!=", "latest", "0.1", True), ("!=", 1, 1, False), ("!=", 1, NAN, False), ("!=", "x", None, False),
        ("in", ["IB", "IBext"], "IB", True), ("in", [1, 2], True, False), ("in", ["IB"], "Socket", False),
        ("contains", ["a", "b"], ["b", "a", "c"], True),
        ("contains", ["a", "b"], ["a"], False), ("contains", "IB", "NET/IB", True),
        ("contains", "IB", 7, False), ("words", "the same on every host", "1500", None),
    ],
)  # fmt: skip
def test_a_requirement_is_compared_by_a_machine(operator, value, measured, holds):
    assert Requirement(operator, value).holds(measured) is holds


@pytest.mark.parametrize(
    ("requirement", "text"),
    [
        (Requirement(">=", 90.0, "Gb/s"), "at least 90 Gb/s"),
        (Requirement("<=", 3, "us"), "at most 3 us"),
        (Requirement("<", 0.25, "GiB"), "less than 0.25 GiB"),
        (Requirement("==", 90), "90"),
        (Requirement("!=", "5.15"), "not 5.15"),
        (Requirement("in", ["IB", "IBext"]), "one of IB, IBext"),
        (Requirement("words", "the same on every host"), "the same on every host"),
    ],
)
def test_a_requirement_reads_as_people_say_it(requirement, text):
    assert str(requirement) == text


@pytest.mark.parametrize(
    ("operator", "value", "said"),
    [("~", 1, "operator must be"), (">=", NAN, "finite"), (">=", "90", "finite"),
        ("<", True, "finite"), ("in", "IB", "list")],
)  # fmt: skip
def test_a_requirement_that_can_not_be_compared_is_refused(operator, value, said):
    with pytest.raises(ValueError, match=said):
        Requirement(operator, value)


@given(st.sampled_from([">=", "<=", ">", "<"]), FINITE, JSON)
def test_a_verdict_never_says_other_than_its_requirement(operator, value, measured):
    required = Requirement(operator, value)
    verdict = Verdict.of("it", measured, required)
    assert verdict.ok is required.holds(measured)
    with pytest.raises(ValueError, match="required is"):
        Verdict("it", not verdict.ok, measured, required)


def test_a_verdict_that_is_ok_has_no_reason_and_no_fix():
    floor = Requirement(">=", 90, "Gb/s")
    good = Verdict.of("bandwidth", 107.3, floor, reason="slow", fix="reboot", cause="slow")
    assert (good.ok, good.reason, good.fix, good.cause) == (True, "", "", "")
    bad = Verdict.of("bandwidth", 13.1, floor, reason="slow", fix="reboot", cause="slow")
    assert sentence(bad) == "bandwidth: measured 13.1 Gb/s, required at least 90 Gb/s. Slow. Fix: reboot."


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("the rail is slower", "The rail is slower"),
        ("systemd sees no time source", "Systemd sees no time source"),
        ("stalled: no message came", "Stalled: no message came"),
        ("don't", "Don't"),
        ("rail1 would not be used", "rail1 would not be used"),
        ("nvidia-smi fails", "nvidia-smi fails"),
        ("port_down: no link", "port_down: no link"),
        ("`ip` is missing", "`ip` is missing"),
        ("", ""),
    ],
)
def test_a_reason_after_a_full_stop_has_a_capital_but_a_name_keeps_its_own_form(reason, said):
    assert capital(reason) == said


def test_a_fix_that_several_share_is_said_once_whatever_their_reasons_are():
    failed = [
        Verdict(f"rail{number}", False, reason=reason, fix="reboot")
        for number, reason in ((1, "this is slow"), (2, "this is slow"), (3, "there is no link"), (4, "there is none"))
    ]
    other = Verdict("clock", False, reason="it is late", fix="set it")
    assert sentences([*failed, other]) == [
        "rail1; rail2. This is slow. rail3. There is no link. rail4. There is none. Fix: reboot.",
        "clock. It is late. Fix: set it.",
    ]
    assert paragraph(["it is late", "", "is it?", "rail1 is"]) == "it is late. Is it? rail1 is."


def test_a_rounded_figure_never_contradicts_the_verdict():
    floor = Requirement(">=", 90, "Gb/s")
    assert Verdict.of("it", 89.999, floor, digits=1).measured == 89.999
    assert Verdict.of("it", 91.1234, floor, digits=1).measured == 91.1


def test_what_only_the_judge_can_tell_is_not_computed():
    with pytest.raises(ValueError, match="only the judge"):
        Verdict.of("MTU", "9000", Requirement("words", "the same on every host"))


def test_units_that_differ_are_not_compared():
    with pytest.raises(ValueError, match="measured in Gb/s, but required in GB/s"):
        Verdict("bandwidth", True, 100, Requirement(">=", 90, "GB/s"), "Gb/s")


@pytest.mark.parametrize("value", [NAN, INF, True, "12"])
def test_a_measurement_is_a_finite_number(value):
    with pytest.raises(ValueError, match="finite"):
        Measurement("rate", value, "B/s")


def test_what_was_not_measured_is_null_and_never_zero():
    assert Measurement("rate", None, "B/s", "rail1").to_json() == {
        "name": "rate", "value": None, "unit": "B/s", "subject": "rail1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ({"name": "x"}, "verdict x: ok is missing"),
        ({"ok": True}, "verdict (without a name): name is missing"),
        ({"name": "x", "ok": "yes"}, "verdict x: ok must be true or false, not 'yes'"),
        ({"name": "x", "ok": True, "required": {"value": 90}}, "verdict x: required: operator is missing"),
        (
            {"name": "x", "ok": True, "measured": 80, "required": {"operator": ">=", "value": 90}},
            "verdict x: it says ok, but 80 was measured, and required is at least 90",
        ),
        ([1], "verdict must be a mapping, not [1]"),
    ],
)
def test_a_wrong_part_is_named(text, said):
    with pytest.raises(ShapeError) as refused:
        Verdict.from_json(text)
    assert str(refused.value) == said


REQUIREMENTS = st.builds(Requirement, st.sampled_from([">=", "<", "==", "!="]), FINITE, st.text())


@given(st.builds(Verdict.of, st.text(min_size=1), JSON, REQUIREMENTS))
def test_a_verdict_comes_back_from_json_as_it_was(verdict):
    assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict


@given(st.recursive(JSON, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_json_is_a_verdict_or_refused_in_words(document):
    for kind in (Verdict, Measurement, Proof):
        with pytest.raises(ShapeError):
            kind.from_json(document)


@pytest.mark.parametrize("stage", sorted(BEFORE))
def test_a_proof_of_the_version_before_is_read_and_holds(stage):
    proof = Proof.from_json(BEFORE[stage])
    assert proof.passed
    assert digest(proof.inputs) == proof.inputs_digest == BEFORE[stage]["inputs_digest"]
    known = [(verdict["name"], verdict["ok"], verdict["measured"]) for verdict in BEFORE[stage]["verdicts"]]
    assert [(verdict.name, verdict.ok, verdict.measured) for verdict in proof.verdicts] == known
    assert (
        judge(proof, inputs=BEFORE[stage]["inputs"]).reason
        == f"the {proof.predecessor.stage} proof that it stood on is gone"
    )
    assert proof.to_json()["schema"] == 2
    assert Proof.from_json(json.loads(json.dumps(proof.to_json()))) == proof


def test_the_texts_of_the_version_before_become_requirements():
    required = {verdict.name: verdict.required for verdict in Proof.from_json(BEFORE["rdma"]).verdicts}
    assert required["write_bw rail1 spark1 -> spark2"] == Requirement(">=", 90.0, "Gb/s")
    assert required["write_lat rail1 spark1 -> spark2, typical"] == Requirement("<=", 3, "us")
    assert required["RoCE MTU of rail1"] == Requirement("words", "the same on every host")
    assert required["PCIe lanes of rocep1s0f1 on spark1"] == Requirement("words", 4)


def test_the_cure_of_the_version_before_is_the_fix():
    first = Proof.from_json(BEFORE["evaluate"]).verdicts[0]
    assert first.fix.startswith("see the log with `inspect view`")


def test_a_judge_of_the_version_before_who_knew_more_than_the_figure_is_believed():
    said = {
        "name": "memory",
        "ok": True,
        "measured": 4,
        "required": "at least 20",
        "unit": "GiB",
        "reason": "our own service runs",
    }
    assert Verdict.from_json(said).required == Requirement("words", "at least 20", "GiB")


@pytest.mark.parametrize("schema", [0, 3, "2", None, True])
def test_a_schema_that_is_not_known_is_refused_in_words(schema):
    with pytest.raises(ShapeError, match=r"schema is .*, and this version reads 1 and 2"):
        Proof.from_json({**BEFORE["rdma"], "schema": schema})


@pytest.mark.parametrize("verdict", ["pass", "fail"])
def test_a_proof_whose_verdict_contradicts_its_verdicts_is_refused(verdict):
    said = [{"name": "it", "ok": verdict == "fail"}]
    with pytest.raises(ShapeError, match=f"its verdict is {verdict}, and its verdicts say the opposite"):
        Proof.from_json({**BEFORE["rdma"], "verdict": verdict, "verdicts": said})
