"""Regenerate the two networks this package carries: `python -m orchestration.shipping`.

Everything comes from the generator of synthetic people and from seeds; no picture of a real
person and no third-party weight takes part. See docs/decisions/0013-shipped-weights.md.
"""

from __future__ import annotations

from dataclasses import fields
from functools import lru_cache

import click
import numpy as np
from numpy.typing import NDArray

from parties.model_provider import DistilConfig, Report, distil, save_student
from parties.model_provider.shipped import SHIPPED_RGB, SHIPPED_STUDENT, load_shipped_rgb, save_rgb
from parties.model_provider.supervised import FactorBatch, SmallConfig, separate_people, train_small
from protocol.features import Calibration, FeatureSpec, calibrate
from scenarios.datasets.face_identity import Person, draw_person
from scenarios.datasets.synthetic import SyntheticFaces

__all__ = ["main"]

SEED = 7
PEOPLE = 99_999  # drawn on demand; every training picture shows another person
PICTURES = 4  # of each person in the discriminant's albums
ALBUMS = 500
STUDENT_PICTURES = 2000
NOT_SHAPE = frozenset({"spots", "hair_phase"})
MARGIN = 1.1  # bounds are shared by a whole channel, so the file stays small


@click.command(short_help="Train the networks this package carries.")
@click.option("--steps", default=400, show_default=True, help="Steps of the RGB network.")
@click.option("--student-steps", default=200, show_default=True, help="Steps of the student.")
@click.option("--batch", default=48, show_default=True, help="Pictures per step.")
@click.option("--student-only", is_flag=True, help="Keep the RGB network that is there.")
def main(*, steps: int, student_steps: int, batch: int, student_only: bool) -> None:
    """Train the RGB network on identity factors, then its student by distillation."""
    faces = SyntheticFaces(SEED, training_people=PEOPLE, test_people=0, pictures=PICTURES)
    if not student_only:
        rgb = train_small(_Batches(faces, batch), SmallConfig(steps=steps, seed=SEED), _print)
        save_rgb(separate_people(rgb, _albums(faces), PICTURES), SHIPPED_RGB)
    pictures = _pictures(faces, PEOPLE - STUDENT_PICTURES, STUDENT_PICTURES)
    config = DistilConfig(steps=student_steps, seed=SEED, learning_rate=2e-3)
    calibration = _compact(calibrate(np.array_split(pictures, 40), "maxabs"))
    student = distil(
        pictures,
        load_shipped_rgb(),
        FeatureSpec(),
        config,
        on_progress=_print,
        calibration=calibration,
    )
    student.record["data"] = "synthetic"
    save_student(student, SHIPPED_STUDENT)
    click.echo(f"{SHIPPED_RGB}\n{SHIPPED_STUDENT}")


class _Batches:
    """Pictures of new people and the directions their factors point in."""

    def __init__(self, faces: SyntheticFaces, size: int) -> None:
        self._faces, self._size = faces, size
        sample = np.stack([factors(_person(index)) for index in range(1000)])
        self._mean, self._deviation = sample.mean(0), sample.std(0) + 1e-6
        mixing = np.random.default_rng(SEED).standard_normal((sample.shape[1], 128))
        self._mixing = mixing / np.sqrt(sample.shape[1])

    def __call__(self, step: int) -> FactorBatch:
        first = step * self._size % (PEOPLE // 2)
        people = range(first, first + self._size)
        standard = (np.stack([factors(_person(i)) for i in people]) - self._mean) / self._deviation
        wanted = np.clip(standard, -3, 3) @ self._mixing
        return _pictures(self._faces, first, self._size), wanted.astype(np.float32)


def factors(person: Person) -> NDArray[np.float64]:
    """Flatten what is the same in all pictures of a person."""
    values = [
        np.ravel(getattr(person, field.name))
        for field in fields(person)
        if field.name not in NOT_SHAPE
    ]
    return np.concatenate(values).astype(np.float64)


@lru_cache(maxsize=4096)
def _person(index: int) -> Person:
    return draw_person(np.random.default_rng([SEED, 0, index, 0]))


def _pictures(faces: SyntheticFaces, first: int, count: int) -> NDArray[np.uint8]:
    return faces.load([f"train-{index:05d}/00" for index in range(first, first + count)])


def _albums(faces: SyntheticFaces) -> NDArray[np.uint8]:
    """All pictures of some people the training did not show, one person after another."""
    people = range(PEOPLE // 2, PEOPLE // 2 + ALBUMS)
    return faces.load([p for i in people for p in faces.pictures_of(f"train-{i:05d}")])


def _compact(calibration: Calibration) -> Calibration:
    """Give every channel one pair of bounds: wider than needed, and a hundredth of the size."""
    shape = (1, 112, 112)
    lower = calibration.lower.min((1, 2), keepdims=True) * np.float32(MARGIN)
    upper = calibration.upper.max((1, 2), keepdims=True) * np.float32(MARGIN)
    return Calibration(
        calibration.fusion,
        np.tile(_half(lower), shape),
        np.tile(_half(upper), shape),
        calibration.scale,
        calibration.pictures,
    )


def _half(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values.astype(np.float16).astype(np.float32)


def _print(report: Report) -> None:
    if report.step % 10 == 0:
        click.echo(
            f"step {report.step}, loss {report.loss:.4f}, {report.elapsed_s:.0f} s, "
            f"{report.remaining_s:.0f} s left"
        )


if __name__ == "__main__":
    main()
