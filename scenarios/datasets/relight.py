"""Other light on aligned face pictures: what a network is trained with to see in the dark.

A picture taken under roughly frontal light is multiplied, in linear light, by the ratio of the
shading a lamp elsewhere would give to the shading of a frontal one. The face is a crude height
field, an ellipsoid with a nose, sockets and lips of random size: it need not be this person's,
because a network only has to learn that shading says nothing about who somebody is. The side away
from the lamp falls into its own shadow, softly or hard, and the nose or the brow may throw one
more. The exposure is then lowered by up to five stops *before* sensor noise and quantisation, so
that information is lost as in a real dark picture and not merely scaled.

Everything is a function of the generator that is handed in.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from scenarios.datasets.base import Pictures
from scenarios.datasets.decode import SIDE

__all__ = ["LARGEST_STOPS", "expose", "linear_light", "relight"]

Field = NDArray[np.float32]
"""One value a pixel, float32 [112,112]."""

LARGEST_STOPS: Final = 5.0
_LEVELS: Final = 4096
_BRIGHTEST: Final = 1.6
"""A lamp moved aside brightens a cheek by so much at most."""

_AXIS: Final = (np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2) / (SIDE / 2)
_DOWN, _RIGHT = np.meshgrid(_AXIS, _AXIS, indexing="ij")


def _decoding() -> NDArray[np.float32]:
    encoded = np.arange(256) / 255
    curve = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return curve.astype(np.float32)


def _encoding() -> NDArray[np.uint8]:
    linear = np.arange(_LEVELS) / (_LEVELS - 1)
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(255 * curve).astype(np.uint8)


_DECODE: Final = _decoding()
_ENCODE: Final = _encoding()


def relight(pictures: Pictures, generator: np.random.Generator) -> Pictures:
    """Return pictures uint8 [B,112,112,3] under other light, each under its own.

    Two in three get a lamp from the side, and most are darkened as well.
    """
    output = np.empty_like(pictures)
    for row, picture in enumerate(pictures):
        light = linear_light(picture)
        if generator.random() < 2 / 3:
            light *= _shading(generator)[..., None]
        stops = generator.uniform(0, LARGEST_STOPS) if generator.random() < 0.7 else 0.0
        gamma = float(np.exp(generator.normal(0, 0.15)))
        output[row] = expose(light, stops, generator, gamma)
    return output


def linear_light(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what the sensor saw of a picture with the sRGB curve, float32 of 0 to 1."""
    return _DECODE[picture]


def expose(
    light: NDArray[np.float32], stops: float, generator: np.random.Generator, gamma: float = 1.0
) -> NDArray[np.uint8]:
    """Photograph linear light so many stops darker; shot and read noise, clipping, 8 bits.

    The full well of a small sensor is drawn between 2,000 and 12,000 electrons, its read noise
    between 1 and 6 electrons.
    """
    well, read = generator.uniform(2000, 12000), generator.uniform(1, 6)
    dimmed = light * np.float32(2.0**-stops)
    spread = np.sqrt(dimmed / np.float32(well) + np.float32((read / well) ** 2))
    seen = dimmed + spread * generator.standard_normal(light.shape, dtype=np.float32)
    np.clip(seen, 0, 1, out=seen)
    if gamma != 1.0:
        seen **= np.float32(gamma)
    coded: NDArray[np.uint8] = _ENCODE[(seen * (_LEVELS - 1) + 0.5).astype(np.int32)]
    return coded


