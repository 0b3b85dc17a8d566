"""Which frequency channels are sent at all, in the manner of two published peers.

Ten coefficients of each plane carry most of what a viewer sees. `high` leaves them out, as
DuetFace does with what its client keeps. `random` sends a sixth of the rest: the other 54 of a
plane are dealt into six groups of nine, each spread over all frequencies, and one group is drawn
for every picture; the receiver is not told which. PartialFace samples and trains so.

Neither is a privacy mechanism by itself: see docs/results/inputs.md for what a linear attack
recovers from so few channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy import intp
    from numpy.typing import NDArray

    from protocol.features.spec import Selection

__all__ = ["GROUPS", "LEFT_OUT", "sent_channels"]

BLOCK: Final = 8
PLANE: Final = BLOCK * BLOCK - 1
LEFT_OUT: Final = (0, 1, 2, 3, 8, 9, 10, 16, 17, 24)
"""Coefficients 8 u + v that are never sent, the constant among them (PartialFace, section 4)."""

GROUPS: Final = 6
"""Groups that `random` deals the other coefficients into."""


def sent_channels(channels: int, selection: Selection) -> NDArray[intp]:
    """Return the channels of each group, [groups, sent]; all but `random` have one group.

    Args:
        channels: frequency channels before the selection, a multiple of 63 or a single plane.
        selection: which of them are sent.
    """
    if selection == "all":
        return np.arange(channels)[None]
    high = [n for n in _by_frequency() if n not in LEFT_OUT]
    parts = [high[g::GROUPS] for g in range(GROUPS)] if selection == "random" else [sorted(high)]
    group = np.array(parts) - 1  # the constant has no channel
    planes = np.arange(0, channels, PLANE)
    return np.asarray(planes[None, :, None] + group[:, None, :]).reshape(len(parts), -1)


def _by_frequency() -> list[int]:
    """Return coefficients 8 u + v, lowest frequency first."""
    return sorted(range(BLOCK * BLOCK), key=lambda n: (sum(divmod(n, BLOCK)), n))
