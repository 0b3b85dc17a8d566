"""Compiled per-picture pipeline: colour planes, transform, fusion, clipping, noise, grid.

One block row is finished before the next begins, so the working set stays in the first-level
cache and neither the upsampled picture nor the unfused channels ever exist. All compiled code is
in this module: the disk cache of a kernel notices changes in its own module only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from protocol.features.block_dct import BLOCK, COLUMN_TAPS, ROW_TAPS
from protocol.features.spec import EDGE
from protocol.jit import inlined, kernel

if TYPE_CHECKING:
    from numpy import float32, uint8, uint16, uint32
    from numpy.typing import NDArray

__all__ = [
    "ElementGrid",
    "NoiseWords",
    "exact_coefficients",
    "fused_line",
    "laplace",
    "protect_picture",
]

ElementGrid: TypeAlias = "tuple[NDArray[float32], ...]"
"""Lower bounds, inverse clip widths, noise amplitude of channels and of places, constants."""

NoiseWords: TypeAlias = "tuple[NDArray[uint32], NDArray[uint16]]"
"""Uniform random words: 32 and 16 bits for each element."""

Scratch: TypeAlias = "tuple[NDArray[float32], NDArray[float32], NDArray[float32]]"
"""Padded planes [P,114,114], a ring of three transformed lines, one fused block row [F,112]."""

_TAPS: Final = (ROW_TAPS, COLUMN_TAPS)

_SQRT_HALF_BITS: Final = np.int32(0x3F3504F3)
_MANTISSA_BITS: Final = np.int32(23)


def exact_coefficients(
    picture: NDArray[uint8], mixing: NDArray[float32], channels: int
) -> NDArray[float32]:
    """Return the fused coefficients of one picture [112,112,3], float32 [F,112,112]."""
    output = np.empty((channels, EDGE, EDGE), dtype=np.float32)
    _exact_kernel(np.ascontiguousarray(picture), mixing, _TAPS, _scratch(mixing, channels), output)
    return output


def protect_picture(
    picture: NDArray[uint8],
    mixing: NDArray[float32],
    grid: ElementGrid,
    words: NoiseWords,
    output: NDArray[uint8] | NDArray[uint16],
) -> None:
    """Write the wire codes [F,112,112] of one picture.

    `grid` holds the lower bound and the inverse clip width of each element, float32 [112,F,112]
    (block row first), the noise amplitude in units of the width as a product of one factor for each
    channel [F] and one for each place [112,112], or none where places are alike, and two constants:
    how many amplitudes the grid reaches beyond the bounds, and the largest code. `words` are
    uniform words for F*112*112 elements, or empty; without them the amplitudes are not read.
    """
    scratch = _scratch(mixing, len(output))
    _protect_kernel(np.ascontiguousarray(picture), mixing, _TAPS, scratch, grid, words, output)


def laplace(high: NDArray[uint32], low: NDArray[uint16]) -> NDArray[float32]:
    """Return the unit Laplace draws, float32 [n], that the pipeline makes of uniform words."""
    output = np.empty(high.shape, dtype=np.float32)
    _laplace_kernel(high, low, output)
    return output


def _scratch(mixing: NDArray[float32], channels: int) -> Scratch:
    planes = len(mixing)
    return (
        np.zeros((planes, EDGE + 2, EDGE + 2), dtype=np.float32),
        np.zeros((3, planes, BLOCK, EDGE), dtype=np.float32),
        np.empty((channels, EDGE), dtype=np.float32),
    )


@inlined
def _fill_planes(
    picture: NDArray[uint8], mixing: NDArray[float32], planes: NDArray[float32]
) -> None:
    """Mix RGB into planes, float32 [P,114,114] with a border of zeros.

    `mixing` is float32 [P,4]: weights of R, G, B and a constant.
    """
    for plane in range(mixing.shape[0]):
        red, green, blue, constant = mixing[plane]
        for i in range(EDGE):
            target = planes[plane, i + 1]
            source = picture[i]
            for j in range(EDGE):
                target[j + 1] = (
                    red * np.float32(source[j, 0])
                    + green * np.float32(source[j, 1])
                    + blue * np.float32(source[j, 2])
                    + constant
                )


@inlined
def _fill_line(
    planes: NDArray[float32], line: int, row_taps: NDArray[float32], target: NDArray[float32]
) -> None:
    """Transform padded line `line` of each plane along itself into `target` [P,8,112]."""
    for plane in range(planes.shape[0]):
        source = planes[plane, line]
        for v in range(BLOCK):
            first, second, third = row_taps[v, 0], row_taps[v, 1], row_taps[v, 2]
            output = target[plane, v]
            for j in range(EDGE):
                output[j] = (
                    first[j] * source[j] + second[j] * source[j + 1] + third[j] * source[j + 2]
                )


@inlined
def fused_line(
    above: NDArray[float32],
    here: NDArray[float32],
    below: NDArray[float32],
    taps: NDArray[float32],
    output: NDArray[float32],
) -> None:
    """Combine three transformed lines [P,8,112] into the channels [F,112] of one block row.

    With three planes and 63 channels, the coefficient of largest magnitude is kept with its
    sign (the first plane wins a tie); otherwise the planes' channels are stacked.
    `taps` is float32 [8,3].
    """
    largest = above.shape[0] == 3 and output.shape[0] == 63
    for u in range(BLOCK):
        first, second, third = taps[u, 0], taps[u, 1], taps[u, 2]
        for v in range(BLOCK):
            channel = BLOCK * u + v - 1
            if channel < 0:
                continue
            if largest:
                y0, y1, y2 = above[0, v], here[0, v], below[0, v]
                b0, b1, b2 = above[1, v], here[1, v], below[1, v]
                r0, r1, r2 = above[2, v], here[2, v], below[2, v]
                target = output[channel]
                for j in range(EDGE):
                    value = first * y0[j] + second * y1[j] + third * y2[j]
                    blue = first * b0[j] + second * b1[j] + third * b2[j]
                    red = first * r0[j] + second * r1[j] + third * r2[j]
                    value = blue if abs(blue) > abs(value) else value
                    target[j] = red if abs(red) > abs(value) else value
            else:
                for plane in range(above.shape[0]):
                    y0, y1, y2 = above[plane, v], here[plane, v], below[plane, v]
                    target = output[63 * plane + channel]
                    for j in range(EDGE):
                        target[j] = first * y0[j] + second * y1[j] + third * y2[j]


@inlined
def _minus_log(value: float32) -> float32:
    """Return -ln(value) for a positive normal float32; branch-free, two units in the last place.

    Polynomial of the Cephes mathematical library.
    """
    bits = np.float32(value).view(np.int32)
    exponent = np.int32((bits - _SQRT_HALF_BITS) >> _MANTISSA_BITS)
    x = np.int32(bits - np.int32(exponent << _MANTISSA_BITS)).view(np.float32) - np.float32(1)
    y = np.float32(7.0376836292e-2)
    y = y * x + np.float32(-1.1514610310e-1)
    y = y * x + np.float32(1.1676998740e-1)
    y = y * x + np.float32(-1.2420140846e-1)
    y = y * x + np.float32(1.4249322787e-1)
    y = y * x + np.float32(-1.6668057665e-1)
    y = y * x + np.float32(2.0000714765e-1)
    y = y * x + np.float32(-2.4999993993e-1)
    y = y * x + np.float32(3.3333331174e-1)
    square = x * x
    scale = np.float32(exponent)
    y = y * x * square + scale * np.float32(-2.12194440e-4) - np.float32(0.5) * square
    return -(x + y + scale * np.float32(0.693359375))


@inlined
def _unit_laplace(high: uint32, low: uint16) -> float32:
    """Return a unit Laplace draw: one bit of `high` is the sign, 47 bits are the magnitude.

    The magnitude is -ln of a uniform in (0, 1] of resolution 2^-47, by inversion.
    """
    whole = np.float32(np.int32(high & np.uint32(0x7FFFFFFF)))
    part = (np.float32(np.int32(low)) + np.float32(0.5)) * np.float32(2.0**-16)
    magnitude = _minus_log((whole + part) * np.float32(2.0**-31))
    return magnitude if np.int32(high) >= np.int32(0) else -magnitude


@kernel
def _laplace_kernel(high: NDArray[uint32], low: NDArray[uint16], output: NDArray[float32]) -> None:
    for index in range(output.size):
        output[index] = _unit_laplace(high[index], low[index])


@kernel
def _exact_kernel(
    picture: NDArray[uint8],
    mixing: NDArray[float32],
    taps: tuple[NDArray[float32], NDArray[float32]],
    scratch: Scratch,
    output: NDArray[float32],
) -> None:
    row_taps, column_taps = taps
    planes, lines, fused = scratch
    _fill_planes(picture, mixing, planes)
    _fill_line(planes, 1, row_taps, lines[1])
    for i in range(EDGE):
        _fill_line(planes, i + 2, row_taps, lines[(i + 2) % 3])
        fused_line(lines[i % 3], lines[(i + 1) % 3], lines[(i + 2) % 3], column_taps[:, i], fused)
        for channel in range(output.shape[0]):
            _copy(fused[channel], output[channel, i])


@kernel
def _protect_kernel(
    picture: NDArray[uint8],
    mixing: NDArray[float32],
    taps: tuple[NDArray[float32], NDArray[float32]],
    scratch: Scratch,
    element_grid: ElementGrid,
    words: NoiseWords,
    output: NDArray[uint8] | NDArray[uint16],
) -> None:
    row_taps, column_taps = taps
    lower, inverse_width, by_channel, by_place, grid = element_grid
    high, low = words
    planes, lines, fused = scratch
    _fill_planes(picture, mixing, planes)
    _fill_line(planes, 1, row_taps, lines[1])
    for i in range(EDGE):
        _fill_line(planes, i + 2, row_taps, lines[(i + 2) % 3])
        fused_line(lines[i % 3], lines[(i + 1) % 3], lines[(i + 2) % 3], column_taps[:, i], fused)
        for channel in range(output.shape[0]):
            line = fused[channel]
            _to_unit(line, lower[i, channel], inverse_width[i, channel])
            if high.size > 0:
                start = (i * output.shape[0] + channel) * EDGE
                words_here = high[start : start + EDGE], low[start : start + EDGE]
                if by_place.size > 0:
                    amplitude = by_channel[channel], by_place[i]
                    _to_uneven_grid(line, words_here, amplitude, grid, output[channel, i])
                else:
                    _to_noisy_grid(line, words_here, by_channel[channel], grid, output[channel, i])
            else:
                _to_grid(line, grid[1], output[channel, i])


@inlined
def _copy(line: NDArray[float32], output: NDArray[float32]) -> None:
    # Array assignment would say the same and take six seconds longer to compile.
    for j in range(EDGE):
        output[j] = line[j]


@inlined
def _to_unit(
    line: NDArray[float32], lower: NDArray[float32], inverse_width: NDArray[float32]
) -> None:
    """Clip to the bounds, in units of their width: 0 is the lower bound, 1 the upper one."""
    for j in range(EDGE):
        value = (line[j] - lower[j]) * inverse_width[j]
        line[j] = min(max(value, np.float32(0)), np.float32(1))


@inlined
def _to_noisy_grid(
    line: NDArray[float32],
    words: NoiseWords,
    amplitude: float32,
    grid: NDArray[float32],
    output: NDArray[uint8] | NDArray[uint16],
) -> None:
    """Add noise and round to the public grid; what lies outside goes to its end."""
    high, low = words
    margin, largest = grid
    offset = margin * amplitude
    gain = largest / (np.float32(1) + np.float32(2) * offset)
    for j in range(EDGE):
        line[j] += amplitude * _unit_laplace(high[j], low[j])
    for j in range(EDGE):
        code = min(max((line[j] + offset) * gain, np.float32(0)), largest)
        output[j] = np.int32(code + np.float32(0.5))


@inlined
def _to_uneven_grid(
    line: NDArray[float32],
    words: NoiseWords,
    amplitudes: tuple[float32, NDArray[float32]],
    grid: NDArray[float32],
    output: NDArray[uint8] | NDArray[uint16],
) -> None:
    """Do the same where every place has an amplitude of its own."""
    high, low = words
    of_channel, of_place = amplitudes
    margin, largest = grid
    for j in range(EDGE):
        line[j] += of_channel * of_place[j] * _unit_laplace(high[j], low[j])
    for j in range(EDGE):
        offset = margin * (of_channel * of_place[j])
        gain = largest / (np.float32(1) + np.float32(2) * offset)
        code = min(max((line[j] + offset) * gain, np.float32(0)), largest)
        output[j] = np.int32(code + np.float32(0.5))


@inlined
def _to_grid(
    line: NDArray[float32], largest: float32, output: NDArray[uint8] | NDArray[uint16]
) -> None:
    """Round to the public grid of values inside their bounds."""
    for j in range(EDGE):
        output[j] = np.int32(line[j] * largest + np.float32(0.5))
