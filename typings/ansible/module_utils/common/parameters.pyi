from collections.abc import Callable
from typing import Any

DEFAULT_TYPE_VALIDATORS: dict[str, Callable[[Any], Any]]
