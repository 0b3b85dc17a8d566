"""Photograph a synthetic person: light, pose, colour, blur and noise differ in every picture."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scenarios.datasets.face_identity import Person
from scenarios.datasets.face_paint import SIDE, Expression, blob, face_distance, paint_face, relief

__all__ = ["photograph"]

Plane = NDArray[np.float32]
_AXIS = np.arange(SIDE, dtype=np.float32)
_Y, _X = np.meshgrid(_AXIS, _AXIS, indexing="ij")


def photograph(person: Person, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Take one picture of a person; return uint8 [112, 112, 3], RGB."""
    person, expression = _groomed(person, rng), _expression(person, rng)
    height = relief(person, expression)
    background, cloth = _surroundings(rng)
    albedo = paint_face(person, expression, background, cloth)
    on_head = np.clip(1 - face_distance(person) / 22, 0, 1, dtype=np.float32)
    lit = albedo * _light(height * on_head, rng)
    seen = _pose(lit, height, rng)
    return _sensor(seen, rng)


def _groomed(person: Person, rng: np.random.Generator) -> Person:
    """Return the person on another day: hair combed, cut or shaved a little differently."""
    return replace(
        person,
        hair_volume=max(0.5, person.hair_volume + rng.normal(0, 1.2)),
        hair_length=person.hair_length + rng.normal(0, 9),
        fringe=max(0.0, person.fringe + rng.normal(0, 2)),
        hair_phase=person.hair_phase + rng.normal(0, 0.8),
        hairline_curve=person.hairline_curve + rng.normal(0, 1.5),
        beard=max(0.0, person.beard * rng.uniform(0.4, 1.2)),
        rosy=max(0.0, person.rosy + rng.normal(0, 0.15)),
    )


def _expression(person: Person, rng: np.random.Generator) -> Expression:
    smile = float(np.clip(rng.normal(0.15, 0.45), -0.6, 1.2))
    speaks = rng.random() < 0.3 + 0.3 * max(0.0, smile)
    glasses = rng.random() < (0.85 if person.wears_glasses else 0.04)
    return Expression(
        smile=smile,
        mouth_open=float(abs(rng.normal(0, 4.0))) if speaks else 0.0,
        brow_raise=float(rng.normal(0, 0.9)),
        eye_open=float(np.clip(rng.normal(1.0, 0.14) - 0.12 * max(0.0, smile), 0.35, 1.3)),
        gaze_x=float(rng.normal(0, 1.0)),
        gaze_y=float(rng.normal(0, 0.4)),
        glasses=bool(glasses),
    )


def _surroundings(rng: np.random.Generator) -> tuple[Plane, Plane]:
    """Return a background [3, 112, 112] of a gradient and a blot, and a clothing colour [3]."""
    grey = rng.uniform(20, 225, (4, 1))
    colours = np.clip(grey + rng.normal(0, 26, (4, 3)), 5, 245).astype(np.float32)
    first, second, third = (colour[:, None, None] for colour in colours[:3])
    slope = 0.5 + rng.normal(0, 0.008) * (_X - 56) + rng.normal(0, 0.008) * (_Y - 56)
    background = first + np.clip(slope, 0, 1) * (second - first)
    spot = blob(rng.uniform(0, SIDE), rng.uniform(0, SIDE), rng.uniform(6, 40), rng.uniform(6, 60))
    background += spot * (third - background)
    return background, colours[3]


def _light(height: Plane, rng: np.random.Generator) -> Plane:
    """Return shading [3, 112, 112]: ambient light and one coloured lamp on the relief."""
    slope_y, slope_x = np.gradient(height)
    direction = np.array([rng.normal(0, 0.55), rng.normal(-0.35, 0.35), 1.0])
    x, y, z = (direction / np.linalg.norm(direction)).tolist()
    lambert = (z - x * slope_x - y * slope_y) / np.sqrt(1 + slope_x**2 + slope_y**2)
    ambient = rng.uniform(0.3, 0.7)
    shade = ambient + (1.12 - ambient) * np.maximum(lambert, 0)
    warmth = rng.normal(0, 0.09)
    tint = rng.uniform(0.72, 1.2) * np.array([1 + warmth, 1 + rng.normal(0, 0.025), 1 - warmth])
    return np.asarray(shade * tint.astype(np.float32)[:, None, None])


def _pose(picture: Plane, height: Plane, rng: np.random.Generator) -> Plane:
    """Turn the head a little and misalign the crop; bilinear sampling."""
    angle, zoom = rng.normal(0, 0.035), 1 + rng.normal(0, 0.022)
    shift_x, shift_y = rng.normal(0, 0.9), rng.normal(0, 0.9)
    yaw, pitch = rng.normal(0, 0.2), rng.normal(0, 0.1)
    depth = height - 26
    cos, sin = math.cos(angle) / zoom, math.sin(angle) / zoom
    x, y = _X - 56, _Y - 62
    source_x = 56 + shift_x + cos * x - sin * y - yaw * depth
    source_y = 62 + shift_y + sin * x + cos * y - pitch * depth
    return _sample(picture, source_x, source_y)


def _sample(picture: Plane, x: Plane, y: Plane) -> Plane:
    x = np.clip(x, 0, SIDE - 1.001)
    y = np.clip(y, 0, SIDE - 1.001)
    left, top = x.astype(np.int32), y.astype(np.int32)
    right, down = x - left.astype(np.float32), y - top.astype(np.float32)
    flat, start = picture.reshape(3, -1), top * SIDE + left
    corner = [flat.take(start + step, axis=1) for step in (0, 1, SIDE, SIDE + 1)]
    above = corner[0] + right * (corner[1] - corner[0])
    below = corner[2] + right * (corner[3] - corner[2])
    return np.asarray(above + down * (below - above))


def _sensor(picture: Plane, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Apply lens blur, contrast, gamma and noise; return uint8 [112, 112, 3]."""
    for _ in range(int(rng.integers(0, 4))):
        picture = _soften(picture, rng.uniform(0.05, 0.22))
    tone = _tone_curve(rng).take(np.clip(picture * 4, 0, 1023).astype(np.int32))
    tone += rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(rng.uniform(0.5, 5))
    return np.ascontiguousarray(np.clip(tone + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0))


def _tone_curve(rng: np.random.Generator) -> Plane:
    """Return a gamma and contrast table [1024] over quarter grey levels."""
    gamma, contrast = math.exp(rng.normal(-0.05, 0.14)), math.exp(rng.normal(0, 0.1))
    levels = (np.arange(1024, dtype=np.float32) / 1023) ** np.float32(gamma)
    return np.asarray(255 * (0.45 + contrast * (levels - 0.45)))


def _soften(picture: Plane, amount: float) -> Plane:
    """Blur once with the three-tap kernel (amount, 1 - 2 amount, amount) along both axes."""
    rows = np.concatenate([picture[:, :1], picture, picture[:, -1:]], axis=1)
    picture = picture + amount * (rows[:, :-2] + rows[:, 2:] - 2 * picture)
    columns = np.concatenate([picture[:, :, :1], picture, picture[:, :, -1:]], axis=2)
    return np.asarray(picture + amount * (columns[:, :, :-2] + columns[:, :, 2:] - 2 * picture))
