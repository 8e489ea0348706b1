"""The engine image inside the hosts and the lab's services, both made by modules of their own."""

import importlib
from types import ModuleType

from .image import Say
from .names import Lab, cache_home
from .seed import EngineImage, engine_image
from .shell import LabError


def _module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(f"{__package__}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{__package__}.{name}":
            raise
        return None


def find_engine(say: Say) -> EngineImage:
    """The engine image on this machine's Docker, built where it is missing."""
    engine = _module("engine")
    if engine is None:
        raise LabError("this checkout has no lab engine (src/twinspark/lab/engine.py): use --no-engine")
    tag = engine.ensure_engine_base(cache_home())
    return engine_image(tag, engine.engine_tar(cache_home()))


def ensure_services(lab: Lab, image: str, *, required: bool, say: Say) -> dict[str, str]:
    """The lab's Hub and folder of Git repositories, {"hub": URL, "git": URL}; without engine a lab can do without."""
    services = _module("services")
    if services is None:
        if required:
            raise LabError("this checkout has no lab services (src/twinspark/lab/services.py)")
        return {}
    try:
        urls: dict[str, str] = services.start("docker", lab.services, lab.network, image, cache_home())
    except (LabError, OSError) as error:
        if required:
            raise
        say(f"no Hub and no Git server: {error}")
        return {}
    return urls
