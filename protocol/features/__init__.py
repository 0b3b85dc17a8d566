"""Hybrid frequency-colour features: what a client computes, protects and sends."""

from protocol.features.budget import PrivacyBudget, privacy_budget
from protocol.features.calibration import Calibration, calibrate
from protocol.features.extractor import FeatureExtractor
from protocol.features.network import dequantise, network_input
from protocol.features.spec import FeatureSpec, ProtectedBatch
from protocol.features.wire import wire_error

__all__ = [
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
