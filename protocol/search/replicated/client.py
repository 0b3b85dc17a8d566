"""The client of the replicated protocol."""

from __future__ import annotations

from protocol.search.replicated.material import EVALUATORS, SERVERS
from protocol.search.two_party.client import EvaluatedClient

__all__ = ["ReplicatedClient"]


class ReplicatedClient(EvaluatedClient):
    """Shares rows between the first two servers, which share them with the third."""

    holders = SERVERS
    prepared = SERVERS
    evaluators = EVALUATORS
