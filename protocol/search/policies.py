"""Imports the policy of every protocol, and nothing that computes: what readers of runs need."""

from __future__ import annotations

from protocol.flows import policy_named, policy_names
from protocol.search.crypten import policy as _crypten
from protocol.search.dealer import policy as _dealer
from protocol.search.replicated import policy as _replicated

__all__ = ["policy_named", "policy_names"]

del _crypten, _dealer, _replicated
