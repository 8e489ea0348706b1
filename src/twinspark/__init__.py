"""twinspark: two NVIDIA DGX Sparks, from cabled boxes to a proved vLLM service."""

import ansible.module_utils

from .paths import packaged_content

__version__ = "0.1.0"

# The wrapper judges by the code that the hosts run, under the name that Ansible gives it there.
_MODULE_UTILS = str(packaged_content() / "module_utils")
if _MODULE_UTILS not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(_MODULE_UTILS)
