"""What is put into a host: the way to the package indexes, the stand-ins, and who owns what."""

import io
import tarfile

from twinspark_lab import furnish

OWN = "-----BEGIN CERTIFICATE-----\nT1dO\n-----END CERTIFICATE-----\n"
KNOWN = "-----BEGIN CERTIFICATE-----\nS05PV04=\n-----END CERTIFICATE-----\n"


def test_only_certificates_that_the_image_lacks_are_carried_over(tmp_path):
    bundle = tmp_path / "ca.crt"
    bundle.write_text(KNOWN + "# a comment\n" + OWN)
    environment = {"SSL_CERT_FILE": str(bundle), "PIP_CERT": str(bundle), "CURL_CA_BUNDLE": "/nowhere"}
    assert furnish.extra_certificates(environment, KNOWN) == [OWN]
    assert furnish.extra_certificates({}, KNOWN) == []


def test_a_plain_machine_leaves_the_environment_empty():
    files = furnish.environment_files({"HOME": "/root"}, private_ca=False)
    assert files["etc/environment"].content == b""
    assert files["etc/systemd/system.conf.d/10-twinspark-lab.conf"].content == b"[Manager]\nDefaultEnvironment=\n"


def test_proxy_and_private_ca_reach_logins_and_units():
    files = furnish.environment_files({"https_proxy": "http://p%40:1"}, private_ca=True)
    logins = files["etc/environment"].content.decode()
    units = files["etc/systemd/system.conf.d/10-twinspark-lab.conf"].content.decode()
    assert 'https_proxy="http://p%40:1"\n' in logins
    assert f'SSL_CERT_FILE="{furnish.BUNDLE}"\n' in logins
    assert '"https_proxy=http://p%%40:1"' in units  # systemd expands % specifiers


def test_standins_come_first_on_the_path_and_keep_their_mode(tmp_path):
    (tmp_path / "ib_write_bw").write_text("#!/usr/bin/env python3\n")
    (tmp_path / "ib_write_bw").chmod(0o755)
    (tmp_path / "ib_write_lat").symlink_to("ib_write_bw")
    (tmp_path / "README.md").write_text("no program")
    files = furnish.standin_files(tmp_path)
    assert sorted(files) == ["usr/local/bin/ib_write_bw", "usr/local/bin/ib_write_lat"]
    assert {file.mode for file in files.values()} == {0o755}
    assert furnish.standin_files(tmp_path / "absent") == {}


def test_the_archive_gives_the_key_to_its_user():
    files = furnish.login_files("ssh-ed25519 AAAA")
    with tarfile.open(fileobj=io.BytesIO(furnish.archive(files, {}, "x"))) as tar:
        folder, key = tar.getmembers()
    assert (folder.isdir(), folder.mode, folder.uid) == (True, 0o700, 1000)
    assert (key.mode, key.uid, key.size) == (0o600, 1000, 17)
