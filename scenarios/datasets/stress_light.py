"""Light to test recognition under: lamps by angle, dark exposures, and kinds training never draws.

Training (module `relight`) and this test share the sensor's curve and its noise, and nothing else.
There, faces are drawn ellipsoids whose shading divides out a frontal lamp, shadows are soft or hard
by chance and ambient light is drawn. Here all pictures get one fixed relief, a ridge of planes for
the nose and a superellipse for the head, under one lamp without any softness, with cast shadows
found by marching along the ray pixel by pixel, two per cent of ambient light, and nothing divided
out. Lamps are grouped by their angle to the camera's axis as in the Yale B face database. Three
families have no counterpart in training at all: two coloured lamps, a spotlight, and the shadow of
a blind.

The light of a picture is a function of the seed, the condition and the picture's id.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenarios.datasets.base import Pictures
from scenarios.datasets.decode import SIDE
from scenarios.datasets.relight import expose, linear_light

__all__ = ["AS_TAKEN", "CONDITIONS", "Condition", "under_light"]

Light = NDArray[np.float32]
"""Linear light, float32 [112,112,3]."""

_SMOOTHINGS: Final = 4
"""Edges of the relief, not of its shadows, are smoothed: skin has no creases a pixel wide."""
AMBIENT: Final = np.float32(0.02)
AS_TAKEN: Final = "as taken"

_AXIS: Final = (np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2) / (SIDE / 2)
_DOWN, _RIGHT = np.meshgrid(_AXIS, _AXIS, indexing="ij")


class Condition(NamedTuple):
    """One kind of light.

    Attributes:
        name: what tables call it.
        family: lamp, exposure, or unseen: whether training has anything like it.
        light: linear light of a picture to that under this condition; None leaves it as it is.
        stops: how much darker it is photographed.
    """

    name: str
    family: str
    light: Callable[[Light, np.random.Generator], Light] | None
    stops: float = 0.0


def under_light(
    pictures: Pictures, ids: Sequence[str], condition: Condition, seed: int
) -> Pictures:
    """Return pictures uint8 [B,112,112,3] as they would look under a condition."""
    if condition.light is None:
        return pictures
    output = np.empty_like(pictures)
    for row, (picture, name) in enumerate(zip(pictures, ids, strict=True)):
        key = (seed, zlib.crc32(condition.name.encode()), zlib.crc32(name.encode()))
        generator = np.random.default_rng(key)
        lit = condition.light(linear_light(picture), generator)
        output[row] = expose(lit, condition.stops, generator)
    return output


def _relief() -> NDArray[np.float32]:
    """Return the heights of one face for all: a superellipse, a wedge of a nose, eye sockets."""
    inside = 1 - np.abs(_RIGHT / 1.02) ** 2.5 - np.abs((_DOWN - 0.1) / 1.3) ** 2.5
    head = 0.75 * np.clip(inside, 0, None) ** 0.5
    along = np.clip((_DOWN + 0.2) / 0.42, 0, 1) * np.clip((0.36 - _DOWN) / 0.14, 0, 1)
    nose = np.clip(0.24 * along - 1.6 * np.abs(_RIGHT), 0, None)
    sockets = sum(
        0.06 * np.clip(1 - ((_DOWN + 0.1) / 0.13) ** 2 - ((_RIGHT - side) / 0.2) ** 2, 0, None)
        for side in (-0.34, 0.34)
    )
    lips = 0.03 * np.clip(1 - ((_DOWN - 0.62) / 0.1) ** 2 - (_RIGHT / 0.3) ** 2, 0, None)
    height = head + nose - sockets + lips
    for _ in range(_SMOOTHINGS):
        padded = np.pad(height, 1, mode="edge")
        height = sum(padded[i : i + SIDE, j : j + SIDE] for i in range(3) for j in range(3)) / 9
    return np.asarray(height, dtype=np.float32)


def _normals(height: NDArray[np.float32]) -> NDArray[np.float32]:
    down, right = np.gradient(height, 2 / SIDE)
    normals = np.stack([-down, -right, np.ones_like(height)], axis=-1)
    return np.asarray(normals / np.linalg.norm(normals, axis=-1, keepdims=True), np.float32)


_HEIGHT: Final = _relief()
_NORMALS: Final = _normals(_HEIGHT)
_REACH: Final = 45  # pixels a shadow is followed


def _lamp(low: float, high: float) -> Callable[[Light, np.random.Generator], Light]:
    """Return a lamp between two angles to the camera's axis, in degrees, from any side or above."""

    def light(picture: Light, generator: np.random.Generator) -> Light:
        angle = np.radians(generator.uniform(low, high))
        # Mostly from the sides and from above, as lamps are: never from under the chin.
        roll = np.radians(generator.uniform(-30, 210))
        return picture * _shade(angle, roll)[..., None]

    return light


