"""Runtimes: where the parties of a run live.

Ray reads some settings when it is imported, so they are made here, before any module of this
package can import it. What the user has set stays.
"""

from __future__ import annotations

import os
from typing import Final

__all__ = ["RAY_SETTINGS"]

RAY_SETTINGS: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    # Ray's handler of SIGTERM would print a stack and abort; ours ends the run in order.
    "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1",
    # A cluster of one machine is reached over loopback, from nowhere else.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
for _name, _value in RAY_SETTINGS.items():
    os.environ.setdefault(_name, _value)