def _shading(generator: np.random.Generator) -> Field:
    """Return the ratio of the light a drawn lamp gives to that of a frontal one."""
    azimuth = np.radians(generator.uniform(-110, 110))
    elevation = np.radians(generator.uniform(-40, 75))
    lamp = np.array(
        [
            -np.sin(elevation),
            np.cos(elevation) * np.sin(azimuth),
            np.cos(elevation) * np.cos(azimuth),
        ],
        np.float32,
    )
    normals, height = _face(generator)
    ambient = np.float32(generator.uniform(0, 0.3) ** 2 + 0.01)
    facing = normals @ lamp
    softness = np.float32(generator.uniform(0.005, 0.15))
    lit = np.maximum(facing, 0) / (1 + np.exp(-np.clip(facing / softness, -30, 30)))
    if generator.random() < 0.5:
        lit *= _thrown(height, lamp, generator)
    frontal = np.maximum(normals[..., 2], np.float32(0.25))
    ratio = (ambient + (1 - ambient) * lit) / (ambient + (1 - ambient) * frontal)
    return np.asarray(np.minimum(ratio, np.float32(_BRIGHTEST)), np.float32)


def _face(generator: np.random.Generator) -> tuple[NDArray[np.float32], Field]:
    """Return normals [112,112,3] (down, right, towards the camera) and heights of a drawn face."""
    wide, tall = generator.uniform(0.85, 1.25), generator.uniform(1.1, 1.6)
    depth = generator.uniform(0.5, 0.9)
    inside = 1 - (_RIGHT / np.float32(wide)) ** 2 - ((_DOWN - 0.1) / np.float32(tall)) ** 2
    # An ellipsoid with a soft rim: a hard one would draw a circle nobody's face has.
    height = np.float32(depth) * np.sqrt(0.5 * (inside + np.sqrt(inside**2 + np.float32(0.1))))
    sizes = generator.uniform(0.4, 1.6, len(_FEATURES)).astype(np.float32)
    height += np.tensordot(sizes, _BLOBS, 1)
    slope_down, slope_right = np.gradient(height, 2 / SIDE)
    normals = np.stack([-slope_down, -slope_right, np.ones_like(height)], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    return normals.astype(np.float32), height


_FEATURES: Final = (
    # down, right, height, width, elevation: nose, sockets, brow, lips, chin of the ArcFace template
    (0.08, 0.0, 0.28, 0.11, 0.16),
    (0.22, 0.0, 0.09, 0.15, 0.08),
    (-0.12, -0.33, 0.11, 0.17, -0.07),
    (-0.12, 0.33, 0.11, 0.17, -0.07),
    (-0.32, 0.0, 0.09, 0.6, 0.04),
    (0.64, 0.0, 0.08, 0.28, 0.04),
    (0.98, 0.0, 0.14, 0.3, 0.06),
)


def _blobs() -> NDArray[np.float32]:
    blobs = [
        size * np.exp(-(((_DOWN - down) / high) ** 2) - ((_RIGHT - right) / wide) ** 2)
        for down, right, high, wide, size in _FEATURES
    ]
    return np.stack(blobs).astype(np.float32)


_BLOBS: Final = _blobs()


def _thrown(height: Field, lamp: NDArray[np.float32], generator: np.random.Generator) -> Field:
    """Return the light left by shadows the face throws on itself, from 0 to 1.

    A point is dark where the face, a little way towards the lamp, stands above the ray.
    """
    sideways = np.float32(max(float(np.hypot(lamp[0], lamp[1])), 1e-3))
    rise = np.float32(max(float(lamp[2]), 0.05)) / sideways
    above = np.full_like(height, -np.inf)
    for pixels in (4, 8, 12, 17, 23, 30):
        down, right = (round(float(lamp[i] / sideways) * pixels) for i in (0, 1))
        rows = np.clip(np.arange(SIDE) + down, 0, SIDE - 1)
        columns = np.clip(np.arange(SIDE) + right, 0, SIDE - 1)
        ray = height + rise * np.float32(2 * pixels / SIDE)
        np.maximum(above, height[rows][:, columns] - ray, out=above)
    softness = np.float32(generator.uniform(0.004, 0.03))
    dark: Field = 1 / (1 + np.exp(-np.clip(above / softness, -30, 30)))
    return 1 - np.float32(generator.uniform(0.5, 1)) * dark
