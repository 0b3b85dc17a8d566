"""What recovered faces are worth: to the eye by SSIM and PSNR, to a recogniser by identity."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from orchestration.benchmarks.inputs.judges import AttackFaces, Recognised
from orchestration.benchmarks.inputs.mechanisms import luminance
from orchestration.benchmarks.recovery.similarity import psnr_db, ssim

__all__ = ["Likeness", "likeness"]

Planes = NDArray[np.float32]

MID_GREY = 128
CONFIDENT = 1.96


class Likeness(msgspec.Struct, frozen=True, kw_only=True):
    """Recovered faces beside the true ones.

    Attributes:
        ssim: mean structural similarity to the true luminance.
        ssim_range: its 95 % interval over faces.
        psnr_db: mean peak signal-to-noise ratio; None where every pixel is right.
        correlation: mean correlation with the true luminance; None where nothing varies.
        judged: whom each network recognises in them.
        faces: how many were attacked.
    """

    ssim: float
    ssim_range: tuple[float, float]
    psnr_db: float | None
    correlation: float | None
    judged: tuple[Recognised, ...]
    faces: int


def likeness(planes: Planes, faces: AttackFaces) -> Likeness:
    """Compare recovered planes, luminance minus 128 [T,112,112], with the attacked faces."""
    true = luminance(faces.pictures)
    found = np.clip(planes, -MID_GREY, 255 - MID_GREY)
    similar = ssim(found + MID_GREY, true + MID_GREY)
    peak = float(psnr_db(found, true).mean())
    return Likeness(
        ssim=float(similar.mean()),
        ssim_range=_interval(similar),
        psnr_db=peak if np.isfinite(peak) else None,
        correlation=_correlation(found, true),
        judged=faces.recognised(found),
        faces=len(found),
    )


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return a normal 95 % interval of a mean."""
    mean = float(values.mean())
    half = CONFIDENT * float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return mean - half, mean + half


def _correlation(found: Planes, true: Planes) -> float | None:
    """Return the mean correlation over pictures in which both vary."""
    flat = [part.reshape(len(part), -1).astype(np.float64) for part in (found, true)]
    one, two = (part - part.mean(axis=1, keepdims=True) for part in flat)
    sizes = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
    vary = sizes > 0
    if not vary.any():
        return None
    return float((np.einsum("tp,tp->t", one, two)[vary] / sizes[vary]).mean())
