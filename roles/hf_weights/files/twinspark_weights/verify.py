"""`verify`, on any host: hash every byte again and remember what came of it. Repairs nothing."""

from __future__ import annotations

from core.twinspark.weights.hubcache import Layout
from core.twinspark_host import snapshot
from job import Failure, only_one, say
from spec import Verify
from store import Store


def run(spec: Verify) -> None:
    """Hash the snapshot of a manifest. Failure names what is wrong."""
    layout = Layout(spec.home, spec.repo)
    manifest = snapshot.read_manifest(layout.manifest(spec.commit))
    if manifest is None:
        raise Failure(f"there is no manifest of {spec.repo} at {spec.commit} here. Run the stage weights")
    with only_one(layout.own / "lock"):
        store = Store(spec.home, spec.state_dir, manifest)
        missing, wrong = store.adopt(rehash=True, repair=False, threads=spec.threads)
        if missing or wrong:
            names = ", ".join(sorted({*wrong, *(entry.path for entry in missing)})[:5])
            raise Failure(
                f"{len(missing)} files are wrong or missing, first {names}. Fix: twinspark apply --stage weights"
            )
        store.finish("")
        say(f"verified: {len(manifest.entries)} files, {manifest.total} bytes, commit {manifest.commit}")
