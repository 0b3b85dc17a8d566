"""Which networks a scenario runs: shipped, found, or adapted on first use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestration.progress import OnProgress, Progress
from protocol.errors import ScenarioError
from protocol.features import Calibration
from scenarios.datasets import DataSet
from scenarios.specs import Scenario

if TYPE_CHECKING:
    from parties.model_provider import RgbEmbedder, StudentEmbedder

__all__ = ["Networks", "find_networks"]


class Networks(NamedTuple):
    """The provider's network and the unprotected network beside it.

    Attributes:
        name: what the report calls the provider's network.
        student_path: its file; None where templates pass through.
        calibration: the feature calibration it was trained with.
        rgb: the unprotected baseline, where there is one.
        record: how the provider's network was trained.
    """

    name: str
    student_path: str | None
    calibration: Calibration | None
    rgb: RgbEmbedder | None
    record: dict[str, Any]


def find_networks(
    scenario: Scenario, data_root: Path | None, dataset: DataSet, on_progress: OnProgress
) -> Networks:
    """Return the networks of a scenario, adapting one first where that is needed.

    Raises:
        ScenarioError: the shipped or given network was made for other features.
        DataError: a weight file is missing or malformed.
    """
    kind = scenario.network.kind
    if kind == "identity":
        return Networks("none: templates pass through", None, None, None, {})
    if kind == "shipped":
        return _shipped(scenario)
    return _adapted(scenario, data_root, dataset, on_progress)


def _shipped(scenario: Scenario) -> Networks:
    from parties.model_provider.shipped import SHIPPED_STUDENT, load_shipped_rgb

    name = "shipped student, trained on synthetic faces"
    return _opened(name, SHIPPED_STUDENT, load_shipped_rgb(), scenario)


def _adapted(
    scenario: Scenario, data_root: Path | None, dataset: DataSet, on_progress: OnProgress
) -> Networks:
    from orchestration.training import (
        adapted_name,
        find_adapted,
        load_teacher,
        writable_place,
    )

    chosen, spec = scenario.network, scenario.features
    teacher = load_teacher(chosen.teacher, data_root)
    name = adapted_name(spec, teacher, dataset)
    path = Path(chosen.weights).expanduser() if chosen.weights else find_adapted(name, data_root)
    if path is None:
        quiet = spec.quiet()
        start = find_adapted(adapted_name(quiet, teacher, dataset), data_root)
        out = writable_place() / name
        note = "no network for these features and these people yet"
        on_progress(Progress("adapt", 0, note=note))
        path = _adapt(scenario, teacher, dataset, out, start, on_progress)
    return _opened(f"student of {chosen.teacher}", path, teacher, scenario)


def _adapt(
    scenario: Scenario,
    teacher: RgbEmbedder,
    dataset: DataSet,
    out: Path,
    start: Path | None,
    on_progress: OnProgress,
) -> Path:
    """Adapt a network on first use; one for noisy features starts from the noiseless one."""
    from orchestration.training import train_student
    from parties.model_provider import DistilConfig

    config = DistilConfig(minutes=scenario.network.adapt_minutes, seed=scenario.seed)
    return train_student(
        dataset,
        teacher,
        scenario.features,
        config,
        out=out,
        on_progress=on_progress,
        start=start if start != out else None,
    )


def _opened(name: str, path: Path, rgb: RgbEmbedder, scenario: Scenario) -> Networks:
    """Read a student's public calibration and check that it fits the scenario's features."""
    from parties.model_provider import load_student

    student = load_student(path)
    if student.spec != scenario.features:
        wrong = _first_difference(student, scenario)
        message = f"the network was made for {wrong}={getattr(student.spec, wrong)}"
        hint = "use those features, or network.kind: student to adapt one"
        raise ScenarioError(message, where=f"features.{wrong}", hint=hint)
    return Networks(name, str(path), student.calibration, rgb, student.record)


def _first_difference(student: StudentEmbedder, scenario: Scenario) -> str:
    fields = scenario.features.__struct_fields__
    return next(
        name for name in fields if getattr(student.spec, name) != getattr(scenario.features, name)
    )
