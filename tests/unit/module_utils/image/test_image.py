"""The image: placeholders, reasons to build, history, parity."""

import dataclasses

import pytest
import yaml
from ansible.module_utils.twinspark.image import image
from ansible.module_utils.twinspark.proof import proofs
from ansible.module_utils.twinspark.proof.json_form import ShapeError
from ansible.module_utils.twinspark.proof.values import Measurement

COMMIT = "a" * 40
VLLM = {"name": "vllm", "repo": "https://example.org/vllm.git", "commit": "b" * 40}


def build(**settings):
    known = {"name": "engine", "repo": "https://example.org/e.git", "commit": COMMIT, "argv": ["make", "{image}"]}
    return image.Build.from_json({**known, **settings})


def test_the_tag_is_the_commit():
    assert build().image == "engine:aaaaaaaaaaaa"
    assert build().build_argv() == ["make", "engine:aaaaaaaaaaaa"]


def test_pinned_sources_reach_the_argv():
    made = build(argv=["./b.sh", "--vllm-repo", "{vllm.repo}", "--vllm-ref={vllm.commit}"], sources=[VLLM])
    assert made.build_argv() == ["./b.sh", "--vllm-repo", VLLM["repo"], f"--vllm-ref={VLLM['commit']}"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"commit": "main"}, "full 40 hex digits"),
        ({"sources": [{**VLLM, "commit": "v1"}]}, "commit of vllm"),
        ({"argv": []}, "argv is empty"),
    ],
)
def test_what_is_not_pinned_is_refused(settings, sentence):
    with pytest.raises(ShapeError, match=sentence):
        build(**settings)


def test_an_unknown_placeholder_is_named():
    with pytest.raises(image.ImageError, match=r"\{vllm.commit\}; known are image"):
        build(argv=["{vllm.commit}"]).build_argv()


def entry(made, image_id):
    return image.Built(made.image, image_id, made.digest(), made.repo, made.commit)


@pytest.mark.parametrize(
    ("present", "history", "reasons"),
    [
        (None, [], ["image"]),
        ("sha256:1", [], ["record"]),
        ("sha256:1", [entry(build(), "sha256:1")], []),
        ("sha256:2", [entry(build(), "sha256:1")], ["id"]),
        ("sha256:1", [dataclasses.replace(entry(build(), "sha256:1"), digest="sha256:old")], ["inputs"]),
        (None, [entry(build(), "sha256:1")], ["image"]),
    ],
)
def test_reasons_to_build(present, history, reasons):
    assert [r.name for r in image.build_reasons(build(), present, history)] == reasons


def at(built, when):
    return dataclasses.replace(built, built=when)


def test_the_build_before_is_what_to_go_back_to():
    first, second = entry(build(), "sha256:1"), entry(build(commit="c" * 40), "sha256:2")
    history = image.recorded(image.recorded([], at(first, "t1")), at(second, "t2"))
    assert image.previous(history).id == "sha256:1"
    assert image.recorded(history, at(second, "t3")) == history
    back = image.recorded(history, at(first, "t4"))
    assert [e.id for e in back] == ["sha256:2", "sha256:1"]
    assert image.previous([]) is None


@pytest.mark.parametrize(
    ("ids", "oks"),
    [
        ({"a": "1", "b": "1"}, [True, True]),
        ({"a": "1", "b": "2"}, [True, False]),
        ({"a": "1", "b": None}, [True, False]),
        ({"a": None, "b": None}, [False, False]),
        ({"a": "1"}, [True]),
    ],
)
def test_parity(ids, oks):
    judged = image.verdicts("a", ids)
    assert [v.ok for v in judged] == oks
    assert all(bool(v.reason) is not v.ok for v in judged)
    assert all(v.required.operator != "words" for v in judged)


def test_the_real_profile_builds_with_the_communitys_script(root):
    profile = yaml.safe_load((root / "profiles/deepseek-v4-flash.yml").read_text())["image"]
    told = {"name": profile["tag"], "argv": profile["build"], "sources": profile["build_extra_sources"]}
    made = image.Build.from_json({**told, "repo": profile["repo"], "commit": profile["commit"]})
    assert made.build_argv() == [
        "./build-and-copy.sh",
        "--vllm-repo",
        "https://github.com/jasl/vllm.git",
        "--vllm-ref",
        "dda4668b59567416f86956cfe7bbc1eab371a61e",
        "--rebuild-vllm",
        "-t",
        "vllm-node-dsv4:7a3249e3b482",
    ]


def test_a_copy_is_measured_in_seconds_and_bytes_and_a_host_that_had_it_is_not():
    copies = [
        image.Copy("b", "new layers", 11.92, 12599),
        image.Copy.from_json({"host": "c", "way": "none", "sent_bytes": 0, "left_out_bytes": 0}),
    ]
    assert image.measurements("engine:1", 2.9, copies) == [
        Measurement("image_build", 2.9, "s", "engine:1"),
        Measurement("image_copy", 11.92, "s", "to b (new layers)"),
        Measurement("image_copy_bytes", 12599, "B", "to b (new layers)"),
    ]
    assert image.measurements("engine:1", None, []) == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"commit": 7}, "vllm_image: commit must be text, not 7"),
        ({"argv": "make"}, "vllm_image: argv must be a list, not 'make'"),
        ({"sources": [{"name": "vllm"}]}, "vllm_image: sources, entry 1: repo is missing"),
    ],
)
def test_a_setting_of_the_wrong_kind_is_named(settings, sentence):
    with pytest.raises(ShapeError, match=sentence):
        build(**settings)


def proof(ids, evidence=None, name="engine:1"):
    made = {"ids": ids, "previous": None, **(evidence or {})}
    return proofs.build(
        stage="image",
        host="a",
        written="2026-11-25",
        inputs={"image": name},
        verdicts=image.verdicts("a", ids),
        evidence=made,
    )


@pytest.mark.parametrize(
    ("found", "name", "known"),
    [
        (proof({"a": "i", "b": "i"}), "engine:1", image.Proved("i")),
        (proof({"a": "i"}, {"previous": {"image": "engine:0", "id": "h"}}), "engine:1", image.Proved("i", "h")),
        (proof({"a": "i", "b": "j"}), "engine:1", image.Proved()),  # it failed
        (proof({"a": "i"}), "engine:2", image.Proved()),  # it is of another image
        (proof({"a": "i"}, {"ids": None, "previous": "h"}), "engine:1", image.Proved()),
        (None, "engine:1", image.Proved()),
    ],
)
def test_what_is_run_is_what_was_proved(found, name, known):
    assert image.proved(found, name) == known
