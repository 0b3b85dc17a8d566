"""What a party could do with the answers it is given by right."""

from __future__ import annotations

from parties.adversary.recovery import Recovery, from_bits, from_scores

__all__ = ["Recovery", "from_bits", "from_scores"]
