"""Paint a synthetic person in the canonical pose: albedo and relief, without light.

Everything is drawn in the pixel frame of a 112x112 aligned face (eyes near (38, 52) and
(74, 52), mouth near y = 92) as soft masks, back to front.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from scenarios.datasets.face_identity import FIELDS, Colour, Person

__all__ = ["SIDE", "Expression", "blob", "face_distance", "paint_face", "relief"]

Plane = NDArray[np.float32]
SIDE = 112
CENTRE = 56
_AXIS = np.arange(SIDE, dtype=np.float32)
_Y, _X = _AXIS[:, None], _AXIS[None, :]
_DX = _X - CENTRE


@dataclass(frozen=True, slots=True)
class Expression:
    """What a face does in one picture; all near 0 for a neutral face."""

    smile: float
    mouth_open: float
    brow_raise: float
    eye_open: float
    gaze_x: float
    gaze_y: float
    glasses: bool


def blob(x: float, y: float, width: float, height: float) -> Plane:
    """Return an axis-aligned Gaussian bump of height 1 on the frame."""
    return _bump(y, height)[:, None] * _bump(x, width)[None, :]


def _bump(centre: float, width: float) -> Plane:
    return np.asarray(np.exp(-(((_AXIS - np.float32(centre)) / np.float32(width)) ** 2)))


def _inside(distance: Plane, softness: float = 1.2) -> Plane:
    """Return coverage 0..1 of a region given the signed distance to its border in pixels."""
    return np.asarray(np.clip(0.5 - distance / softness, 0, 1), np.float32)


def _paint(canvas: Plane, coverage: Plane, colour: Colour, window: _Window = ()) -> None:
    """Blend a colour [3] or a picture [3, H, W] over the canvas [3, H, W] where covered.

    `window` limits the work to a rectangle that `coverage` spans.
    """
    part = canvas[:, *window] if window else canvas
    flat = colour[:, None, None] if colour.ndim == 1 else colour
    part += coverage * (flat - part)


def _paint_rows(canvas: Plane, coverage: Plane, colour: Colour, top: float, bottom: float) -> None:
    """Blend over some rows only; `coverage` (and a colour picture) span the whole frame."""
    rows = slice(max(0, int(top)), min(SIDE, int(bottom) + 2))
    part = colour[:, rows] if colour.ndim == 3 else colour
    _paint(canvas[:, rows], coverage[rows], part)


_Window = tuple[slice, slice] | tuple[()]


def _window(left: float, right: float, top: float, bottom: float) -> tuple[slice, slice]:
    rows = slice(max(0, int(top)), min(SIDE, int(bottom) + 2))
    return rows, slice(max(0, int(left)), min(SIDE, int(right) + 2))


@cache
def _fields() -> Plane:
    """Return the fixed smooth basis [FIELDS, 112*112]: band-limited random surfaces, unit norm."""
    rng = np.random.default_rng(20240611)
    low = rng.standard_normal((FIELDS, 14, 14))
    cosines = np.cos(np.pi * np.outer(np.arange(14), (_AXIS + 0.5) / SIDE))
    decay = 1 / (1 + 0.25 * np.add.outer(np.arange(14), np.arange(14)))
    decay[0, 0] = 0
    surfaces = np.einsum("kab,ay,bx->kyx", low * decay, cosines, cosines)
    surfaces /= surfaces.std(axis=(1, 2), keepdims=True)
    return np.asarray(surfaces.reshape(FIELDS, -1), np.float32)


def _field(coefficients: Colour) -> Plane:
    """Combine the smooth basis into one field of about unit variance."""
    combined = coefficients @ _fields() / np.float32(FIELDS**0.5)
    return np.asarray(combined.reshape(SIDE, SIDE), np.float32)


def face_distance(person: Person) -> Plane:
    """Return the signed distance to the face outline: negative inside."""
    y = _AXIS
    forehead = person.forehead_width
    above = np.interp(y, [0, 12, 30, 66], [0.74 * forehead, 0.9 * forehead, forehead, 40])
    half = above * person.cheek_width / 40
    lower = np.clip((y - 66) / max(person.chin_y - 66, 1), 0, 1)
    squareness = 1.5 + 1.6 * max(0.3, (person.jaw_width - 18) / 12)
    taper = np.sqrt(np.maximum(0, 1 - lower**squareness))
    half = half * np.where(y > 66, taper, 1.0)
    return np.asarray(np.abs(_DX) - half[:, None], np.float32)


def paint_face(person: Person, expression: Expression, background: Plane, cloth: Colour) -> Plane:
    """Paint one face over a background; return albedo float32 [3, 112, 112] in 0..255."""
    canvas = background.copy()
    outline = face_distance(person)
    hair = _hair_colour(person)
    _back_hair(canvas, person, outline, hair)
    _neck(canvas, person, cloth)
    _paint(canvas, _inside(outline), _skin(person))
    _folds(canvas, person)
    _beard(canvas, person, outline)
    for side in (-1, 1):
        _eye(canvas, person, expression, side)
        _brow(canvas, person, expression, side)
    _nose(canvas, person)
    _mouth(canvas, person, expression)
    _front_hair(canvas, person, outline, hair)
    if expression.glasses:
        _glasses(canvas, person, outline)
    return canvas


def _hair_colour(person: Person) -> Plane:
    wave = np.sin(0.55 * _X + 0.12 * _Y * person.hair_wave + person.hair_phase)
    strand = np.sin(1.7 * _X + 0.35 * _Y + 2 * person.hair_phase)
    light = 1 + np.float32(0.13) * wave + np.float32(0.09) * strand
    return np.asarray(light * person.hair[:, None, None])


def _back_hair(canvas: Plane, person: Person, outline: Plane, hair: Plane) -> None:
    around = outline - person.hair_volume
    below = (_Y - person.hair_length) * np.float32(0.8)
    _paint(canvas, _inside(np.maximum(around, below), 3.0), hair)


def _front_hair(canvas: Plane, person: Person, outline: Plane, hair: Plane) -> None:
    curve = person.hairline_curve * (_DX / 36) ** 2
    jag = person.hair_wave * np.sin(_X * 0.33 + person.hair_phase)
    line = person.hairline_y + person.fringe + curve + jag
    above = np.maximum(_Y - line, outline - person.hair_volume)
    lowest = max(8.0, person.hairline_y + person.fringe + 24)
    _paint_rows(canvas, _inside(above, 4.0), hair, 0, lowest)


def _neck(canvas: Plane, person: Person, cloth: Colour) -> None:
    neck = np.maximum(np.abs(_DX) - person.jaw_width * np.float32(0.85), 96 - _Y)
    _paint_rows(canvas, _inside(neck, 2.0), person.skin * np.float32(0.72), 94, SIDE)
    shirt = np.asarray(112 - _Y - 0.18 * np.abs(_DX), np.float32)
    _paint_rows(canvas, _inside(shirt, 2.0), cloth, 98, SIDE)


def _skin(person: Person) -> Plane:
    light = 1 + np.float32(0.07) * _field(person.skin_field)
    red = np.float32(0.045) * _field(person.red_field)
    cheeks = blob(34, 76, 9, 8) + blob(78, 76, 9, 8) + np.float32(0.7) * blob(56, 74, 6, 5)
    red += np.float32(0.10 * person.rosy) * cheeks
    for x, y, radius, dark in person.spots.tolist():
        column, row = _bump(y, radius)[:, None], _bump(x, radius)[None, :]
        near = _window(x - 5, x + 5, y - 5, y + 5)
        light[near] *= 1 - dark * column[near[0]] * row[:, near[1]]
    tint = np.array([0.6, -0.5, -0.55], np.float32)
    return person.skin[:, None, None] * (light * (1 + red * tint[:, None, None]))


def _folds(canvas: Plane, person: Person) -> None:
    """Darken the nasolabial folds and forehead lines; both come with age."""
    dark = person.skin * np.float32(0.62)
    fold_x = 10 + 9 * np.clip((_Y - 76) / 18, 0, 1)
    line = _inside(np.abs(np.abs(_DX) - fold_x) - np.float32(0.4), 2.6)
    _paint_rows(canvas, line * np.float32(0.55 * min(1.0, person.fold)), dark, 76, 92)
    if person.forehead_lines < 0.03:
        return
    across = np.exp(-((_DX / 20) ** 4)) * np.float32(0.45 * person.forehead_lines)
    for row in (26, 31, 36):
        line = _inside(np.abs(_Y - row - np.float32(0.002) * _DX**2) - np.float32(0.2), 1.8)
        _paint_rows(canvas, line * across, dark, row - 2, row + 4)


def _beard(canvas: Plane, person: Person, outline: Plane) -> None:
    grain = 0.8 + 0.2 * np.sin(2.3 * _X + person.hair_phase) * np.sin(2.1 * _Y)
    if person.beard > 0.03:
        edge = 80 + np.float32(0.006) * (30 - np.abs(_DX)) ** 2 - _Y
        jaw = _inside(np.maximum(outline + 1, edge), 8.0)
        bare = blob(56, person.mouth_y, person.mouth_width * 0.9, 6)
        cover = jaw * (1 - bare) * grain * np.float32(person.beard)
        _paint_rows(canvas, cover, person.hair, 70, SIDE)
    if person.moustache > 0.03:
        lip = blob(56, person.mouth_y - 6.5, person.mouth_width, 3.2)
        cover = lip * grain * np.float32(person.moustache)
        _paint_rows(canvas, cover, person.hair, person.mouth_y - 14, person.mouth_y + 2)


def _eye(canvas: Plane, person: Person, expression: Expression, side: int) -> None:
    cx, cy = 56 + side * person.eye_spacing, 51.8
    window = _window(cx - 15, cx + 15, cy - 12, cy + 13)
    x = (_X - cx)[:, window[1]] * side
    y = (_Y - cy)[window[0]] + np.float32(person.eye_tilt) * x
    arch = np.clip(1 - (x / person.eye_width) ** 2, -1, 1)
    upper = -person.eye_height * expression.eye_open * arch
    lower = person.eye_height * np.float32(0.55) * arch
    shade = person.skin * np.float32(0.6)
    bag = _inside(np.abs(y - lower - 3.2) - np.float32(0.3), 2.4) * np.maximum(arch, 0)
    _paint(canvas, bag * np.float32(0.55 * person.eye_bag), shade, window)
    crease = _inside(np.abs(y - upper * np.float32(1.1) + 2.3) - np.float32(0.3), 1.6)
    _paint(canvas, crease * np.maximum(arch, 0) * np.float32(person.lid_crease), shade, window)
    ball = _inside(np.maximum(upper - y, y - lower), 1.0)
    _paint(canvas, ball, np.array([226, 220, 214], np.float32), window)
    radius = np.hypot(x - side * expression.gaze_x, y + np.float32(0.4) - expression.gaze_y)
    _paint(canvas, ball * _inside(radius - person.iris_radius, 1.0), person.iris, window)
    pupil = np.array([14, 12, 12], np.float32)
    _paint(canvas, ball * _inside(radius - np.float32(1.35), 1.0), pupil, window)
    lash = _inside(np.abs(y - upper) - np.float32(0.55), 1.2) * _inside(
        np.abs(x) - person.eye_width
    )
    _paint(canvas, lash * np.float32(0.85), person.hair * np.float32(0.4), window)


def _brow(canvas: Plane, person: Person, expression: Expression, side: int) -> None:
    cx, cy = 56 + side * (person.eye_spacing + 0.8), person.brow_y - expression.brow_raise
    window = _window(cx - 18, cx + 18, cy - 9, cy + 9)
    x = (_X - cx)[:, window[1]] * side
    y = (_Y - cy)[window[0]]
    reach = x / person.brow_width
    centre = -person.brow_arch * (1 - (reach - 0.25) ** 2) - person.brow_tilt * x
    thick = person.brow_thickness * np.clip(1.05 - 0.5 * (reach + 0.3), 0.25, 1.2)
    ends = _inside((np.abs(reach) - 1) * 6, 2.0)
    cover = _inside(np.abs(y - centre) - thick, 1.6) * ends * np.float32(person.brow_density)
    _paint(canvas, cover, person.hair * np.float32(0.75), window)


def _nose(canvas: Plane, person: Person) -> None:
    dark = person.skin * np.float32(0.45)
    y = person.nose_y + 2.6
    for side in (-1, 1):
        hole = blob(56 + side * person.nose_width * 0.42, y, 1.9, 1.25)
        _paint_rows(canvas, hole * np.float32(0.35 + 0.5 * person.nostril), dark, y - 4, y + 4)
        wing = blob(56 + side * person.nose_width, y - 1.6, 1.1, 2.4)
        _paint_rows(canvas, wing * np.float32(0.3), dark, y - 8, y + 5)


def _mouth(canvas: Plane, person: Person, expression: Expression) -> None:
    width = person.mouth_width * (1 + 0.16 * max(0.0, expression.smile))
    window = _window(CENTRE - width - 2, CENTRE + width + 2, person.mouth_y - 14, 111)
    x = _DX[:, window[1]] / width
    y = (_Y - person.mouth_y)[window[0]]
    arch = np.clip(1 - x**2, 0, 1)
    line = -4.0 * expression.smile * (x**2 - 0.3)
    gap = expression.mouth_open * arch
    bow = 1 - np.float32(0.28 * person.mouth_bow) * np.exp(-((x / 0.14) ** 2))
    top = line - gap * np.float32(0.35)
    bottom = line + gap * np.float32(0.65)
    upper = np.maximum(top - person.upper_lip * np.sqrt(arch) * bow - y, y - top)
    lower = np.maximum(bottom - y, y - bottom - person.lower_lip * arch)
    within = _inside((np.abs(x) - 1) * width, 1.5)
    _paint(canvas, _inside(np.maximum(top - y, y - bottom), 1.0) * within, _INSIDE_MOUTH, window)
    teeth = _inside(np.maximum(top - y, y - top - np.minimum(gap * np.float32(0.5), 3)), 1.0)
    _paint(canvas, teeth * within * np.minimum(gap / 2, 1), _TEETH, window)
    _paint(canvas, _inside(upper, 1.4) * within, person.lip * np.float32(0.9), window)
    _paint(canvas, _inside(lower, 1.4) * within, person.lip, window)
    seam = _inside(np.abs(y - top) - np.float32(0.25), 1.2) * within
    _paint(canvas, seam * np.float32(0.6), person.lip * np.float32(0.45), window)


_INSIDE_MOUTH = np.array([52, 22, 22], np.float32)
_TEETH = np.array([216, 208, 196], np.float32)


def _glasses(canvas: Plane, person: Person, outline: Plane) -> None:
    frame = np.array([150, 120, 95], np.float32) * np.float32(1 - person.glasses_dark) + 12
    size = person.glasses_size
    rows = slice(36, 72)
    y = np.abs(_Y[rows] - 53)
    cover = _inside(np.maximum(np.abs(_Y[rows] - 51) - 0.7, np.abs(_DX) - (17.6 - size)))
    for side in (-1, 1):
        x = np.abs(_X - (56 + side * 17.6)) / size
        rim = ((x**3 + (y / (size * 0.78)) ** 3) ** (1 / 3) - 1) * size
        arm = np.maximum(np.abs(_Y[rows] - 50) - 0.8, 17.6 + size - side * _DX)
        cover = np.maximum(cover, _inside(np.abs(rim) - np.float32(0.7)))
        cover = np.maximum(cover, _inside(np.maximum(arm, outline[rows] - 1)))
    _paint(canvas[:, rows], cover, frame)


def relief(person: Person, expression: Expression) -> Plane:
    """Return the height of the face towards the camera, float32 [112, 112] in pixels."""
    round_ = 1 - (_DX / (person.cheek_width + 8)) ** 2 - ((_Y - 62) / 68) ** 2
    height = 34 * np.sqrt(np.maximum(round_, np.float32(0.02)))
    tip = person.nose_height
    height += np.float32(0.62 * tip) * blob(56, person.nose_y - 10, person.nose_bridge, 13)
    height += np.float32(tip) * blob(56, person.nose_y, person.nose_width * 0.62, 5)
    height += np.float32(2.4) * blob(56, 44, 26, 4)
    height += np.float32(person.chin_relief) * blob(56, person.chin_y - 6, 9, 5)
    height += np.float32(1.6) * blob(56, person.mouth_y, person.mouth_width, 4)
    for side in (-1, 1):
        height -= np.float32(3.2) * blob(56 + side * person.eye_spacing, 51, 8, 5)
        cheek = person.cheekbone + 1.4 * expression.smile
        height += np.float32(cheek) * blob(56 + side * 22, 72, 9, 8)
        height += np.float32(0.35 * tip) * blob(
            56 + side * person.nose_width * 0.75, person.nose_y + 1, 3, 3
        )
    height += np.float32(0.9) * _field(person.relief_field)
    return np.asarray(height, np.float32)
