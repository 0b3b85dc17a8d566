"""The model provider: networks, their adaptation, and the provider's role programs."""

from parties.model_provider.batches import Client, ClientMaker, Relight
from parties.model_provider.distillation import distil
from parties.model_provider.embedders import (
    Student,
    StudentEmbedder,
    load_student,
    read_student,
    save_student,
)
from parties.model_provider.schedule import DistilConfig, Precision, Report, fast_precision
from parties.model_provider.targets import TargetCache
from parties.model_provider.teacher import RgbEmbedder, load_rgb_network

__all__ = [
    "Client",
    "ClientMaker",
    "DistilConfig",
    "Precision",
    "Relight",
    "Report",
    "RgbEmbedder",
    "Student",
    "StudentEmbedder",
    "TargetCache",
    "distil",
    "fast_precision",
    "load_rgb_network",
    "load_student",
    "read_student",
    "save_student",
]
