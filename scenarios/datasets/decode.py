"""Decode picture files into the one form networks and features take.

A picture arrives as a viewer shows it: turned as its EXIF data say, 16-bit values scaled to
eight, transparency over white. What had to be changed is told, so that it can be counted. Only
formats that Pillow decodes by itself, and tells by their first bytes, are opened; a decoder meets
bytes of unknown origin, so whatever it raises is a picture that cannot be read.
"""

from __future__ import annotations

import io
import warnings
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from protocol.errors import DataError
from scenarios.datasets.base import Pictures

__all__ = [
    "KINDS",
    "MAX_FILE_BYTES",
    "SIDE",
    "Decoded",
    "blank",
    "decode",
    "decode_picture",
    "kind_of",
]

SIDE: Final = 112
MAX_FILE_BYTES: Final = 4 << 20
"""A 112x112 picture needs far less; more is not what it claims to be."""
KINDS: Final = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".mpo": "JPEG", ".png": "PNG", ".bmp": "BMP",
    ".gif": "GIF", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF", ".pgm": "PPM", ".ppm": "PPM",
    ".pbm": "PPM", ".pnm": "PPM",
}  # fmt: skip
_FORMATS: Final = tuple(dict.fromkeys(KINDS.values()))  # JPEG opens a phone's MPO, too
_HINT: Final = "expected one of " + ", ".join(KINDS)
_ORIENTATION, _UPRIGHT = 0x0112, 1
_WIDE: Final = {"I;16", "I;16L", "I;16B", "I;16N"}
_LEVELS_16_BIT, _LEVELS_8_BIT = 65535, 255
_LEAST_RANGE = 4  # levels of grey; a face in bad light has ten times as many


class Decoded(NamedTuple):
    """A picture uint8 [112, 112, 3], RGB, and what was done to get there.

    Attributes:
        pixels: the picture.
        changes: of "grey", "CMYK", "alpha", "palette", "rotated", "16-bit", "first of several".
    """

    pixels: Pictures
    changes: frozenset[str]


def kind_of(name: str) -> str:
    """Return the ending of a file's name in lower case, such as `.jpg`; empty without one."""
    stem, dot, ending = name.rpartition("/")[2].rpartition(".")
    return f".{ending.lower()}" if dot and stem else ""


def decode_picture(data: bytes, where: str) -> Pictures:
    """Decode a picture to uint8 [112, 112, 3], RGB; raises DataError as `decode`."""
    return decode(data, where).pixels


def decode(data: bytes, where: str) -> Decoded:
    """Decode a picture of any of `KINDS`.

    Raises:
        DataError: unreadable, too large a file, not 112x112, or values of unknown range; `where`
            names the picture.
    """
    if len(data) > MAX_FILE_BYTES:
        raise DataError(
            f"file of {len(data)} bytes is too large for a 112x112 picture", where=where
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decoded(data, where)
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise DataError("not a readable picture", where=where, hint=_HINT) from error
    except Exception as error:  # decoders raise whatever damaged bytes lead them to
        text = "not a readable picture: damaged or cut short"
        raise DataError(text, where=where, hint=_HINT) from error


def blank(pictures: Pictures) -> NDArray[np.bool_]:
    """Return which pictures [B, 112, 112, 3] show nothing: all their pixels are the same."""
    return np.asarray(np.ptp(pictures, axis=(1, 2)).max(axis=1) < _LEAST_RANGE)


def _decoded(data: bytes, where: str) -> Decoded:
    picture = Image.open(io.BytesIO(data), formats=_FORMATS)
    if picture.size != (SIDE, SIDE):
        width, height = picture.size
        raise DataError(
            f"expected 112x112 pixels, got {width}x{height}",
            where=where,
            hint="align faces to the usual five-point template and crop to 112x112 first",
        )
    changes = set(_kind_changes(picture))
    if picture.getexif().get(_ORIENTATION, _UPRIGHT) in range(2, 9):
        changes.add("rotated")
    scaled = "16-bit" in changes and picture.format != "TIFF"  # a TIFF of mode I has 32 bits
    return Decoded(_pixels(_upright(picture), where, scaled=scaled), frozenset(changes))


def _kind_changes(picture: Image.Image) -> list[str]:
    """Return what has to change in a picture as it is stored."""
    mode, tile = picture.mode, getattr(picture, "tile", None)
    raw = str(tile[0][3]) if tile else ""  # such as RGB;16B, which becomes RGB while it is read
    found = {
        "grey": mode in {"1", "L", "LA", "I", *_WIDE},
        "CMYK": mode == "CMYK",
        "alpha": mode in {"LA", "RGBA", "PA", "La", "RGBa"} or "transparency" in picture.info,
        "palette": mode in {"P", "PA"},
        "16-bit": mode == "I" or mode in _WIDE or ";16" in raw,
        "first of several": picture.format != "MPO" and getattr(picture, "n_frames", 1) > 1,
    }
    return [name for name, applies in found.items() if applies]


def _upright(picture: Image.Image) -> Image.Image:
    """Turn a picture as its EXIF data say; Pillow has turned a TIFF while loading it."""
    picture.load()
    return ImageOps.exif_transpose(picture)


def _pixels(picture: Image.Image, where: str, *, scaled: bool) -> Pictures:
    if picture.mode in _WIDE or (picture.mode == "I" and scaled):
        return _scaled(np.asarray(picture).astype(np.int64), where)
    if picture.mode in {"I", "F"}:
        kind = "whole numbers of 32 bits" if picture.mode == "I" else "fractions"
        hint = "convert it to 8 or 16 bits, where black and white are agreed on"
        raise DataError(f"pixels are {kind}, whose white is not known", where=where, hint=hint)
    if picture.has_transparency_data:
        front = picture.convert("RGBA")
        white = Image.new("RGBA", front.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, front)
    return np.array(picture.convert("RGB"), np.uint8)


def _scaled(values: NDArray[np.int64], where: str) -> Pictures:
    """Return 16-bit grey as three channels of 8 bits, black to black and white to white."""
    if values.min() < 0 or values.max() > _LEVELS_16_BIT:
        raise DataError("pixels are outside 16 bits", where=where)
    half = _LEVELS_16_BIT // 2
    grey = ((values * _LEVELS_8_BIT + half) // _LEVELS_16_BIT).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)
