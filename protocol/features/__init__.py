"""Hybrid frequency-colour features: what a client computes, protects and sends.

Names are loaded when they are first used: the specification alone needs neither torch nor the
compiled kernels, and a scenario can be read in a fraction of a second.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from protocol.features.allocation import Allocation
    from protocol.features.budget import PrivacyBudget, privacy_budget
    from protocol.features.calibration import Calibration, calibrate
    from protocol.features.extractor import FeatureExtractor
    from protocol.features.network import dequantise, network_input
    from protocol.features.spec import FeatureSpec, ProtectedBatch
    from protocol.features.wire import wire_error

__all__ = [
    "Allocation",
    "Calibration",
    "FeatureExtractor",
    "FeatureSpec",
    "PrivacyBudget",
    "ProtectedBatch",
    "calibrate",
    "dequantise",
    "network_input",
    "privacy_budget",
    "wire_error",
]

_HOMES: Final = {
    "Allocation": "allocation",
    "Calibration": "calibration",
    "FeatureExtractor": "extractor",
    "FeatureSpec": "spec",
    "PrivacyBudget": "budget",
    "ProtectedBatch": "spec",
    "calibrate": "calibration",
    "dequantise": "network",
    "network_input": "network",
    "privacy_budget": "budget",
    "wire_error": "wire",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name of the package
    """Load a public name from its module."""
    if name not in _HOMES:
        text = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(text)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
