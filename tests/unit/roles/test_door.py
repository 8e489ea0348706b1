"""The door before the engine, as the role writes it, by the real nginx."""

import contextlib
import shutil
import ssl
import subprocess

import pytest

from .door_house import Engine, House, command_lines

ALICE = "Alice-key.0123456789+/=~$^(x){2}[a]|*?"
BOB = "bob-0123456789abcdef0123456789"
MIB = 1 << 20

pytestmark = pytest.mark.skipif(not shutil.which("nginx"), reason="no nginx here: scripts/setup unpacks it")


@pytest.fixture(scope="module")
def engine():
    engine = Engine()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def said():
    """What Ansible printed, with all its verbosity."""
    return []


@pytest.fixture(scope="module")
def house(tmp_path_factory, engine, said):
    house = House(tmp_path_factory.mktemp("house"), engine.port)
    house.keys(alice=ALICE, bob=BOB)
    said.append(house.write())
    house.start()
    yield house
    house.stop()


@pytest.fixture(autouse=True)
def nothing_asked_yet(engine):
    engine.asked.clear()
    while engine.go_on.acquire(blocking=False):
        pass


def error_of(answer):
    """The code of an error in OpenAI's shape."""
    status, told, headers = answer
    assert headers["content-type"] == "application/json"
    assert headers["server"] == "nginx"
    assert set(told["error"]) == {"message", "type", "param", "code"}
    return status, told["error"]["code"]


@pytest.mark.parametrize("key", [ALICE, BOB])
def test_a_client_with_a_key_gets_in_and_the_engine_never_sees_it(house, engine, key):
    status, told, _ = house.ask("/v1/models?limit=1", key, **{"X-Forwarded-For": "10.9.9.9"})
    assert (status, told) == (200, b"data: 0\n\n")
    ((method, path, headers, _),) = engine.asked
    assert (method, path) == ("GET", "/v1/models?limit=1")
    assert "Authorization" not in headers
    assert headers["X-Forwarded-For"] == "127.0.0.1"
    assert key not in str(headers)


def test_a_stream_arrives_chunk_by_chunk(house, engine):
    connection = house.connect()
    connection.request("POST", "/v1/chat/completions", b'{"stream": true}', {"Authorization": f"Bearer {ALICE}"})
    engine.go_on.release()
    answer = connection.getresponse()
    for number in range(3):
        # The engine makes no chunk before the one before was read here.
        assert answer.readline() + answer.readline() == f"data: {number}\n\n".encode()
        engine.go_on.release()
    assert answer.read() == b""


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": ALICE},
        {"Authorization": f"Basic {ALICE}"},
        {"Authorization": f"Bearer {ALICE}x"},
        {"Authorization": f"Bearer x{ALICE}"},
        {"Authorization": f"Bearer {ALICE[:-1]}"},
        {"Authorization": f"Bearer {ALICE.swapcase()}"},
        {"Authorization": f"Bearer {ALICE.replace('.', 'x')}"},
        {"Authorization": f"Bearer {BOB.upper()}"},
        {"Authorization": "Bearer alice"},
        {"X-Api-Key": ALICE},
        {"Cookie": f"Authorization=Bearer {ALICE}"},
    ],
    ids=str,
)
def test_without_the_right_key_the_engine_is_not_asked(house, engine, headers):
    answer = house.ask("/v1/chat/completions", method="POST", body=b"{}", **headers)
    assert error_of(answer) == (401, "invalid_api_key")
    assert answer[2]["www-authenticate"] == "Bearer"
    assert engine.asked == []


@pytest.mark.parametrize("key", [ALICE, None])
@pytest.mark.parametrize(
    "path",
    ["/", "/invocations", "/pause", "/metrics", "/docs", "/openapi.json", "/health", "/v1", "/v1/", "/v1/embeddings",
     "/v1/models/", "/v1/modelsx", "/V1/models", "/.door/key", "/@401", "/v1/models/tiny", "/index.html"],
)  # fmt: skip
def test_any_other_path_is_not_there(house, engine, path, key):
    for method in ("GET", "POST"):
        assert error_of(house.ask(path, key, method)) == (404, "not_found")
    assert engine.asked == []


@pytest.mark.parametrize(
    "path",
    ["//v1/models", "/v1/../pause", "/v1/models/../../pause", "/%70ause", "/v1/%2e%2e/pause",
     "/v1/models/%2e%2e/%2e%2e/pause", "/v1%2fmodels", "/v1%2f..%2fpause", "/v1/models%2f..%2f..%2fpause",
     "/v1/models%3f/../pause", "/v1/models;/../../pause", "/v1/./models", "/./pause", "/pause?/v1/models",
     "/pause#/v1/models", "/v1/models%00/pause", "/v1/models%0a/pause", "/v1/models/..%5c..%5cpause",
     "http://127.0.0.1/pause", "https://x/v1/models/../../pause", "/v1/models?x=/../../pause",
     "/v1/models?x=1%20HTTP/1.1%0d%0aX:y", "/v1/completions/../models", "/v1/%6dodels", "*"],
)  # fmt: skip
def test_however_a_path_is_written_the_engine_gets_an_allowed_one(house, engine, path):
    status, _, _ = house.ask(path, ALICE)
    asked = [path.partition("?")[0] for _, path, _, _ in engine.asked]
    assert (status, asked) in [(200, ["/v1/models"]), (404, []), (400, [])]
    if "pause" in path.partition("?")[0]:
        assert asked == []


