"""twinspark: two NVIDIA DGX Sparks, from cabled boxes to a proved vLLM service."""

from pathlib import Path

import ansible.module_utils

__version__ = "0.1.0"

# The wrapper judges by the code that the hosts run, under the name that Ansible gives it there.
_MODULE_UTILS = str(Path(__file__).resolve().parents[2] / "module_utils")
if _MODULE_UTILS not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(_MODULE_UTILS)
