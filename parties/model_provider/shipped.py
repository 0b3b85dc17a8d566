"""The two small networks this package carries: trained by us, on generated people only.

They make the embedded scenario run without any download. They know nothing of real faces.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from parties.model_provider.mobilefacenet import Architecture, MobileFaceNet
from parties.model_provider.published import Arrays, load_state, read_arrays, write_arrays
from parties.model_provider.supervised import SCALING
from parties.model_provider.teacher import RgbEmbedder
from protocol.errors import DataError

__all__ = ["SHIPPED_RGB", "SHIPPED_STUDENT", "load_shipped_rgb", "save_rgb", "shipped_record"]

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
    network = MobileFaceNet(_told(arrays, path).architecture)
    load_state(network, {k: v for k, v in arrays.items() if k != _META}, str(path))
    return RgbEmbedder(network, SCALING)


def shipped_record(path: Path = SHIPPED_RGB) -> dict[str, Any]:
    """Return how an unprotected network for synthetic faces was trained; JSON values.

    Raises:
        DataError: the file is missing or malformed.
    """
    return _told(read_arrays(path), path).record


def save_rgb(embedder: RgbEmbedder, path: Path, record: dict[str, Any]) -> None:
    """Write a network of this kind, with how it was trained; kernels as float16."""
    told = _Told(embedder.network.architecture, record)
    meta = msgspec.json.encode(
        {"architecture": told.architecture._asdict(), "record": told.record}, order="sorted"
    )
    arrays: dict[str, NDArray[np.generic]] = {_META: np.frombuffer(meta, np.uint8)}
    for name, tensor in embedder.network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            values = tensor.detach().cpu().numpy()
            arrays[name] = values.astype(np.float16) if values.ndim > 1 else values
    write_arrays(arrays, path)


class _Told(NamedTuple):
    """What a file says of itself."""

    architecture: Architecture
    record: dict[str, Any]


def _told(arrays: Arrays, path: Path) -> _Told:
    try:
        meta = msgspec.json.decode(arrays[_META].tobytes())
        return _Told(Architecture(**meta["architecture"]), dict(meta["record"]))
    except (KeyError, TypeError, ValueError) as error:
        hint = "make it again: python -m orchestration.shipping"
        raise DataError("not a network of this package", where=str(path), hint=hint) from error
