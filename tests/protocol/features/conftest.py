"""Pictures and calibrations that the feature tests share."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from protocol.features import Calibration, calibrate

Literal = Callable[[NDArray[np.uint8]], NDArray[np.float64]]


def smooth_pictures(count: int, seed: int) -> NDArray[np.uint8]:
    """Colour blobs with fine grain: every channel and every element varies."""
    generator = np.random.default_rng(seed)
    coarse = torch.from_numpy(generator.uniform(20, 235, (count, 3, 8, 8)))
    blobs = torch.nn.functional.interpolate(coarse, (112, 112), mode="bicubic").numpy()
    grain = generator.normal(0, 6, blobs.shape)
    return np.clip(blobs + grain, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


@pytest.fixture(scope="session")
def pictures() -> NDArray[np.uint8]:
    return smooth_pictures(104, seed=1)


@pytest.fixture(scope="session")
def calibration(pictures: NDArray[np.uint8]) -> Calibration:
    return calibrate([pictures[:64], pictures[64:]], "maxabs")


@pytest.fixture(scope="session")
def real_faces() -> NDArray[np.uint8]:
    root = os.environ.get("BAUTA_DATA")
    if not root:
        pytest.skip("BAUTA_DATA is not set")
    archive = Path(root) / "data" / "lfw" / "lfw112_q95.zip"
    if not archive.exists():
        pytest.skip(f"{archive} does not exist")
    with zipfile.ZipFile(archive) as faces:
        names = sorted(name for name in faces.namelist() if name.endswith(".jpg"))[::2500]
        images = [Image.open(io.BytesIO(faces.read(name))).convert("RGB") for name in names]
    return np.stack([np.asarray(image) for image in images])


@pytest.fixture(scope="session")
def literal() -> Literal:
    """The pipeline as it is written down: upsample, convert, cut into blocks, transform.

    Returns the AC coefficients of Y, Cb and Cr, [B,3,63,112,112].
    """
    return literal_coefficients


def literal_coefficients(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    rgb = torch.from_numpy(pictures).double().permute(0, 3, 1, 2)
    red, green, blue = torch.nn.functional.interpolate(
        rgb, scale_factor=8, mode="bilinear", align_corners=True
    ).unbind(1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    blue_difference = -0.168736 * red - 0.331264 * green + 0.5 * blue + 128
    red_difference = 0.5 * red - 0.418688 * green - 0.081312 * blue + 128
    planes = torch.stack([luma, blue_difference, red_difference], 1) - 128
    blocks = planes.reshape(-1, 3, 112, 8, 112, 8)
    cosine = torch.tensor(
        [
            [
                np.cos(np.pi * u * (2 * x + 1) / 16) * (0.5 if u else np.sqrt(1 / 8))
                for x in range(8)
            ]
            for u in range(8)
        ],
        dtype=torch.float64,
    )
    coefficients = torch.einsum("ux,bpixjy,vy->bpuvij", cosine, blocks, cosine)
    return np.asarray(coefficients.reshape(-1, 3, 64, 112, 112)[:, :, 1:].numpy())
