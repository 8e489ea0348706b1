"""The folder of the proofs on disk. What a proof holds: ../proof/test_proofs.py."""

import pytest
from ansible.module_utils.twinspark.proof.proofs import ProofError
from ansible.module_utils.twinspark_host import proofs


def test_a_stage_without_a_proof_has_none(tmp_path):
    assert proofs.load(tmp_path, "network") is None
    assert proofs.load_all(tmp_path / "nowhere") == {}


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe"])
def test_a_file_that_is_no_proof_is_named(tmp_path, content):
    proofs.path_of(tmp_path, "network").write_bytes(content)
    with pytest.raises(ProofError, match=r"network\.json"):
        proofs.load(tmp_path, "network")


def test_a_folder_in_the_place_of_a_proof_is_named(tmp_path):
    proofs.path_of(tmp_path, "network").mkdir()
    with pytest.raises(ProofError, match=r"network\.json can't be read as a proof"):
        proofs.load_all(tmp_path)
