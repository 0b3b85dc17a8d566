"""A closed-form start for a student's stem: ridge regression onto a stem that works.

The target is the first convolution with its norm, before the activation, of the teacher or of
an earlier student. Solving the normal equations takes seconds and starts distillation far below
a random stem's loss; under noise the same regression is a Wiener filter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from parties.model_provider.mobilefacenet import MobileFaceNet
from parties.model_provider.student import StudentNetwork

__all__ = ["RidgeBatch", "start_stem"]

_POSITIONS = 160  # per picture
_PENALTY = 1e-2  # relative to the mean power of a regressor


class RidgeBatch(NamedTuple):
    """Protected inputs `[B,C,112,112]` and wanted stem outputs `[B,64·width,56,·]`."""

    protected: Tensor
    target: Tensor


class _Normal:
    """Normal equations of a linear regression, accumulated over batches."""

    def __init__(self) -> None:
        self._gram: Tensor | float = 0.0
        self._cross: Tensor | float = 0.0
        self._rows = 0

    def add(self, regressors: Tensor, targets: Tensor) -> None:
        self._gram = self._gram + (regressors.T @ regressors).double()
        self._cross = self._cross + (regressors.T @ targets).double()
        self._rows += len(regressors)

    def solve(self) -> tuple[Tensor, Tensor]:
        """Return weights `[R,T]` (last row: the constant) and the second moments `[R,R]`."""
        gram = torch.as_tensor(self._gram) / self._rows
        cross = torch.as_tensor(self._cross) / self._rows
        power = _PENALTY * gram.diagonal()[:-1].mean()
        penalty = torch.full((len(gram),), float(power), dtype=torch.float64)
        penalty[-1] = 0.0
        return torch.linalg.solve(gram + penalty.diag(), cross), gram


def start_stem(
    student: StudentNetwork, batches: Callable[[], Iterable[RidgeBatch]], seed: int
) -> None:
    """Set the student's reduction and stem in closed form, on the CPU.

    `batches()` is called twice: once for the reduction, once for the stem.
    """
    with torch.inference_mode():
        reduction = _reduction(student, batches(), seed)
    with torch.no_grad():
        student.reduce.weight.copy_(reduction.float()[:, :, None, None])
    with torch.inference_mode():
        kernel, bias = _stem(student, batches(), seed + 1)
    with torch.no_grad():
        _set_stem(student.face, kernel.float(), bias.float())


def _reduction(student: StudentNetwork, batches: Iterable[RidgeBatch], seed: int) -> Tensor:
    """The channel mixing `[reduced,C]` that keeps most of what a full 3×3 stem would use."""
    normal, channels = _Normal(), student.design.channels
    generator = torch.Generator().manual_seed(seed)
    first, columns = (112 - student.design.columns) // 2, student.design.columns
    for batch in batches:
        features = batch.protected[..., first : first + columns]
        _collect(normal, features, batch.target, 3, generator)
    weights, gram = normal.solve()
    mixing = weights[:-1].reshape(channels, -1)  # regressors are ordered (channel, row, column)
    centre = torch.arange(channels) * 9 + 4
    covariance = gram[centre][:, centre] - torch.outer(gram[centre, -1], gram[centre, -1])
    power, axes = torch.linalg.eigh(covariance)
    scales = power.clamp_min(_PENALTY * float(power.mean())).sqrt()
    basis, _, _ = torch.linalg.svd(scales[:, None] * (axes.T @ mixing), full_matrices=False)
    # A row r = V S⁻¹ u has unit output variance.
    kept: Tensor = axes @ (basis[:, : student.design.reduced] / scales[:, None])
    return kept.T


def _stem(
    student: StudentNetwork, batches: Iterable[RidgeBatch], seed: int
) -> tuple[Tensor, Tensor]:
    """The strided kernel `[64,reduced,k,k]` and constant `[64]` on the reduced channels."""
    normal, size = _Normal(), student.design.stem_kernel
    generator = torch.Generator().manual_seed(seed)
    for batch in batches:
        reduced = student.reduced(batch.protected)
        _collect(normal, reduced, batch.target, size, generator)
    weights, _ = normal.solve()
    kernel = weights[:-1].T.reshape(-1, student.design.reduced, size, size)
    return kernel, weights[-1]


def _collect(
    normal: _Normal, features: Tensor, targets: Tensor, size: int, generator: torch.Generator
) -> None:
    count, _, rows, columns = targets.shape
    picture = torch.arange(count).repeat_interleave(_POSITIONS)
    row = torch.randint(0, rows, picture.shape, generator=generator)
    column = torch.randint(0, columns, picture.shape, generator=generator)
    normal.add(_patches(features, size, (picture, row, column)), targets[picture, :, row, column])


def _patches(features: Tensor, size: int, at: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Cut `size`×`size` patches at stride 2, flattened, with a constant 1 appended."""
    padded = functional.pad(features, (size // 2,) * 4)
    windows = padded.unfold(2, size, 2).unfold(3, size, 2)  # [B,C,rows,columns,size,size]
    cut = windows[at[0], :, at[1], at[2]].flatten(1)
    return torch.cat([cut, cut.new_ones(len(cut), 1)], dim=1)


def _set_stem(face: MobileFaceNet, kernel: Tensor, bias: Tensor) -> None:
    """Write a kernel with constant; the norm becomes the identity with that bias."""
    norm = face.stem.norm
    face.stem.conv.weight.copy_(kernel)
    ones, zeros = torch.ones_like(bias), torch.zeros_like(bias)
    state = {"weight": ones, "bias": bias, "running_mean": zeros, "running_var": ones - norm.eps}
    norm.load_state_dict(state, strict=False)
