"""Who a synthetic person is: facial parameters drawn from a small statistical model.

A person is a vector of independent normal factors; facial measures, colours and the
coefficients of smooth skin and relief fields are fixed functions of it. A few factors are
shared by several measures (build, age, complexion), so that traits go together as in people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FIELDS", "Colour", "Person", "draw_person"]

Colour = NDArray[np.float32]

FIELDS = 28  # coefficients of each smooth field (skin luminance, skin redness, relief)

# Skin from dark to light, hair from black to fair, irises from brown to blue: linear RGB anchors.
_SKIN = np.array([[58, 36, 27], [110, 72, 52], [163, 113, 84], [205, 155, 125], [232, 190, 165]])
_HAIR = np.array([[20, 17, 16], [52, 35, 25], [96, 62, 38], [150, 105, 60], [205, 170, 115]])
_IRIS = np.array([[40, 24, 16], [88, 56, 28], [100, 95, 50], [85, 115, 95], [95, 130, 165]])


@dataclass(frozen=True, slots=True)
class Person:
    """Facial measures in pixels of the 112x112 aligned frame, colours 0..255, fields unitless."""

    skin: Colour
    hair: Colour
    iris: Colour
    lip: Colour
    cheek_width: float
    jaw_width: float
    forehead_width: float
    chin_y: float
    hairline_y: float
    hairline_curve: float
    hair_volume: float
    hair_length: float
    fringe: float
    hair_wave: float
    hair_phase: float
    eye_spacing: float
    eye_width: float
    eye_height: float
    eye_tilt: float
    iris_radius: float
    lid_crease: float
    eye_bag: float
    brow_y: float
    brow_width: float
    brow_thickness: float
    brow_tilt: float
    brow_arch: float
    brow_density: float
    nose_y: float
    nose_width: float
    nose_bridge: float
    nose_height: float
    nostril: float
    mouth_y: float
    mouth_width: float
    upper_lip: float
    lower_lip: float
    mouth_bow: float
    cheekbone: float
    chin_relief: float
    fold: float
    forehead_lines: float
    beard: float
    moustache: float
    rosy: float
    wears_glasses: float
    glasses_size: float
    glasses_dark: float
    spots: NDArray[np.float32]
    skin_field: Colour
    red_field: Colour
    relief_field: Colour


def draw_person(rng: np.random.Generator) -> Person:
    """Draw one person."""
    build, age, complexion = rng.standard_normal(3)
    old = max(0.0, float(age))
    traits = {
        **_colours(rng, float(complexion), old),
        **_outline(rng, float(build), old),
        **_eyes(rng, float(build)),
        **_middle(rng, float(build), old),
        **_surface(rng, float(build), float(complexion)),
    }
    # Python floats: numpy's own scalars would turn every float32 plane they touch into float64.
    plain = {name: v if isinstance(v, np.ndarray) else float(v) for name, v in traits.items()}
    return Person(**plain)  # type: ignore[arg-type]


def _palette(anchors: NDArray[np.int_], position: float) -> Colour:
    """Interpolate a palette at a position in 0..1."""
    at = np.clip(position, 0, 1) * (len(anchors) - 1)
    colour = [np.interp(at, range(len(anchors)), anchors[:, channel]) for channel in range(3)]
    return np.asarray(colour, np.float32)


def _colours(rng: np.random.Generator, complexion: float, old: float) -> dict[str, Colour]:
    tint = rng.normal(0, 4, (3, 3)).astype(np.float32)
    tone = 0.68 + 0.24 * complexion
    skin = _palette(_SKIN, tone) + tint[0]
    hair = _palette(_HAIR, 0.12 + 0.35 * tone * rng.uniform(-0.4, 1.8))
    grey = float(np.clip(old * rng.uniform(-0.3, 0.9), 0, 0.9))
    hair = hair * (1 - grey) + grey * np.float32(165) + tint[1]
    iris = _palette(_IRIS, 0.9 * tone * rng.uniform(0, 1.4) - 0.15) + tint[2]
    lip = skin * np.array([0.88, 0.60, 0.62], np.float32) + rng.normal(0, 7, 3)
    return {
        "skin": skin.astype(np.float32),
        "hair": np.clip(hair, 8, 225).astype(np.float32),
        "iris": np.clip(iris, 12, 190).astype(np.float32),
        "lip": np.clip(lip, 20, 230).astype(np.float32),
    }


def _outline(rng: np.random.Generator, build: float, old: float) -> dict[str, float]:
    z = rng.standard_normal(9)
    return {
        "cheek_width": 40 + 1.0 * build + 2.2 * z[0],
        "jaw_width": 29 + 2.0 * build + 3.0 * z[1],
        "forehead_width": 38 + 2.0 * z[2],
        "chin_y": 111 + 1.0 * build + 2.4 * z[3],
        "hairline_y": 17 - 4.0 * min(old, 1.5) * float(rng.random() < 0.4) + 3.0 * z[4],
        "hairline_curve": float(np.clip(5 + 4.5 * z[5], -2, 16)),
        "hair_volume": float(np.clip(6 - 1.0 * build + 2.5 * z[6], 1, 13)),
        "hair_length": float(np.clip(60 - 26 * build + 24 * z[7], 22, 130)),
        "fringe": float(max(0.0, rng.normal(-3, 7))),
        "hair_wave": abs(float(z[8])) * 1.2,
        "hair_phase": float(rng.uniform(0, 6.28)),
    }


def _eyes(rng: np.random.Generator, build: float) -> dict[str, float]:
    z = rng.standard_normal(14)
    return {
        "eye_spacing": 17.6 + 0.55 * z[0],
        "eye_width": 7.7 + 0.75 * z[1],
        "eye_height": float(np.clip(3.7 - 0.2 * build + 0.65 * z[2], 2.2, 5.6)),
        "eye_tilt": 0.05 + 0.075 * z[3],
        "iris_radius": 3.25 + 0.25 * z[4],
        "lid_crease": float(np.clip(0.35 + 0.25 * z[5], 0, 1)),
        "eye_bag": float(np.clip(0.25 + 0.25 * z[6], 0, 1)),
        "brow_y": 41.5 + 0.5 * build + 1.6 * z[7],
        "brow_width": 10.8 + 1.1 * z[8],
        "brow_thickness": float(np.clip(1.75 + 0.45 * build + 0.5 * z[9], 0.7, 3.6)),
        "brow_tilt": 0.02 + 0.09 * z[10],
        "brow_arch": 2.0 - 0.5 * build + 1.0 * z[11],
        "brow_density": float(np.clip(0.72 + 0.16 * z[12], 0.3, 1)),
        "wears_glasses": float(rng.random() < 0.14),
        "glasses_size": 10.5 + 0.9 * z[13],
        "glasses_dark": float(rng.uniform(0.15, 1)),
    }


def _middle(rng: np.random.Generator, build: float, old: float) -> dict[str, float]:
    z = rng.standard_normal(12)
    return {
        "nose_y": 72 + 1.5 * z[0],
        "nose_width": float(np.clip(8.0 + 0.6 * build + 1.3 * z[1], 5, 12)),
        "nose_bridge": float(np.clip(3.6 + 0.6 * z[2], 2.2, 5.5)),
        "nose_height": float(np.clip(8.0 + 0.7 * build + 1.8 * z[3], 3.5, 13)),
        "nostril": float(np.clip(0.5 + 0.2 * z[4], 0.1, 1)),
        "mouth_y": 91.8 + 1.2 * z[5],
        "mouth_width": 14.6 + 1.5 * z[6],
        "upper_lip": float(np.clip(2.6 - 0.5 * build + 0.75 * z[7], 0.9, 5)),
        "lower_lip": float(np.clip(3.7 - 0.4 * build + 0.85 * z[8], 1.5, 6.5)),
        "mouth_bow": float(np.clip(0.9 + 0.5 * z[9], 0, 2.2)),
        "cheekbone": 2.2 + 1.0 * z[10],
        "chin_relief": 2.2 + 0.8 * build + 1.0 * z[11],
        "fold": float(np.clip(0.25 + 0.45 * old + rng.normal(0, 0.12), 0, 1.3)),
        "forehead_lines": float(np.clip(0.4 * old + rng.normal(0, 0.1), 0, 1)),
    }


def _surface(
    rng: np.random.Generator, build: float, complexion: float
) -> dict[str, float | NDArray[np.float32]]:
    hairy = build + rng.normal(0, 0.6)
    freckled = rng.random() < 0.2 and complexion > 0
    return {
        "beard": float(np.clip(0.55 * (hairy - 0.5) + rng.normal(0, 0.15), 0, 0.85)),
        "moustache": float(np.clip(0.5 * (hairy - 0.7) + rng.normal(0, 0.2), 0, 0.85)),
        "rosy": float(np.clip(rng.normal(0.35, 0.25), 0, 1)),
        "spots": _spots(rng, 45 if freckled else int(rng.integers(0, 4)), freckled=freckled),
        "skin_field": rng.standard_normal(FIELDS).astype(np.float32),
        "red_field": rng.standard_normal(FIELDS).astype(np.float32),
        "relief_field": rng.standard_normal(FIELDS).astype(np.float32),
    }


def _spots(rng: np.random.Generator, count: int, *, freckled: bool) -> NDArray[np.float32]:
    """Return freckles or moles [count, 4]: x, y, radius, darkness."""
    x = rng.normal(56, 17, count)
    y = rng.normal(70 if freckled else 74, 8 if freckled else 17, count)
    radius = rng.uniform(0.6, 1.1, count) if freckled else rng.uniform(0.8, 1.7, count)
    dark = rng.uniform(0.1, 0.3, count) if freckled else rng.uniform(0.4, 0.8, count)
    return np.stack([x, y, radius, dark], axis=1).astype(np.float32)
