"""Which product kernel is faster here: settled by the first large product of each shape.

The first large product of a shape is computed by all kernels in turns, a few blocks of rows each,
and its remaining rows, like every later product of that shape, by the one whose blocks took the
least time. All kernels are exact, so the choice changes nothing but time, and no row is computed
twice for it. This room has no clock: whoever runs the process hands one in, and without one, or for
matrices too small to tell, a rule by vector width decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from typing import Any, Final, Literal, TypeAlias

import numpy.typing as npt

from protocol.jit import processor_has

__all__ = ["KERNELS", "Kernel", "Product", "chosen", "settled", "use_clock"]

Kernel = Literal["rows", "lanes"]
KERNELS: Final[tuple[Kernel, ...]] = ("rows", "lanes")
Product: TypeAlias = Callable[[int, int], None]
Clock: TypeAlias = Callable[[], float]

_TURNS: Final = 3  # the median of three: the first may compile, one may be interrupted
_TURN_BYTES: Final = 1 << 20
_FEW_PROBES: Final = 8 if processor_has("avx512bw") else 16

_clock: list[Clock] = []
_settled: dict[tuple[int, int, int], Kernel] = {}


def use_clock(clock: Clock | None) -> None:
    """Measure kernels by this clock, in seconds; what another clock told is forgotten."""
    wanted = [] if clock is None else [clock]
    if _clock != wanted:
        _clock[:] = wanted
        _settled.clear()


def chosen(matrix: npt.NDArray[Any], probes: int) -> Kernel:
    """Return the kernel that products of this shape take: measured, or by the rule."""
    return _settled.get(_shape(matrix, probes)) or _by_rule(probes)


def settled(
    kernels: Mapping[Kernel, Product], matrix: npt.NDArray[Any], probes: int, unit: int
) -> tuple[Kernel, int]:
    """Return the kernel for a product, and how many of its rows were computed to find out.

    Args:
        kernels: compute rows start … stop of the product.
        matrix: [N, D].
        probes: how many.
        unit: rows are computed in multiples of this.
    """
    shape = _shape(matrix, probes)
    rows = max(_TURN_BYTES // max(matrix.shape[1] * matrix.itemsize * unit, 1), 1) * unit
    turns = _TURNS * len(KERNELS)
    if not _clock or probes <= 1 or shape in _settled or len(matrix) < 2 * turns * rows:
        return chosen(matrix, probes), 0
    clock = _clock[0]
    seconds: dict[Kernel, list[float]] = {name: [] for name in KERNELS}
    for turn in range(turns):
        name = KERNELS[turn % len(KERNELS)]
        start = clock()
        kernels[name](turn * rows, (turn + 1) * rows)
        seconds[name].append(clock() - start)
    _settled[shape] = min(KERNELS, key=lambda name: median(seconds[name]))
    return _settled[shape], turns * rows


def _shape(matrix: npt.NDArray[Any], probes: int) -> tuple[int, int, int]:
    return matrix.itemsize, int(matrix.shape[1]), probes


def _by_rule(probes: int) -> Kernel:
    return "rows" if probes <= _FEW_PROBES else "lanes"
