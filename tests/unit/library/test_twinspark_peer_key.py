"""A host's key pair: ssh-keygen played (cases/twinspark_peer_key.yaml), and the real one."""

import getpass
import shutil
from pathlib import Path

import pytest

from tests.support import cases


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases/twinspark_peer_key.yaml"))
def test_every_case_of_the_table(play, case):
    play("twinspark_peer_key", case)


@pytest.fixture
def pair(run_module, tmp_path):
    """Run the module with the real ssh-keygen."""
    if not shutil.which("ssh-keygen"):
        pytest.skip("no ssh-keygen here")

    def pair(**more):
        path = str(tmp_path / "ssh/key")
        return run_module("twinspark_peer_key", user=getpass.getuser(), path=path, comment="twinspark@a", **more)

    return pair


def test_a_pair_is_made_once(pair, tmp_path):
    first = pair()
    assert first["changed"]
    assert first["public_key"].startswith("ssh-ed25519 ")
    assert first["public_key"].endswith(" twinspark@a")
    assert (tmp_path / "ssh/key").stat().st_mode & 0o777 == 0o600
    again = pair()
    assert not again["changed"]
    assert again["public_key"] == first["public_key"]


def test_check_mode_predicts_and_makes_nothing(pair, tmp_path):
    answer = pair(check_mode=True)
    assert answer["changed"]
    assert answer["public_key"] == ""
    assert not (tmp_path / "ssh").exists()


def test_a_lost_public_half_and_a_loose_mode_are_repaired(pair, tmp_path):
    first = pair()
    (tmp_path / "ssh/key.pub").unlink()
    (tmp_path / "ssh/key").chmod(0o644)
    assert pair()["public_key"].split()[:2] == first["public_key"].split()[:2]
    assert (tmp_path / "ssh/key").stat().st_mode & 0o777 == 0o600
    assert not pair()["changed"]


def test_a_file_that_is_no_key_is_named_and_left_alone(pair, tmp_path):
    pair()
    (tmp_path / "ssh/key").write_text("my notes\n")
    answer = pair()
    assert answer["failed"]
    assert "is not a private key without a passphrase" in answer["msg"]
    assert (tmp_path / "ssh/key").read_text() == "my notes\n"


def test_the_private_half_is_never_told(pair, tmp_path):
    answer = pair()
    assert (tmp_path / "ssh/key").read_text().splitlines()[1] not in str(answer)


def test_removing(pair, tmp_path):
    pair()
    assert pair(state="absent")["changed"]
    assert list((tmp_path / "ssh").iterdir()) == []
    assert not pair(state="absent")["changed"]


def test_a_user_that_is_not_there(run_module):
    assert "There is no user nobody-here" in run_module("twinspark_peer_key", user="nobody-here")["msg"]
