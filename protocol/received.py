"""Checking what a peer sent against what the public plan agreed on.

The codec has checked that bytes are a message; whether it is the message that belongs here is
known to its receiver alone. Whatever is wrong names the peer that sent it, never its values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from protocol.errors import PeerMisbehaviourError
from protocol.parties import Party
from protocol.sharing.prg import SEED_BYTES, Seed
from protocol.tensors import Tensor

__all__ = ["checked", "checked_reals", "checked_seed"]


def checked(
    tensor: Tensor, shape: tuple[int, ...], dtype: np.dtype[Any], sender: Party
) -> npt.NDArray[np.unsignedinteger[Any]]:
    """Return a received array, refused unless it has exactly the agreed shape and type.

    Raises:
        PeerMisbehaviourError: the sender sent something else.
    """
    array = tensor.array()
    if array.shape != shape or array.dtype != dtype:
        text = f"sent an array {array.shape} {array.dtype} where {shape} {dtype} was agreed"
        raise PeerMisbehaviourError(text, where=sender)
    return array


def checked_reals(tensor: Tensor, shape: tuple[int, ...], sender: Party) -> npt.NDArray[np.float32]:
    """Return received single-precision numbers of an agreed shape, all of them finite.

    Raises:
        PeerMisbehaviourError: another shape or type, an infinity or no number at all.
    """
    array = checked(tensor, shape, np.dtype(np.float32), sender)
    if not np.isfinite(array).all():
        raise PeerMisbehaviourError("sent numbers that are not finite", where=sender)
    return array.view(np.float32)


def checked_seed(tensor: Tensor, sender: Party) -> Seed:
    """Return a received seed.

    Raises:
        PeerMisbehaviourError: it does not have the bytes of a seed.
    """
    return Seed(checked(tensor, (SEED_BYTES,), np.dtype(np.uint8), sender).tobytes())
