"""Faces by identity, and how they are split into galleries and probes."""

from __future__ import annotations

from pathlib import Path

from protocol.errors import DataError
from scenarios.datasets.base import DataSet, Pictures
from scenarios.datasets.folder import FolderFaces
from scenarios.datasets.lfw import LfwFaces
from scenarios.datasets.split import Split, split_open_set
from scenarios.datasets.synthetic import SyntheticFaces
from scenarios.datasets.templates import RandomTemplates
from scenarios.specs import DataSpec, Scenario

__all__ = [
    "DataSet",
    "FolderFaces",
    "LfwFaces",
    "Pictures",
    "RandomTemplates",
    "Split",
    "SyntheticFaces",
    "open_dataset",
    "open_scenario_data",
    "split_open_set",
    "split_scenario_data",
]


def open_scenario_data(scenario: Scenario, data_root: Path | None) -> DataSet:
    """Open the data set of a scenario, with the people and pictures its gallery's life needs.

    Raises:
        DataError: files are missing or malformed.
    """
    return open_dataset(
        scenario.data,
        data_root,
        seed=scenario.seed,
        newcomers=scenario.newcomers,
        updates=scenario.changes if scenario.life.update else 0,
    )


def open_dataset(
    spec: DataSpec,
    data_root: Path | None = None,
    *,
    seed: int = 7,
    newcomers: int = 0,
    updates: int = 0,
) -> DataSet:
    """Open the data set a scenario names.

    Args:
        spec: the scenario's `data` section.
        data_root: the BAUTA_DATA folder; only lfw needs it.
        seed: which synthetic people or templates are drawn.
        newcomers: people enrolled later, where people are generated.
        updates: further pictures a person may need, where people are generated.

    Raises:
        DataError: files are missing or malformed.
    """
    people = spec.entries + newcomers + spec.unmated
    if spec.kind == "synthetic":
        pictures = max(10, _pictures_needed(spec) + updates)
        return SyntheticFaces(seed, test_people=people, pictures=pictures)
    if spec.kind == "templates":
        return RandomTemplates(
            seed,
            people=people,
            dimension=spec.dimension,
            noise=spec.noise,
            pictures=_pictures_needed(spec) + updates,
        )
    if spec.kind == "folder":
        return FolderFaces(Path(spec.path or "").expanduser())
    if data_root is None:
        raise DataError("lfw needs BAUTA_DATA, which is not set", where="data.kind")
    return LfwFaces(data_root, reverse=spec.reverse)


def split_scenario_data(dataset: DataSet, spec: DataSpec, seed: int, newcomers: int = 0) -> Split:
    """Split a data set as a scenario's `data` section asks.

    Args:
        dataset: the scenario's.
        spec: its `data` section.
        seed: its seed.
        newcomers: people of the gallery beyond `spec.entries`, for a gallery that grows.

    Raises:
        ScenarioError: too few people or pictures.
    """
    return split_open_set(
        dataset,
        spec.entries + newcomers,
        spec.mated,
        spec.unmated,
        seed,
        people=spec.people,
        per_person=spec.per_person,
    )


def _pictures_needed(spec: DataSpec) -> int:
    """Return pictures per generated person: the enrolled one and enough to draw probes from."""
    return 2 + -(-spec.mated // spec.entries)
