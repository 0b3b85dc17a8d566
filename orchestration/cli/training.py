"""What `bauta train` trains: a scenario's data, teacher and configuration, checked and opened."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from orchestration.training import adapted_name, adapted_places, load_teacher, writable_place
from parties.model_provider import DistilConfig, RgbEmbedder
from protocol.errors import ScenarioError
from scenarios.datasets import DataSet, open_dataset
from scenarios.resources import check_runnable, data_root
from scenarios.schema import load_scenario
from scenarios.specs import Scenario

__all__ = ["Training", "open_training"]


class Training(NamedTuple):
    """A training that only has to be started."""

    scenario: Scenario
    dataset: DataSet
    teacher: RgbEmbedder
    config: DistilConfig

    def usual_place(self) -> Path:
        """Return the file in which a run looks for this student."""
        name = adapted_name(self.scenario.features, self.teacher, self.dataset)
        return writable_place(adapted_places(data_root())) / name


def open_training(
    path_or_name: str,
    overrides: tuple[str, ...],
    *,
    minutes: float | None,
    steps: int | None,
    device: str,
) -> Training:
    """Load the scenario, its data set and its teacher.

    Raises:
        ScenarioError: the scenario has no network that is adapted, or there is no such device.
        DataError: data or weights are missing.
    """
    scenario = load_scenario(path_or_name, overrides)
    if scenario.network.kind != "student":
        text = f"a {scenario.network.kind} network is not adapted"
        raise ScenarioError(text, where="network.kind", hint="--set network.kind=student")
    check_runnable(scenario, data_root())
    config = DistilConfig(
        minutes=scenario.network.adapt_minutes if minutes is None else minutes,
        steps=steps,
        seed=scenario.seed,
        device=_device(device),
    )
    dataset = open_dataset(scenario.data, data_root(), seed=scenario.seed)
    return Training(scenario, dataset, load_teacher(scenario.network.teacher, data_root()), config)


def _device(asked: str) -> str:
    import torch

    found = torch.cuda.is_available()
    if asked == "cuda" and not found:
        raise ScenarioError("torch finds no CUDA device", where="--device", hint="use auto or cpu")
    return "cuda" if asked != "cpu" and found else "cpu"
