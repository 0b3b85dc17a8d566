"""The adversary: what somebody can do with templates, keys, shares, or answers given by right."""

from __future__ import annotations

from parties.adversary.recovery import Recovery, from_bits, from_scores

__all__ = ["Recovery", "from_bits", "from_scores"]
