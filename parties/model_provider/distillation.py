"""Adapting the RGB network to protected inputs by distillation.

A student is started in closed form (module `ridge`) and then trained to point where the
teacher points: loss 1 − cos, plus the same on the last feature map, which gives every picture
some fifty more targets. Teacher and student see the same picture, mirrored half of the time;
the student sees it through the protected pipeline, with fresh noise on every visit, and a share
of the pictures under other light than the teacher: pointing where the teacher points on the
well-lit picture is what makes light not matter.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from parties.model_provider.allocating import Shares
from parties.model_provider.batches import ClientMaker, Relight, Source, Visits
from parties.model_provider.checkpoint import read_checkpoint, write_checkpoint
from parties.model_provider.embedders import Student
from parties.model_provider.held_out import set_apart
from parties.model_provider.optimisation import Optimisation
from parties.model_provider.recentring import recentre
from parties.model_provider.ridge import start_stem
from parties.model_provider.schedule import DistilConfig, OnProgress, convolutions
from parties.model_provider.student import StudentDesign, StudentNetwork
from parties.model_provider.targets import TargetCache
from parties.model_provider.teacher import RgbEmbedder
from protocol.errors import DataError
from protocol.features import Calibration, FeatureExtractor, FeatureSpec, calibrate

__all__ = ["distil"]

_CALIBRATION_BATCH = 64

Pictures = NDArray[np.uint8]


def distil(  # noqa: PLR0913 - the last eight are optional
    pictures: Pictures,
    teacher: RgbEmbedder,
    spec: FeatureSpec,
    config: DistilConfig,
    *,
    on_progress: OnProgress | None = None,
    checkpoint: Path | None = None,
    start: Student | None = None,
    calibration: Calibration | None = None,
    targets: TargetCache | None = None,
    people: NDArray[np.int64] | None = None,
    client: ClientMaker = FeatureExtractor,
    relight: Relight | None = None,
) -> Student:
    """Train a student for `spec` on training pictures, uint8 `[N,112,112,3]`.

    `start` is an earlier student with the same calibration: of the same features, it is trained
    further; of others, its trunk is kept and a stem for `spec` is solved that imitates its own.
    `calibration` replaces the one estimated on the pictures, `targets` remembers the teacher's
    answers about them from one training to the next. `people` says who is on each picture, [N];
    `client` who protects them, if not the one that `spec` implies; `relight` how other light is
    made, where the configuration asks for it.
    When `checkpoint` exists, training continues from it; it is written every minute, at the end,
    and when the caller interrupts.

    Raises:
        DataError: too few pictures, a checkpoint of another training, a margin loss without
            `people`, or light without `relight`.
    """
    if config.light and relight is None:
        raise DataError("nobody says how other light is made", where="light")
    if len(pictures) < config.batch_size:
        raise DataError(f"{len(pictures)} training pictures are fewer than one batch")
    if calibration is None:
        calibration = start.calibration if start else _calibrated(pictures, spec)
    calibration = _with_shares(calibration, spec, start)
    half = config.precision == "bfloat16"
    visits = Visits(
        config.batch_size, config.seed, config.shift, half, client, config.light, relight
    )
    features, apart = (spec, calibration), config.patience is not None
    source, held = _source(pictures, people, teacher, features, visits, targets, apart=apart)
    network = StudentNetwork(_design(teacher, spec, config)).eval()
    resumed = checkpoint is not None and checkpoint.exists()
    if not resumed:
        _start(network, teacher, source, config, start)
    run = Optimisation(network, teacher, config, source, held)
    if checkpoint is not None and resumed:
        run.progress = read_checkpoint(
            checkpoint, run.trained, run.optimiser, _identity(spec, config)
        )
    try:
        run.train(on_progress, lambda: _save(checkpoint, run, spec, config))
    finally:
        _save(checkpoint, run, spec, config)
        teacher.network.cpu()
    record = _record(run, teacher, len(pictures), start)
    return Student(network.cpu().eval(), spec, run.calibration, record)


def _source(
    pictures: Pictures,
    people: NDArray[np.int64] | None,
    teacher: RgbEmbedder,
    features: tuple[FeatureSpec, Calibration],
    visits: Visits,
    targets: TargetCache | None,
    *,
    apart: bool,
) -> tuple[Source, Pictures | None]:
    """Return the source of batches, and the pictures held out of it where some are set apart."""
    if not apart:
        return Source(pictures, teacher, *features, visits, targets, people), None
    rows, held = set_apart(people, len(pictures))
    if len(rows) < visits.size:
        raise DataError(f"{len(rows)} pictures are left to train on, fewer than one batch")
    known = None if people is None else people[rows]
    # What a cache remembers is named by its row, and rows are others now.
    return Source(pictures[rows], teacher, *features, visits, None, known), pictures[held]


def _calibrated(pictures: Pictures, spec: FeatureSpec) -> Calibration:
    starts = range(0, len(pictures), _CALIBRATION_BATCH)
    return calibrate(
        (pictures[i : i + _CALIBRATION_BATCH] for i in starts), spec.fusion, spec.selection
    )


def _with_shares(
    calibration: Calibration, spec: FeatureSpec, earlier: Student | None
) -> Calibration:
    """Return the calibration with shares to start from, where shares are to be learned."""
    if spec.allocation == "uniform":
        kept = calibration.allocation is None
        return calibration if kept else replace(calibration, allocation=None)
    shares = Shares(spec)
    known = calibration.allocation or (earlier.calibration.allocation if earlier else None)
    if known is not None:
        shares.start_from(known)
    return replace(calibration, allocation=shares.allocation())


def _design(teacher: RgbEmbedder, spec: FeatureSpec, config: DistilConfig) -> StudentDesign:
    trunk = teacher.network.architecture
    return StudentDesign(
        spec.channels,
        min(config.reduced, spec.channels),
        config.stem_kernel,
        trunk.dimension,
        trunk.width,
        trunk.columns,
    )


def _start(
    network: StudentNetwork,
    teacher: RgbEmbedder,
    source: Source,
    config: DistilConfig,
    earlier: Student | None,
) -> None:
    if earlier is not None and earlier.spec == source.spec:
        network.load_state_dict(earlier.network.state_dict())
        return
    trunk = earlier.network.face if earlier else teacher.network
    state = {k: v for k, v in trunk.state_dict().items() if k != "stem.conv.weight"}
    network.face.load_state_dict(state, strict=False)
    batches = -(-config.ridge_pictures // config.batch_size)
    start_stem(network, lambda: source.ridge(batches, earlier), config.seed)
    if source.noisy:
        with convolutions(config):
            recentre(network, source.inputs(batches))


def _identity(spec: FeatureSpec, config: DistilConfig) -> str:
    """What a checkpoint must agree on to be continued; the time budget may change."""
    kept = {k: v for k, v in asdict(config).items() if k not in {"minutes", "steps", "device"}}
    return f"{spec!r} {sorted(kept.items())!r}"


def _save(
    checkpoint: Path | None, run: Optimisation, spec: FeatureSpec, config: DistilConfig
) -> None:
    if checkpoint is not None:
        write_checkpoint(
            checkpoint, run.trained, run.optimiser, run.progress, _identity(spec, config)
        )


def _record(
    run: Optimisation, teacher: RgbEmbedder, pictures: int, start: Student | None
) -> dict[str, object]:
    config = {k: v for k, v in asdict(run.config).items() if k != "device"}
    return {
        "teacher": teacher.digest,
        "pictures": pictures,
        "steps": run.progress.step,
        "training_s": round(run.progress.elapsed_s, 1),
        "loss": round(run.progress.loss, 5),
        "held_out": None if run.held_out is None else run.held_out.best,
        "config": config,
        "start": None if start is None else start.record,
    }
