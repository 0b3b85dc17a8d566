"""What `bauta train` trains: a scenario's data, teacher and configuration, checked and opened."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, cast

from orchestration.training import adapted_name, load_teacher, writable_place
from parties.model_provider import DistilConfig, Precision, RgbEmbedder, fast_precision
from protocol.errors import ScenarioError
from scenarios.datasets import DataSet, open_dataset
from scenarios.resources import TEACHERS, check_runnable, data_root
from scenarios.schema import load_scenario
from scenarios.specs import Scenario

__all__ = [
    "Faces",
    "Training",
    "Wishes",
    "judges_of",
    "open_faces",
    "open_training",
    "precision",
]


class Wishes(NamedTuple):
    """What a command line asks of a training; None leaves a choice to the scenario or the default.

    Attributes:
        minutes: of gradient steps.
        steps: instead of minutes.
        device: `auto`, `cpu` or `cuda`.
        precision: `auto`, `float32` or `bfloat16`.
        shift: largest displacement of a training picture, in pixels.
        learning_rate: peak of the schedule.
        distil: weight of the distance to the teacher.
        arcface: weight of the margin loss.
        patience: checks without a better one before training stops.
        light: share of training pictures under other light.
    """

    minutes: float | None = None
    steps: int | None = None
    device: str = "auto"
    precision: str = "auto"
    shift: int = 0
    learning_rate: float | None = None
    distil: float = 1.0
    arcface: float = 0.0
    patience: int | None = None
    light: float = 0.0


class Faces(NamedTuple):
    """A scenario with the people and the RGB network it names."""

    scenario: Scenario
    dataset: DataSet
    teacher: RgbEmbedder


class Training(NamedTuple):
    """A training that only has to be started."""

    scenario: Scenario
    dataset: DataSet
    teacher: RgbEmbedder
    config: DistilConfig

    def usual_place(self) -> Path:
        """Return the file in which a run looks for this student."""
        name = adapted_name(self.scenario.features, self.teacher, self.dataset)
        return writable_place() / name


def open_training(path_or_name: str, overrides: tuple[str, ...], wishes: Wishes) -> Training:
    """Load the scenario, its data set and its teacher.

    Raises:
        ScenarioError: the scenario has no network that is adapted, or there is no such device.
        DataError: data or weights are missing.
    """
    scenario = load_scenario(path_or_name, overrides)
    if scenario.network.kind != "student":
        text = f"a {scenario.network.kind} network is not adapted"
        raise ScenarioError(text, where="network.kind", hint="--set network.kind=student")
    return Training(*_opened(scenario), _config(scenario, wishes))


def open_faces(path_or_name: str) -> Faces:
    """Load a scenario, its data set and its RGB network, whatever is made of them.

    Raises:
        ScenarioError: the scenario cannot be read.
        DataError: data or weights are missing.
    """
    return _opened(load_scenario(path_or_name))


def judges_of(scenario: Scenario, teacher: RgbEmbedder) -> dict[str, RgbEmbedder]:
    """Return the networks that say whether a face was recovered, the scenario's own first.

    Two were trained on different people: what only one of them recognises may be its own memory.

    Raises:
        DataError: weights are missing.
    """
    own = scenario.network.teacher
    others = (name for name in TEACHERS if name != own)
    return {own: teacher} | {name: load_teacher(name, data_root()) for name in others}


def _opened(scenario: Scenario) -> Faces:
    check_runnable(scenario, data_root())
    dataset = open_dataset(scenario.data, data_root(), seed=scenario.seed)
    return Faces(scenario, dataset, load_teacher(scenario.network.teacher, data_root()))


def _config(scenario: Scenario, wishes: Wishes) -> DistilConfig:
    device, chosen = _device(wishes.device), DistilConfig()
    return DistilConfig(
        minutes=wishes.minutes or scenario.network.adapt_minutes,
        steps=wishes.steps,
        seed=scenario.seed,
        device=device,
        precision=precision(wishes.precision, device),
        shift=wishes.shift,
        learning_rate=wishes.learning_rate or chosen.learning_rate,
        distil_weight=wishes.distil,
        arcface_weight=wishes.arcface,
        patience=wishes.patience,
        light=wishes.light,
    )


def precision(asked: str, device: str) -> Precision:
    """Return the precision asked for, or the fast one of the device."""
    return fast_precision(device) if asked == "auto" else cast("Precision", asked)


def _device(asked: str) -> str:
    import torch

    found = torch.cuda.is_available()
    if asked == "cuda" and not found:
        raise ScenarioError("torch finds no CUDA device", where="--device", hint="use auto or cpu")
    return "cuda" if asked != "cpu" and found else "cpu"
