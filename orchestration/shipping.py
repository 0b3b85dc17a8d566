"""Regenerate the two networks this package carries: `python -m orchestration.shipping`.

Everything comes from the generator of synthetic people and from seeds; no picture of a real
person and no third-party weight takes part. See docs/decisions/0013-shipped-weights.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
from numpy.typing import NDArray

from orchestration.generated import (
    ALBUM_PICTURES,
    SEED,
    Album,
    FactorBatches,
    albums,
    held_out,
    recognition,
    training,
)
from parties.model_provider import (
    DistilConfig,
    Report,
    RgbEmbedder,
    StudentEmbedder,
    distil,
    save_student,
)
from parties.model_provider.shipped import SHIPPED_RGB, SHIPPED_STUDENT, load_shipped_rgb, save_rgb
from parties.model_provider.supervised import SmallConfig, separate_people, train_small
from protocol.features import Calibration, FeatureExtractor, FeatureSpec, calibrate

__all__ = ["main"]

ALBUMS: Final = 1500
CALIBRATION_PICTURES: Final = 2000
CALIBRATION_BATCH: Final = 50
MARGIN: Final = 1.1  # bounds are shared by a whole channel, so the file stays small
REPORT_STEPS: Final = 50


@click.command(short_help="Train the networks this package carries.")
@click.option("--steps", default=2000, show_default=True, help="Steps of the RGB network.")
@click.option("--student-steps", default=800, show_default=True, help="Steps of the student.")
@click.option("--batch", default=32, show_default=True, help="Pictures per step.")
@click.option("--student-only", is_flag=True, help="Keep the RGB network that is there.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=SHIPPED_RGB.parent,
    help="Where the files go; by default where this package carries them.",
)
def main(*, steps: int, student_steps: int, batch: int, student_only: bool, out: Path) -> None:
    """Train the RGB network on identity factors, then its student by distillation."""
    shown, judged = training(), held_out()
    rgb, student = out / SHIPPED_RGB.name, out / SHIPPED_STUDENT.name
    if not student_only:
        _train_rgb(shown, judged, SmallConfig(steps=steps, precision="bfloat16"), batch, rgb)
    config = DistilConfig(
        steps=student_steps,
        batch_size=batch,
        seed=SEED,
        learning_rate=2e-3,
        precision="bfloat16",
    )
    _train_student(shown, judged, load_shipped_rgb(rgb), config, student)
    click.echo(f"{rgb}\n{student}")


def _train_rgb(shown: Album, judged: Album, config: SmallConfig, batch: int, path: Path) -> None:
    last: list[Report] = []
    network = train_small(FactorBatches(shown, batch), config, _printed(last))
    finished = separate_people(network, albums(ALBUMS).load(), ALBUM_PICTURES)
    record = {
        **_record(shown, batch, last[-1]),
        "config": asdict(config),
        "discriminant_people": ALBUMS,
        "held_out": _judged("RGB", finished.embed_pictures, judged),
    }
    save_rgb(finished, path, record)


def _train_student(
    shown: Album, judged: Album, teacher: RgbEmbedder, config: DistilConfig, path: Path
) -> None:
    spec = FeatureSpec()
    sample = albums(CALIBRATION_PICTURES // ALBUM_PICTURES).load()
    calibration = _compact(
        calibrate(np.array_split(sample, len(sample) // CALIBRATION_BATCH), spec.fusion)
    )
    student = distil(
        shown.load(), teacher, spec, config, on_progress=_printed([]), calibration=calibration
    )

    def embed(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        protected = FeatureExtractor(spec, calibration, bytes).protect(pictures)
        return embedder.embed(protected)

    embedder = StudentEmbedder(student)
    student.record["data"] = "synthetic"
    student.record["held_out_people"] = _judged("student", embed, judged)
    save_student(student, path)


def _record(shown: Album, batch: int, last: Report) -> dict[str, Any]:
    return {
        "data": "synthetic",
        "people": shown.people,
        "pictures": len(shown),
        "batch": batch,
        "loss": round(last.loss, 5),
        "training_s": round(last.elapsed_s, 1),
    }


def _judged(
    name: str, embed: Callable[[NDArray[np.uint8]], NDArray[np.float32]], judged: Album
) -> dict[str, Any]:
    """Print how a network recognises people held out of everything, and return it."""
    starts = range(0, len(judged), CALIBRATION_BATCH)
    parts = [
        embed(judged.load(range(start, min(start + CALIBRATION_BATCH, len(judged)))))
        for start in starts
    ]
    found = recognition(np.concatenate(parts))
    click.echo(f"{name}, {found}")
    return {name: round(value, 5) for name, value in found._asdict().items()}


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


def _printed(last: list[Report]) -> Callable[[Report], None]:
    """Return a watcher that prints now and then, and keeps the last report."""

    def report(found: Report) -> None:
        last[:] = [found]
        if found.step % REPORT_STEPS == 0:
            click.echo(
                f"step {found.step}, loss {found.loss:.4f}, {found.elapsed_s:.0f} s, "
                f"{found.remaining_s:.0f} s left"
            )

    return report


if __name__ == "__main__":
    main()
