"""The table of nftables that closes the ranks' meeting place; with nft itself where it is installed."""

import shutil
import subprocess

import pytest
from ansible.module_utils.twinspark.serving.rendezvous import rules_text


def test_only_the_rails_and_loopback_reach_the_port():
    text = rules_text("twinspark", 29501, ["enp1s0f1np1", "enP2p1s0f1np1"])
    assert 'iifname != { "lo", "enp1s0f1np1", "enP2p1s0f1np1" } tcp dport 29501 reject with tcp reset' in text
    assert text.index("delete table inet twinspark\n") > text.index("table inet twinspark\n"), (
        "made before it is deleted"
    )


@pytest.mark.parametrize("name", ["", 'rail" accept', "a b", "a\nb", "a\\b"])
def test_a_name_that_nft_would_not_take_is_refused(name):
    with pytest.raises(ValueError, match="no name of an interface"):
        rules_text("twinspark", 29501, [name])


def test_nft_takes_the_text(tmp_path):
    if not shutil.which("nft"):
        pytest.skip("no nft here")
    (tmp_path / "rules.nft").write_text(rules_text("twinspark", 29501, ["enp1s0f1np1"]))
    argv = ["nft", "--check", "--file", str(tmp_path / "rules.nft")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if "Operation not permitted" in done.stderr:
        pytest.skip("nft is not for this user")
    assert done.returncode == 0, done.stderr