def _shade(angle: float, roll: float) -> NDArray[np.float32]:
    """Return Lambert's shading of the relief with cast shadows; roll 0 is right, 90 above."""
    lamp = np.array(
        [-np.sin(angle) * np.sin(roll), np.sin(angle) * np.cos(roll), np.cos(angle)], np.float32
    )
    lit = np.clip(_NORMALS @ lamp, 0, None) * _reached(lamp)
    return np.asarray(AMBIENT + (1 - AMBIENT) * lit, np.float32)


def _reached(lamp: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which pixels see the lamp, by marching along the ray in steps of a pixel."""
    sideways = float(np.hypot(lamp[0], lamp[1]))
    seen = np.ones(_HEIGHT.shape, np.bool_)
    if sideways < 1e-3:
        return seen
    rise = float(lamp[2]) / sideways * 2 / SIDE
    rows, columns = np.arange(SIDE), np.arange(SIDE)
    for step in range(1, _REACH + 1):
        down = np.clip(rows + round(float(lamp[0]) / sideways * step), 0, SIDE - 1)
        right = np.clip(columns + round(float(lamp[1]) / sideways * step), 0, SIDE - 1)
        # A little tolerance: a surface does not shade its own pixel.
        seen &= _HEIGHT[down][:, right] <= _HEIGHT + np.float32(rise * step + 0.01)
    return seen


def _same(picture: Light, generator: np.random.Generator) -> Light:
    del generator
    return picture


def _two_colours(picture: Light, generator: np.random.Generator) -> Light:
    """Two saturated lamps from opposite sides; each cheek has lost most of two colours."""
    first = generator.uniform(0.05, 1, 3).astype(np.float32)
    first[generator.integers(3)] = 0.03
    second = np.clip(1.03 - first, 0.03, 1)
    roll = np.radians(generator.uniform(-25, 25))
    right, left = (_shade(np.radians(60), roll + side)[..., None] for side in (0, np.pi))
    return np.asarray(picture * (right * first + left * second), np.float32)


def _spotlight(picture: Light, generator: np.random.Generator) -> Light:
    """A disc of light on a dark face: some 40 to 60 pixels wide, the rest at three per cent."""
    down, right = generator.uniform(-0.35, 0.45), generator.uniform(-0.4, 0.4)
    radius = generator.uniform(0.4, 0.6)
    disc = np.hypot(_DOWN - down, _RIGHT - right) < radius
    return picture * np.where(disc, np.float32(1), np.float32(0.03))[..., None]


def _blind(picture: Light, generator: np.random.Generator) -> Light:
    """Stripes of sun between the slats of a blind, hard-edged, four per cent in between."""
    angle, period = np.radians(generator.uniform(-30, 30)), generator.uniform(0.3, 0.6)
    along = _DOWN * np.cos(angle) + _RIGHT * np.sin(angle) + generator.uniform(0, 1)
    open_ = (along / period) % 1 < 0.45
    return picture * np.where(open_, np.float32(1), np.float32(0.04))[..., None]


CONDITIONS: Final = (
    Condition(AS_TAKEN, "none", None),
    Condition("lamp 0 to 12", "lamp", _lamp(0, 12)),
    Condition("lamp 13 to 25", "lamp", _lamp(13, 25)),
    Condition("lamp 26 to 50", "lamp", _lamp(26, 50)),
    Condition("lamp 51 to 77", "lamp", _lamp(51, 77)),
    Condition("lamp 78 to 90", "lamp", _lamp(78, 90)),
    *(Condition(f"{stops} stops darker", "exposure", _same, stops) for stops in (2, 3, 4, 5)),
    Condition("two coloured lamps", "unseen", _two_colours),
    Condition("spotlight", "unseen", _spotlight),
    Condition("shadow of a blind", "unseen", _blind),
)
