"""The door's settings: problems by table (cases/door.yaml), where it listens, and what is read of its certificate."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.twinspark.inventory.fabric import Host
from ansible.module_utils.twinspark.proof.json_form import ShapeError
from ansible.module_utils.twinspark.serving import door

from tests.support import cases

HERE = Path(__file__).parent
ROLE = HERE.parents[3] / "roles/vllm_serve"
# The role's own defaults.
DEFAULTS = {
    name.removeprefix("vllm_serve_"): value
    for name, value in yaml.safe_load((ROLE / "defaults/main.yml").read_text()).items()
    if name.startswith("vllm_serve_expose")
}
HEAD = Host("spark1", 0, "192.168.1.20", "spark", ())
KEY = "alice-0123456789-0123456789"


def opening(missing: list[str] | None = None, keys: dict[str, str] | None = None, **settings: Any) -> door.Opening:
    sound = {"expose": True, "expose_addresses": ["192.168.1.20"], "expose_keys": {"alice": "/k/alice"}}
    given = door.Door.from_json({**DEFAULTS, **sound, **settings})
    return door.opening(given, HEAD, [8000, 29501], missing or [], {"alice": KEY} if keys is None else keys)


@pytest.mark.parametrize("case", cases(HERE / "cases/door.yaml"))
def test_problems(case):
    found = opening(case.get("missing"), case.get("keys"), **case.get("settings", {})).problems
    assert found == case["problems"]
    assert not [key for key in case.get("keys", {}).values() if key and key in " ".join(found)]


@pytest.mark.parametrize(
    ("addresses", "listen", "url"),
    [
        (["10.0.0.5"], ["10.0.0.5:8443"], "https://10.0.0.5:8443"),
        (["0.0.0.0", "::"], ["0.0.0.0:8443", "[::]:8443"], "https://192.168.1.20:8443"),
        (["::", "fd00::5"], ["[::]:8443", "[fd00::5]:8443"], "https://[fd00::5]:8443"),
    ],
)
def test_where_it_listens_and_where_the_head_finds_it(addresses, listen, url):
    made = opening(expose_addresses=addresses)
    assert (made.listen, made.url) == (listen, url)


def test_a_closed_door_listens_nowhere():
    assert opening(expose=False) == door.Opening([], "", [], [])


def test_the_certificate_names_whatever_clients_may_ask_for_once():
    made = opening(expose_addresses=["0.0.0.0", "FD00::5", "192.168.1.20"], expose_names=["Spark.example", "10.9.9.9"])
    assert made.names == ["IP:fd00::5", "IP:192.168.1.20", "DNS:spark1", "DNS:spark.example", "IP:10.9.9.9"]


def test_a_setting_of_the_wrong_kind_is_named():
    with pytest.raises(ShapeError, match="vllm_serve_expose: port must be a whole number, not 'x'"):
        opening(expose_port="x")


@pytest.mark.parametrize("key", [KEY, "a.b*c+d?(e)[f]{2}|^$-~/=&%#@!,:;<>_", "UPPER-lower-0123456789"])
def test_a_key_s_pattern_fits_that_key_and_no_other(key):
    found = re.compile(f"^{door.pattern(key)}$")
    assert found.match(key)
    for other in (key.swapcase(), key[:-1], key + key[-1], key.replace(".", "x") + "y"):
        assert not found.match(other)


# OpenSSL 3.0.19, of a certificate as the role makes it.
SHOWN = """sha256 Fingerprint=AA:BB:01
X509v3 Subject Alternative Name:\x20
    IP Address:192.168.1.20, IP Address:FD00:0:0:0:0:0:0:5, DNS:spark1
"""


def test_fingerprint_and_names_are_read():
    made = door.certificate(SHOWN)
    assert made == door.Certificate("AA:BB:01", ("IP:192.168.1.20", "IP:fd00::5", "DNS:spark1"))
    assert door.unnamed(["DNS:spark1", "IP:fd00::5"], made) == []
    assert door.unnamed(["DNS:spark1", "IP:10.0.0.1", "DNS:other"], made) == ["10.0.0.1", "other"]


def test_what_is_not_there_yet_lacks_nothing():
    assert door.certificate("Could not open file") == door.Certificate()
    assert door.unnamed(["DNS:spark1"], door.Certificate()) == []
