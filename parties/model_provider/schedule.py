"""How long, how fast and in which precision a student is trained."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import torch

from protocol.errors import DataError

__all__ = [
    "DistilConfig",
    "OnProgress",
    "Precision",
    "Report",
    "convolutions",
    "fast_precision",
    "one_cycle",
]

_WARMUP: Final = 0.03

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
        light: share of training pictures the student sees under other light than the teacher.
        share_rate: peak rate of the logits of a learned allocation.
        distil_weight: weight of the distance to the teacher's embedding and feature map.
        arcface_weight: weight of the angular margin loss over training people.
        arcface_margin: its margin in radians.
        arcface_scale: its scale.
        patience: checks on held-out people without a better one after which training stops; None
            holds nobody out.
        check_steps: steps between two checks.

    Raises:
        DataError: weights that leave nothing to train on, or a share of light outside 0 to 1.
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
    light: float = 0.0
    share_rate: float = 0.1
    distil_weight: float = 1.0
    arcface_weight: float = 0.0
    arcface_margin: float = 0.5
    arcface_scale: float = 64.0
    patience: int | None = None
    check_steps: int = 50

    def __post_init__(self) -> None:
        """Refuse a training without a goal, and shares that are none."""
        if self.distil_weight <= 0 and self.arcface_weight <= 0:
            raise DataError("both losses have no weight", where="training", hint="weigh one")
        if not 0 <= self.light <= 1:
            raise DataError(f"light is a share, not {self.light}", where="light", hint="0 to 1")


class Report(NamedTuple):
    """One line of progress.

    Attributes:
        step: steps taken.
        loss: running mean of 1 − cos to the teacher on training pictures.
        elapsed_s: time of the steps.
        remaining_s: time the schedule has left.
        held_out: the same distance on held-out people at the last check, where there was one.
    """

    step: int
    loss: float
    elapsed_s: float
    remaining_s: float
    held_out: float | None = None


OnProgress = Callable[[Report], None]


def convolutions(config: DistilConfig) -> torch.autocast:
    """Run what is inside in the precision of convolutions."""
    half = config.precision == "bfloat16"
    return torch.autocast(config.device, torch.bfloat16, enabled=half)


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
