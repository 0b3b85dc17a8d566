"""Adapting the RGB network to protected inputs by distillation.

A student is started in closed form (module `ridge`) and then trained to point where the
teacher points: loss 1 − cos, plus the same on the last feature map, which gives every picture
some fifty more targets. Teacher and student see the same picture, mirrored half of the time;
the student sees it through the protected pipeline, with fresh noise on every visit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from parties.model_provider.allocating import Shares, share_gradient
from parties.model_provider.batches import Batch, Source, Visits
from parties.model_provider.checkpoint import Progress, read_checkpoint, write_checkpoint
from parties.model_provider.embedders import Student
from parties.model_provider.recentring import recentre
from parties.model_provider.ridge import start_stem
from parties.model_provider.student import StudentDesign, StudentNetwork
from parties.model_provider.targets import TargetCache
from parties.model_provider.teacher import RgbEmbedder
from protocol.errors import DataError
from protocol.features import Allocation, Calibration, FeatureSpec, calibrate

__all__ = [
    "DistilConfig",
    "OnProgress",
    "Precision",
    "Report",
    "distil",
    "fast_precision",
    "one_cycle",
]

_CALIBRATION_BATCH = 64
_CHECKPOINT_EVERY_S = 60.0
_WARMUP = 0.03


Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, slots=True)
class DistilConfig:
    """How a student is trained.

    Attributes:
        minutes: time budget of the gradient steps, spread over calls that resume.
        steps: fixed number of steps instead; makes the result a function of the seed.
        batch_size: pictures per step.
        learning_rate: peak of the one-cycle schedule.
        hint_weight: weight of the feature-map term.
        ridge_pictures: pictures the closed-form start reads.
        reduced: channels after the 1×1 reduction.
        stem_kernel: side of the strided stem.
        seed: of picture order, mirroring, and the noise seen in training.
        device: `cpu` or `cuda`.
        precision: of the student's convolutions; loss, head and weights are always float32.
        shift: largest displacement of training pictures in pixels, as augmentation.
        share_rate: peak rate of the logits of a learned allocation.
    """

    minutes: float = 14.0
    steps: int | None = None
    batch_size: int = 32
    learning_rate: float = 1e-3
    hint_weight: float = 1.0
    ridge_pictures: int = 384
    reduced: int = 16
    stem_kernel: int = 7
    seed: int = 7
    device: str = "cpu"
    precision: Precision = "float32"
    shift: int = 0
    share_rate: float = 0.1


class Report(NamedTuple):
    """One line of progress; `loss` is a running mean of 1 − cos on training pictures."""

    step: int
    loss: float
    elapsed_s: float
    remaining_s: float


OnProgress = Callable[[Report], None]
Pictures = NDArray[np.uint8]


def distil(  # noqa: PLR0913 - the last five are optional
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
) -> Student:
    """Train a student for `spec` on training pictures, uint8 `[N,112,112,3]`.

    `start` is an earlier student with the same calibration: of the same features, it is trained
    further; of others, its trunk is kept and a stem for `spec` is solved that imitates its own.
    `calibration` replaces the one estimated on the pictures, `targets` remembers the teacher's
    answers about them from one training to the next.
    When `checkpoint` exists, training continues from it; it is written every minute, at the end,
    and when the caller interrupts.

    Raises:
        DataError: too few pictures, or a checkpoint of another training.
    """
    if len(pictures) < config.batch_size:
        raise DataError(f"{len(pictures)} training pictures are fewer than one batch")
    if calibration is None:
        calibration = start.calibration if start else _calibrated(pictures, spec)
    calibration = _with_shares(calibration, spec, start)
    half = config.precision == "bfloat16"
    visits = Visits(config.batch_size, config.seed, config.shift, half)
    source = Source(pictures, teacher, spec, calibration, visits, targets)
    network = StudentNetwork(_design(teacher, spec, config)).eval()
    resumed = checkpoint is not None and checkpoint.exists()
    if not resumed:
        _start(network, teacher, source, config, start)
    run = _Run(network, teacher, config, source)
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
        return replace(calibration, allocation=None)
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
    if source.spec.noisy:
        with _convolutions(config):
            recentre(network, source.inputs(batches))


def _shares(source: Source) -> Shares:
    shares = Shares(source.spec)
    if source.calibration.allocation is not None:
        shares.start_from(source.calibration.allocation)
    return shares


class _Run:
    """The optimisation of one student."""

    def __init__(
        self,
        network: StudentNetwork,
        teacher: RgbEmbedder,
        config: DistilConfig,
        source: Source,
    ) -> None:
        self.progress = Progress()
        self._config, self._source = config, source
        self.network = network.to(config.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        teacher.network.to(config.device)
        groups: list[dict[str, Any]] = [
            {"params": list(network.parameters()), "weight_decay": 1e-4, "peak": 1.0}
        ]
        self.shares: Shares | None = None
        self.trained: nn.Module = network
        if source.spec.allocation == "learned":
            self.shares = _shares(source)
            self.trained = nn.ModuleDict({"network": network, "shares": self.shares})
            peak = config.share_rate / config.learning_rate
            shared = list(self.shares.parameters())
            groups.append({"params": shared, "weight_decay": 0.0, "peak": peak})
        self.optimiser = torch.optim.AdamW(groups, lr=0.0)

    @property
    def calibration(self) -> Calibration:
        """The calibration with the shares learned so far."""
        return replace(self._source.calibration, allocation=self._allocation())

    def _allocation(self) -> Allocation | None:
        return None if self.shares is None else self.shares.allocation()

    def train(self, on_progress: OnProgress | None, save: Callable[[], None]) -> None:
        """Take steps until the schedule is over; the next batch is prepared meanwhile."""
        last, saved = time.monotonic(), time.monotonic()
        with ThreadPoolExecutor(1) as background:
            pending = background.submit(self._source.batch, self.progress.step, self._allocation())
            while self._fraction() < 1.0:
                batch = pending.result()
                # Shares of one step ago: a batch must not depend on when it is prepared.
                pending = background.submit(
                    self._source.batch, self.progress.step + 1, self._allocation()
                )
                loss = self._step(batch)
                now = time.monotonic()
                self.progress = self.progress.after(loss, now - last)
                last = now
                if on_progress:
                    on_progress(self._report())
                if now - saved > _CHECKPOINT_EVERY_S:
                    save()
                    saved = now

    def _fraction(self) -> float:
        if self._config.steps is not None:
            return self.progress.step / self._config.steps if self._config.steps else 1.0
        return self.progress.elapsed_s / max(1e-9, 60 * self._config.minutes)

    def _step(self, batch: Batch) -> float:
        for group in self.optimiser.param_groups:
            rate = self._config.learning_rate * group["peak"]
            group["lr"] = rate * one_cycle(self._fraction())
        device = self._config.device
        protected = batch.protected.to(device).requires_grad_(self.shares is not None)
        features = self._features(protected)
        wanted, target = (part.to(device) for part in batch.target)
        distance = _distance(self.network.face.head(features), target)
        total = distance + self._config.hint_weight * _distance(features, wanted)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        if self.shares is not None and batch.noise is not None and protected.grad is not None:
            self.shares.backward(share_gradient(batch.noise, protected.grad.cpu()))
        self.optimiser.step()
        if self.shares is not None:
            self.shares.keep_within()
        return float(distance.detach())

    def _features(self, protected: Tensor) -> Tensor:
        with _convolutions(self._config):
            found: Tensor = self.network.features(protected).float()
        return found

    def _report(self) -> Report:
        fraction, elapsed = self._fraction(), self.progress.elapsed_s
        remaining = elapsed * (1 - fraction) / max(fraction, 1e-9)
        return Report(self.progress.step, self.progress.loss, elapsed, max(0.0, remaining))


def _convolutions(config: DistilConfig) -> torch.autocast:
    """Run what is inside in the precision of convolutions."""
    half = config.precision == "bfloat16"
    return torch.autocast(config.device, torch.bfloat16, enabled=half)


def _distance(ours: Tensor, theirs: Tensor) -> Tensor:
    """Mean of 1 − cos along the channels."""
    return 1 - functional.cosine_similarity(ours, theirs, dim=1).mean()


def one_cycle(fraction: float) -> float:
    """One cycle: linear warm-up, then a cosine down to zero."""
    if fraction < _WARMUP:
        return (fraction + 1e-3) / (_WARMUP + 1e-3)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (fraction - _WARMUP) / (1 - _WARMUP))))


def fast_precision(device: str) -> Precision:
    """Return bfloat16 where the hardware multiplies it in tiles, else float32."""
    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    tiles = torch.cpu._is_amx_tile_supported()  # noqa: SLF001 - torch has no public name for it
    return "bfloat16" if tiles else "float32"


def _identity(spec: FeatureSpec, config: DistilConfig) -> str:
    """What a checkpoint must agree on to be continued; the time budget may change."""
    kept = {k: v for k, v in asdict(config).items() if k not in {"minutes", "steps", "device"}}
    return f"{spec!r} {sorted(kept.items())!r}"


def _save(checkpoint: Path | None, run: _Run, spec: FeatureSpec, config: DistilConfig) -> None:
    if checkpoint is not None:
        write_checkpoint(
            checkpoint, run.trained, run.optimiser, run.progress, _identity(spec, config)
        )


def _record(
    run: _Run, teacher: RgbEmbedder, pictures: int, start: Student | None
) -> dict[str, object]:
    config = {k: v for k, v in asdict(run._config).items() if k != "device"}  # noqa: SLF001
    return {
        "teacher": teacher.digest,
        "pictures": pictures,
        "steps": run.progress.step,
        "training_s": round(run.progress.elapsed_s, 1),
        "loss": round(run.progress.loss, 5),
        "config": config,
        "start": None if start is None else start.record,
    }
