"""The client of the dealer protocol."""

from __future__ import annotations

from protocol.parties import DEALER, GALLERY_HOLDER, MODEL_PROVIDER
from protocol.search.two_party.client import EvaluatedClient

__all__ = ["DealerClient"]


class DealerClient(EvaluatedClient):
    """Shares rows between two servers; the dealer keeps a mask of them."""

    evaluators = (MODEL_PROVIDER, GALLERY_HOLDER)
    prepared = evaluators
    holders = (*evaluators, DEALER)
