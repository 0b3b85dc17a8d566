"""The two small networks this package carries: trained by us, on generated people only.

They make the embedded scenario run without any download. They know nothing of real faces.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from parties.model_provider.mobilefacenet import Architecture, MobileFaceNet
from parties.model_provider.published import Arrays, load_state, read_arrays, write_arrays
from parties.model_provider.supervised import SCALING
from parties.model_provider.teacher import RgbEmbedder
from protocol.errors import DataError

__all__ = ["SHIPPED_RGB", "SHIPPED_STUDENT", "load_shipped_rgb", "save_rgb"]

_FOLDER = Path(__file__).parent / "weights"
SHIPPED_RGB = _FOLDER / "synthetic_rgb.npz"
SHIPPED_STUDENT = _FOLDER / "synthetic_student.npz"
_META = "meta"


def load_shipped_rgb(path: Path = SHIPPED_RGB) -> RgbEmbedder:
    """Load the unprotected network for synthetic faces.

    Raises:
        DataError: the file is missing or malformed.
    """
    arrays = read_arrays(path)
    network = MobileFaceNet(_architecture(arrays, path))
    load_state(network, {k: v for k, v in arrays.items() if k != _META}, str(path))
    return RgbEmbedder(network, SCALING)


def save_rgb(embedder: RgbEmbedder, path: Path) -> None:
    """Write a network of this kind; kernels as float16."""
    meta = json.dumps(embedder.network.architecture._asdict(), sort_keys=True)
    arrays: dict[str, NDArray[np.generic]] = {_META: np.frombuffer(meta.encode(), np.uint8)}
    for name, tensor in embedder.network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            values = tensor.detach().cpu().numpy()
            arrays[name] = values.astype(np.float16) if values.ndim > 1 else values
    write_arrays(arrays, path)


def _architecture(arrays: Arrays, path: Path) -> Architecture:
    try:
        return Architecture(**json.loads(arrays[_META].tobytes()))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError("not a network of this package", where=str(path)) from error
