"""The closed set of parties and phases; nothing else may appear in an envelope.

A search protocol uses some of the parties: see `protocol.flows.Policy.parties`.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

__all__ = [
    "AUXILIARY_SERVER",
    "CLIENT",
    "DEALER",
    "GALLERY_HOLDER",
    "MODEL_PROVIDER",
    "PARTIES",
    "PHASES",
    "Party",
    "Phase",
]

Party = Literal["client", "model_provider", "gallery_holder", "auxiliary_server", "dealer"]
Phase = Literal["setup", "enrol", "offline", "online", "evaluation"]

CLIENT: Final = "client"
MODEL_PROVIDER: Final = "model_provider"
GALLERY_HOLDER: Final = "gallery_holder"
AUXILIARY_SERVER: Final = "auxiliary_server"
DEALER: Final = "dealer"
PARTIES: Final[tuple[Party, ...]] = get_args(Party)
PHASES: Final[tuple[Phase, ...]] = get_args(Phase)
