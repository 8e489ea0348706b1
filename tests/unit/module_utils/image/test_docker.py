"""What Docker says of an image, and in which words it fails."""

from ansible.module_utils.twinspark.image.docker import daemon_problem, inspected


def test_docker_is_read_and_its_failures_named():
    assert inspected("[]") is None
    assert inspected("no json") is None
    assert inspected('[{"Id": "sha256:1", "RootFS": {"Layers": ["a"]}}]').layers == ("a",)
    assert daemon_problem(0, "") == ""
    assert "group docker" in daemon_problem(1, "permission denied while trying to connect")
    assert "systemctl" in daemon_problem(1, "Cannot connect to the Docker daemon at unix:///x. Is it running?")


def test_what_a_failing_docker_said_last_is_quoted():
    assert daemon_problem(1, "warning\nboom\n") == "Docker does not answer (boom)"
    assert daemon_problem(125, "") == "Docker does not answer (exit code 125)"
