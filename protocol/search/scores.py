"""One server's product of its gallery share with masked probes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from protocol.sharing.kernels import ring_product
from protocol.sharing.ring import RingArray

__all__ = ["score_shares"]


def score_shares(
    matrix: RingArray, probes: RingArray, claimed: npt.NDArray[np.int64] | None
) -> RingArray:
    """Return shares of scores: [B,N] of all rows, or [B,1] of the row each probe claims.

    Args:
        matrix: share rows [N,D].
        probes: [B,D].
        claimed: slot each probe claims, for a verification.
    """
    if claimed is None:
        return ring_product(matrix, probes)
    products: RingArray = (matrix[claimed] * probes).sum(axis=1, dtype=probes.dtype)
    return products[:, None]