def test_a_second_request_behind_the_first_needs_a_key_of_its_own(house, engine):
    connection = house.connect()
    connection.connect()
    first = f"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ALICE}\r\nContent-Length: 0\r\n\r\n"
    connection.sock.sendall((first + "POST /v1/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").encode())
    answer = b""
    with contextlib.suppress(ssl.SSLEOFError):
        while part := connection.sock.recv(65536):
            answer += part
    assert [line.split()[1] for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1")] == [b"200", b"401"]
    assert [path for _, path, _, _ in engine.asked] == ["/v1/models"]


def test_a_request_too_large_is_refused_with_and_without_its_length(house, engine):
    assert house.ask("/v1/completions", ALICE, "POST", b"x" * MIB)[0] == 200
    assert [length for _, _, _, length in engine.asked] == [MIB]
    assert error_of(house.ask("/v1/completions", ALICE, "POST", b"x" * (MIB + 1))) == (413, "request_too_large")
    chunks = [b"x" * 65536] * 17
    assert error_of(house.ask("/v1/completions", ALICE, "POST", iter(chunks))) == (413, "request_too_large")
    assert len(engine.asked) == 1


def test_the_certificate_is_for_its_addresses_and_for_no_other(house):
    assert house.ask("/v1/models", ALICE)[0] == 200
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        ssl.create_default_context().wrap_socket(house.plain(), server_hostname="127.0.0.1")
    with pytest.raises(ssl.SSLCertVerificationError, match=r"127\.0\.0\.2"):
        house.trust().wrap_socket(house.plain(), server_hostname="127.0.0.2")
    house.trust().wrap_socket(house.plain(), server_hostname="localhost").close()


def test_keys_and_private_key_are_for_root_only(house):
    modes = {path.name: path.stat().st_mode & 0o777 for path in house.etc.iterdir()}
    assert modes == {"keys.conf": 0o600, "house.key": 0o600, "house.pem": 0o644, "nginx.conf": 0o644}


def test_the_log_names_the_client_and_neither_key_nor_query_are_anywhere(house, engine, said):
    house.lines()
    house.log.clear()
    house.ask(f"/v1/models?api_key={BOB}&secret=question", ALICE)
    house.ask("/v1/models?secret=question", "wrong-" + BOB)
    house.ask(f"/nowhere?{BOB}", BOB)
    house.ask("/v1/completions?secret=question", ALICE, "POST", b"x" * (MIB + 1))
    lines = house.lines()
    assert [line.partition("twinspark_door: ")[2].rpartition(" B ")[0].rpartition(" ")[0] for line in lines] == [
        '127.0.0.1 alice "GET /v1/models" 200',
        '127.0.0.1 - "GET /v1/models" 401',
        '127.0.0.1 bob "GET /nowhere" 404',
        '127.0.0.1 alice "POST /v1/completions" 413',
    ]
    written = [*lines, *said, (house.folder / "stderr").read_text(), (house.etc / "nginx.conf").read_text()]
    written.append((house.folder / "twinspark-door.service").read_text())
    assert not [text for text in written if ALICE in text or BOB in text or "secret=question" in text]
    seen = list(command_lines())
    assert any(b"nginx" in line for line in seen)
    assert not [line for line in seen if ALICE.encode() in line or BOB.encode() in line]


def test_the_role_itself_asks_with_and_without_a_key(house, engine):
    said = house.write(tasks="knock")
    assert [(path, "Authorization" in headers) for _, path, headers, _ in engine.asked] == [("/v1/models", False)]
    assert ALICE not in said
    (house.folder / "other.key").write_text("nobody-0123456789-0123456789")
    said = house.write(check=False, tasks="knock", vllm_serve_expose_keys={"alice": str(house.folder / "other.key")})
    assert "answers 401 without a key, where 401 is right, and 401 with one, where 200 or 405 is" in said
    assert "nobody-0123456789" not in said


def test_what_is_written_twice_is_the_same(house):
    before = {path.name: path.read_bytes() for path in house.etc.iterdir()}
    assert "changed=0" in house.write()
    assert {path.name: path.read_bytes() for path in house.etc.iterdir()} == before


def test_a_client_who_is_removed_is_refused_and_the_others_notice_nothing(house, engine):
    streaming = house.connect()
    streaming.request("POST", "/v1/chat/completions", b"{}", {"Authorization": f"Bearer {ALICE}"})
    engine.go_on.release()
    answer = streaming.getresponse()
    assert answer.readline() == b"data: 0\n"
    house.keys(alice=ALICE)
    house.write()
    house.reload()
    assert error_of(house.ask("/v1/models", BOB)) == (401, "invalid_api_key")
    assert house.ask("/v1/models", ALICE)[0] == 200
    engine.go_on.release(2)
    assert answer.read() == b"\ndata: 1\n\ndata: 2\n\n"
    house.keys(alice=ALICE, bob=BOB)
    house.write()
    house.reload()
    assert house.ask("/v1/models", BOB)[0] == 200


def test_a_configuration_that_nginx_does_not_take_is_not_put_in_place(house):
    before = (house.etc / "nginx.conf").read_text()
    assert "failed to validate" in house.write(check=False, __vllm_serve_door_user="nobody; nonsense")
    assert (house.etc / "nginx.conf").read_text() == before


def test_a_wrong_setting_is_told_before_anything_is_written(house):
    before = (house.etc / "keys.conf").read_text()
    short = house.folder / "short.key"
    short.write_text("too-short")
    told = house.write(check=False, vllm_serve_expose_keys={"carol": str(short)})
    assert f"{short}, the key of the client carol (vllm_serve_expose_keys), is shorter than 24 characters" in told
    assert "too-short" not in told
    gone = house.write(check=False, vllm_serve_expose_keys={"carol": "/nowhere/carol"})
    assert "/nowhere/carol, the key of the client carol (vllm_serve_expose_keys), does not exist" in gone
    assert (house.etc / "keys.conf").read_text() == before


def test_systemd_takes_the_unit(house):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze here")
    argv = ["systemd-analyze", "verify", "--man=no", str(house.folder / "twinspark-door.service")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert "twinspark-door" not in done.stdout + done.stderr


@pytest.fixture
def narrow(tmp_path, engine):
    """A door with little room."""
    house = House(tmp_path, engine.port)
    house.keys(alice=ALICE)
    house.settings |= {
        "vllm_serve_expose_requests_per_second": 5,
        "vllm_serve_expose_connections_per_address": 2,
        "vllm_serve_expose_paths": ["/v1/models", "/v1/chat/completions"],
    }
    house.write()
    house.start()
    yield house
    house.stop()


def test_who_tries_keys_is_slowed_down_and_a_client_has_so_many_requests_at_once(narrow, engine):
    held = [narrow.connect() for _ in range(2)]
    for connection in held:
        connection.request("POST", "/v1/chat/completions", b"{}", {"Authorization": f"Bearer {ALICE}"})
    assert [connection.getresponse().status for connection in held] == [200, 200]
    assert error_of(narrow.ask("/v1/models", ALICE)) == (429, "rate_limit_exceeded")
    engine.go_on.release(6)
    tried = [narrow.ask("/v1/models", f"wrong-key-{number:020d}")[0] for number in range(40)]
    assert set(tried) == {401, 429}
    assert tried.count(401) < 25
    # A right key among them is not looked at either: what is refused says nothing about it.
    assert error_of(narrow.ask("/v1/models", ALICE)) == (429, "rate_limit_exceeded")
    assert len(engine.asked) == 2


def test_an_engine_that_is_not_there_is_told_as_json(tmp_path):
    engine = Engine()
    house = House(tmp_path, engine.port)
    engine.close()
    house.keys(alice=ALICE)
    house.write()
    house.start()
    try:
        assert error_of(house.ask("/v1/models?secret=question", ALICE)) == (502, "engine_unavailable")
        assert error_of(house.ask("/v1/completions", ALICE, "POST", b"{}")) == (502, "engine_unavailable")
        assert not [line for line in house.lines() if "secret" in line]
        assert "secret" not in (house.folder / "stderr").read_text()
    finally:
        house.stop()


def test_an_owner_s_certificate_takes_the_place_of_the_house_s(tmp_path, engine):
    pem, key = tmp_path / "own.pem", tmp_path / "own.pem.key"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    argv += ["-subj", "/CN=own", "-addext", "subjectAltName=DNS:own.example", "-keyout", str(key), "-out", str(pem)]
    subprocess.run(argv, check=True, capture_output=True)
    house = House(tmp_path, engine.port)
    house.keys(alice=ALICE)
    told = house.write(vllm_serve_expose_certificate_file=str(pem), vllm_serve_expose_certificate_key_file=str(key))
    assert "PRIVATE KEY" not in told
    assert (house.etc / "given.key").stat().st_mode & 0o777 == 0o600
    house.start()
    try:
        trust = ssl.create_default_context(cafile=str(pem))
        trust.wrap_socket(house.plain(), server_hostname="own.example").close()
    finally:
        house.stop()
