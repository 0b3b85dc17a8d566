"""CrypTen's numbers for parties, and where its correlations come from; imports no library."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

__all__ = ["COMPUTING", "THIRD_PARTY", "Provider", "Rank"]

Rank: TypeAlias = Literal[0, 1]
Provider: TypeAlias = Literal["TFP", "TTP"]

COMPUTING: Final[tuple[Rank, Rank]] = (0, 1)
THIRD_PARTY: Final = 2
