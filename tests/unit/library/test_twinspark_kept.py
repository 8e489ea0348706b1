"""Keeping a state and putting it back, with real files."""

import json

import pytest

PLAN = {"rank": 0, "ranks": 1, "argv": ["vllm"], "env": {}, "run": ["docker"], "digest": "d",
        "rendezvous_interfaces": [], "problems": []}  # fmt: skip


@pytest.fixture
def place(tmp_path, run_module):
    """A host's files, and a function that runs the module on them."""

    class Place:
        unit, env, rules = (tmp_path / name for name in ("rank.service", "vllm.env", "vllm.nft"))
        record = tmp_path / "serve/kept.json"
        proof = tmp_path / "serve.json"

        def write(self, text):
            self.unit.write_text(f"ExecStart={text}\n")
            self.env.write_text(f"# Managed\nA={text}\nHF_TOKEN=hf_secret\n")
            self.env.chmod(0o600)
            self.proof.write_text(json.dumps({"verdict": "pass", "n": text}))

        def run(self, state, id, **more):
            return run_module(
                "twinspark_kept", state=state, id=id, path=str(self.record), environment=str(self.env),
                files=[str(self.unit), str(self.env), str(self.rules)], plan=PLAN, proof=str(self.proof), **more,
            )  # fmt: skip

        @property
        def kept(self):
            return json.loads(self.record.read_text())

    return Place()


def test_a_state_is_kept_once_with_its_environment_and_its_proof(place):
    place.write("one")
    assert place.run("kept", "a", written="t")["changed"]
    assert not place.run("kept", "a", written="t")["changed"]
    (state,) = place.kept
    assert state["plan"]["env"] == {"A": "one", "HF_TOKEN": "hf_secret"}
    assert state["proof"]["n"] == "one"
    assert place.record.stat().st_mode & 0o777 == 0o600


def test_the_files_come_back_and_the_record_stays(place):
    place.write("one")
    place.run("kept", "a")
    place.write("two")
    place.rules.write_text("table")
    place.run("kept", "b")
    record = place.record.read_text()
    predicted = place.run("restored", "a", check_mode=True)
    assert predicted["changed"]
    assert place.unit.read_text() == "ExecStart=two\n"
    done = place.run("restored", "a")
    assert done["written"] == predicted["written"] == [str(place.unit), str(place.env), str(place.rules)]
    assert place.unit.read_text() == "ExecStart=one\n"
    assert place.env.stat().st_mode & 0o777 == 0o600
    assert not place.rules.exists()
    assert "hf_secret" not in json.dumps(done)
    assert not place.run("restored", "a")["changed"]
    assert place.record.read_text() == record


def test_before_there_are_files_check_mode_predicts_that_they_will_be_kept(place):
    assert place.run("kept", "a", check_mode=True)["changed"]
    assert not place.record.exists()


def test_a_record_that_cant_be_read_begins_anew_and_gives_nothing_back(place):
    place.write("one")
    place.run("kept", "a")
    place.record.write_text("{")
    assert "can't be read" in place.run("restored", "a")["msg"]
    assert place.run("kept", "a")["changed"]
    assert len(place.kept) == 1


def test_a_state_that_was_not_kept_is_refused(place):
    assert place.run("restored", "z")["msg"] == "The state z was not kept here. Nothing was changed."


def test_a_proof_that_is_gone_is_told(place):
    place.write("one")
    place.proof.unlink()
    assert "can't be kept for a way back" in place.run("kept", "a")["msg"]
