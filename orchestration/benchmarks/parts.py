"""Which part of a protected input a network recognises by: frequency or colour.

Each part in turn is replaced by another person's. If the embedding stays where it was, the
network did not use that part; if it leaves, the identity was in it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestration.networks import find_networks
from orchestration.progress import OnProgress
from parties.model_provider import load_student
from protocol.errors import ScenarioError
from protocol.features import FeatureExtractor, ProtectedBatch
from scenarios.datasets import open_dataset
from scenarios.specs import Scenario

__all__ = ["PartShares", "measure_parts"]


class PartShares(NamedTuple):
    """Mean cosine to the unprotected network's embedding of the same picture."""

    intact: float
    frequency_swapped: float
    colour_swapped: float


def measure_parts(
    scenario: Scenario, data_root: Path | None, pictures: int, on_progress: OnProgress
) -> PartShares:
    """Measure a scenario's network on one picture each of test people.

    Raises:
        ScenarioError: templates have no pictures.
    """
    dataset = open_dataset(scenario.data, data_root, seed=scenario.seed)
    networks = find_networks(scenario, data_root, dataset, on_progress)
    if networks.rgb is None or networks.student_path is None:
        raise ScenarioError("there are no pictures to protect", where="data.kind")
    student = load_student(Path(networks.student_path))
    people = dataset.test_identities()[:pictures]
    faces = dataset.load([dataset.pictures_of(person)[0] for person in people])
    extractor = FeatureExtractor(student.spec, student.calibration, os.urandom)
    batch = extractor.protect(faces)
    wanted = networks.rgb.embed_pictures(faces)
    other = np.roll(np.arange(len(faces)), len(faces) // 2)
    inputs = (
        batch,
        ProtectedBatch(batch.frequency[other], batch.colour),
        ProtectedBatch(batch.frequency, batch.colour[other]),
    )
    return PartShares(*(_cosine(student.embed(part), wanted) for part in inputs))


def _cosine(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    products = (first * second).sum(axis=1)
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return float((products / norms).mean())
