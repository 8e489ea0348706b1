"""A secret that a host keeps."""

import getpass


def test_a_secret_stays_the_same_is_private_and_goes(run_module, tmp_path):
    told = {"path": str(tmp_path / "s"), "owner": getpass.getuser()}
    first = run_module("twinspark_secret", **told)
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "s").read_text() == f"{first['secret']}\n"
    second = run_module("twinspark_secret", **told)
    assert (second["changed"], second["secret"]) == (False, first["secret"])
    run_module("twinspark_secret", **told, state="absent")
    assert not (tmp_path / "s").exists()
