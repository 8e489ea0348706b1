"""Files that shall be so, and what a diff tells of them."""

from ansible.module_utils.twinspark.network.state import Difference
from ansible.module_utils.twinspark_host import targets


def test_what_differs_is_told_and_nothing_else(tmp_path):
    same, changed, new, gone, mode = (str(tmp_path / name) for name in ("same", "changed", "new", "gone", "mode"))
    for path in (same, changed, gone, mode):
        (tmp_path / path).write_text("old\n")
        (tmp_path / path).chmod(0o600)
    (tmp_path / mode).chmod(0o644)
    wanted = {same: (b"old\n", 0o600), changed: (b"new\n", 0o600), new: (b"new\n", 0o600), gone: None}
    wanted |= {mode: (b"old\n", 0o600), str(tmp_path / "never"): None}
    differ = targets.differing(wanted)
    assert differ == [changed, new, gone, mode]
    found = {entry["before_header"]: (entry["before"], entry["after"]) for entry in targets.diffs(wanted, differ, [])}
    assert found == {
        changed: ("old\n", "new\n"),
        new: ("", "new\n"),
        gone: ("old\n", ""),
        mode: ("old\n", "old\n"),
        f"{mode} mode": ("0644\n", "0600\n"),
    }


def test_a_diff_of_the_kernel_s_state_is_told_and_secrets_are_not(tmp_path):
    path = str(tmp_path / "wifi.yaml")
    (tmp_path / "wifi.yaml").write_text("password: hunter2\n")
    drift = [Difference("rail", "mtu", 1500, 9000)]
    files, kernel = targets.diffs({path: (b"password: hunter2\n# more\n", 0o644)}, [path], drift)
    assert "hunter2" not in str(files)
    assert (kernel["before"], kernel["after"]) == ("rail mtu: 1500\n", "rail mtu: 9000\n")
