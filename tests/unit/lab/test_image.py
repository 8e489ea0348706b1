"""What the host image is made of decides its name; the base comes from the machine's own mirror."""

from pathlib import Path

from twinspark_lab import image
from twinspark_lab.seed import EngineImage


def test_the_hash_follows_names_bytes_and_modes(tmp_path):
    (tmp_path / "a").write_text("1")
    first = image.content_hash(tmp_path)
    assert image.content_hash(tmp_path) == first
    (tmp_path / "a").chmod(0o755)
    second = image.content_hash(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    third = image.content_hash(tmp_path)
    (tmp_path / "b").write_text("2")
    assert len({first, second, third, image.content_hash(tmp_path)}) == 4


def test_mirror_is_the_distributions_own_main_archive():
    targets = (
        "Other nodistro main https://packages.example/other/\n"
        "Debian bookworm-security main http://mirror.example/security/\n"
        "Debian bookworm main http://mirror.example/debian/\n"
        "\n"
    )
    assert image.mirror_of(targets, "Debian") == "http://mirror.example/debian/"
    assert image.mirror_of(targets, "Ubuntu") is None


def test_an_ubuntu_machine_makes_ubuntu_others_debian():
    root = Path("/r")
    assert image.debootstrap_argv("ubuntu", None, root)[-3:] == ["--components=main,universe", "noble", "/r"]
    assert image.debootstrap_argv("debian", "http://m/", root)[-3:] == ["trixie", "/r", "http://m/"]


def test_the_engines_seed_volume_is_named_after_the_image():
    assert EngineImage("sha256:0123456789abcdef", ("e:1",)).volume == "twinspark-engine-0123456789ab"
