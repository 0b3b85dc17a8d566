"""Decode picture files into the one form networks and features take."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

from protocol.errors import DataError
from scenarios.datasets.base import Pictures

__all__ = ["SIDE", "decode_picture"]

SIDE = 112
_MAX_FILE_BYTES = 4 << 20  # a 112x112 picture needs far less; more is not what it claims to be


def decode_picture(data: bytes, where: str) -> Pictures:
    """Decode a JPEG or PNG to uint8 [112, 112, 3], RGB.

    Raises:
        DataError: unreadable, too large a file, or not 112x112; `where` names the picture.
    """
    if len(data) > _MAX_FILE_BYTES:
        raise DataError(
            f"file of {len(data)} bytes is too large for a 112x112 picture", where=where
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=("JPEG", "PNG"))
        if picture.size != (SIDE, SIDE):
            width, height = picture.size
            raise DataError(
                f"expected 112x112 pixels, got {width}x{height}",
                where=where,
                hint="align faces to the usual five-point template and crop to 112x112 first",
            )
        return np.array(picture.convert("RGB"), np.uint8)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
        hint = "expected a JPEG or PNG file"
        raise DataError("not a readable picture", where=where, hint=hint) from error
