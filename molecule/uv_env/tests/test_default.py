"""What the environment is, asked of the environment."""

ENV = "/opt/twinspark/env/molecule"


def test_the_pinned_package_is_there(host):
    done = host.run(f"{ENV}/bin/python -c 'import importlib.metadata as m; print(m.version(\"click\"))'")
    assert done.stdout.strip() == "8.5.1"


def test_a_package_that_the_marker_leaves_out_is_not(host):
    assert host.run(f"{ENV}/bin/python -c 'import tomli'").rc == 1


def test_uv_is_the_pinned_one(host):
    assert host.run("/opt/twinspark/env/uv/bin/uv --version").stdout.startswith("uv 0.13.9")


def test_the_login_user_owns_it(host):
    assert host.file(ENV).user == host.file(f"{ENV}/pyvenv.cfg").user
    assert host.file(ENV).user != "root"
