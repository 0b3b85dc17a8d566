"""The closed set of parties and phases; nothing else may appear in an envelope."""

from __future__ import annotations

from typing import Final, Literal, get_args

__all__ = [
    "CLIENT",
    "DEALER",
    "GALLERY_HOLDER",
    "MODEL_PROVIDER",
    "PARTIES",
    "PHASES",
    "Party",
    "Phase",
]

Party = Literal["client", "model_provider", "gallery_holder", "dealer"]
Phase = Literal["setup", "enrol", "offline", "online", "evaluation"]

CLIENT: Final = "client"
MODEL_PROVIDER: Final = "model_provider"
GALLERY_HOLDER: Final = "gallery_holder"
DEALER: Final = "dealer"
PARTIES: Final[tuple[Party, ...]] = get_args(Party)
PHASES: Final[tuple[Phase, ...]] = get_args(Phase)
