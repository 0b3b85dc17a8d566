"""The library of planted leaks."""

from __future__ import annotations

from typing import Final

from orchestration.audit.leaks.elsewhere import CRYPTEN_LEAKS, REPLICATED_LEAKS
from orchestration.audit.leaks.masks import MASK_LEAKS
from orchestration.audit.leaks.plant import Leak
from orchestration.audit.leaks.side import SIDE_LEAKS
from orchestration.audit.leaks.talk import TALK_LEAKS

__all__ = ["LEAKS"]

LEAKS: Final[tuple[Leak, ...]] = (
    *MASK_LEAKS, *TALK_LEAKS, *SIDE_LEAKS, *REPLICATED_LEAKS, *CRYPTEN_LEAKS,
)  # fmt: skip
