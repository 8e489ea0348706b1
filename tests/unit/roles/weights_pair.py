"""A head with a verified model and another host without, on two rails of loopback, each with the program's own end."""

import contextlib
import hashlib
import json
import os
import secrets
import socket
import threading

COMMIT = "1" * 40
KIB = 1024
SIZES = {"config.json": 300, "empty": 0, "a": 3000 * KIB, "b": 2000 * KIB, "deep/c": 1000 * KIB + 7}
TOTAL = sum(SIZES.values())


def rail(name, address):
    """A rail as the fabric has it, of which the copy needs the name and the address."""
    more = {"interface": "lo", "hca": "", "subnet": "127.0.0.0/8", "prefix": 8, "cidr": f"{address}/8"}
    return {"name": name, "address": address, **more}


def host(name, rank, rails):
    return {"host": name, "rank": rank, "management": name, "user": "spark", "rails": rails}


HEAD = [rail("rail1", "127.0.0.1"), rail("rail2", "127.0.0.2")]
MINE = [rail("rail1", "127.0.1.1"), rail("rail2", "127.0.1.2")]
FABRIC = [host("head", 0, HEAD), host("other", 1, MINE)]


def told(program, verb, given):
    """What a verb of the program is told, as a value, from its JSON."""
    kind = getattr(program("spec"), verb)
    return program("core.twinspark.proof.json_form").from_json(kind, given, "spec")


class Pair:
    """A head with a verified model, and another host with its manifest only."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        manifest = program("core.twinspark.weights.manifest")
        contents = {path: os.urandom(size) for path, size in SIZES.items()}
        contents["config.json"] = b"{}" + b" " * 298
        entries = []
        for path, content in sorted(contents.items()):
            git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
            small = len(content) < 1000  # as on the Hub: no sha256 for what is not in LFS
            sha256 = "" if small else hashlib.sha256(content).hexdigest()
            entries.append(manifest.Entry(path, len(content), sha256, git if small else ""))
        self.manifest = manifest.Manifest("o/n", COMMIT, tuple(entries))
        self.head, self.other = (
            program("core.twinspark.weights.hubcache").Layout(str(folder / name), "o/n") for name in ("head", "other")
        )
        for layout in (self.head, self.other):
            layout.blobs.mkdir(parents=True)
            layout.own.mkdir()
            layout.manifest(COMMIT).write_text(self.manifest.dump())
        for entry in entries:
            (self.head.blobs / entry.blob).write_bytes(contents[entry.path])
        self.port = next(self.free_ports())
        self.servers = []

    @staticmethod
    def free_ports():
        """Ports below those that the kernel gives to connections, free on every rail."""
        while True:
            port = 20000 + secrets.randbelow(10000)
            with contextlib.suppress(OSError):
                for rail in HEAD:
                    socket.create_server((rail["address"], port)).close()
                yield port

    def secret(self, host, text="sesame"):
        path = self.folder / f"{host}.secret"
        path.write_text(text + "\n")
        return str(path)

    def serve(self, rails=HEAD):
        new = self.program("serve").servers(self.served(9, fabric=[host("head", 0, rails), *FABRIC[1:]]))
        self.servers = [server for server in self.servers if server.fileno() != -1] + new
        for server in new:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def served(self, idle_seconds, fabric=FABRIC):
        """What the head's end is told."""
        spec = {"home": self.head.home, "repo": "o/n", "commit": COMMIT, "fabric": fabric, "port": self.port}
        more = {"secret_file": self.secret("head"), "idle_seconds": idle_seconds}
        return told(self.program, "Serve", {**spec, **more})

    def close(self, *which):
        for number in which or range(len(self.servers)):
            self.servers[number].shutdown()
            self.servers[number].server_close()

    def pull(self, **more):
        """Run it. Returns the figures that the host remembers of its copy."""
        spec = {
            "home": self.other.home, "state_dir": str(self.folder / "state"), "repo": "o/n", "commit": COMMIT,
            "threads": 2, "rehash": False, "ref": "main", "port": self.port, "head": HEAD, "mine": MINE, "streams": 2,
            "longest_pause": 0.05, "rail_patience": 1, "reserve_gib": 0, "stall_seconds": 0.5,
            "secret_file": self.secret("other"), **more,
        }  # fmt: skip
        self.program("pull").run(told(self.program, "Pull", spec))
        return self.state()["copy"]

    def state(self):
        return json.loads((self.folder / f"state/weights/models--o--n/{COMMIT}.json").read_text())

    def entry(self, path):
        return next(entry for entry in self.manifest.entries if entry.path == path)

    def there(self):
        """What has its final name on the other host, and whether each file is the head's."""
        return {p.name: p.read_bytes() == (self.head.blobs / p.name).read_bytes() for p in self.other.blobs.iterdir()}

    def whole(self):
        snapshot = self.other.snapshot(COMMIT)
        return all(
            (snapshot / e.path).read_bytes() == (self.head.blobs / e.blob).read_bytes() for e in self.manifest.entries
        )


def flip(path, at=99):
    with path.open("r+b") as stream:
        stream.seek(at)
        byte = stream.read(1)[0]
        stream.seek(at)
        stream.write(bytes([byte ^ 1]))
