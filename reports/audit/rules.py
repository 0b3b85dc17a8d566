"""The few things an audit asks of a protocol's policy; the one module that reads it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import combinations
from typing import Final, Literal

from protocol.flows import Form, Policy
from protocol.parties import CLIENT, MODEL_PROVIDER, Party, Phase
from protocol.views import Seen

__all__ = ["KNOWN_TO", "SECRETS", "Rules", "Secret"]

Secret = Literal["rows", "probes", "scores", "decisions"]
OPEN_SCORES: Final = "open_scores"
SECRETS: Final[tuple[Secret, ...]] = ("rows", "probes", "scores", "decisions")

# Who holds a secret by its role, whatever it sees: the client owns rows, probes and answers, and
# the provider computes the embedding of every probe.
KNOWN_TO: Final[dict[Secret, frozenset[Party]]] = {
    "rows": frozenset({CLIENT}),
    "probes": frozenset({CLIENT, MODEL_PROVIDER}),
    "scores": frozenset(),
    "decisions": frozenset({CLIENT}),
}


class Rules:
    """A policy as the audit reads it: forms of messages, and coalitions that may learn nothing.

    Args:
        policy: the protocol's.
        insecure: the run's shortcuts; what they open is announced to whom it is opened.
    """

    def __init__(self, policy: Policy, insecure: Collection[str] = ()) -> None:
        self.parties = policy.parties
        self._forms: dict[tuple[str, Party, Party, Phase], Form] = {
            (flow.kind, flow.sender, flow.receiver, flow.phase): flow.form for flow in policy.flows
        }
        self._excluded = [
            frozenset(coalition.members)
            for coalition in policy.coalitions
            if coalition.excluded_by_trust_model
        ]
        self._known = dict(KNOWN_TO)
        for opening in policy.openings:
            if opening.needs_insecure == OPEN_SCORES and OPEN_SCORES in insecure:
                self._known["scores"] |= frozenset(opening.audience)

    def form(self, seen: Seen) -> Form | None:
        """Return the form a message is declared in; None if it is not declared."""
        return self._forms.get((seen.kind, seen.sender, seen.receiver, seen.phase))

    def excluded(self, members: Iterable[Party]) -> bool:
        """Say whether the trust model rules out that these parties collude."""
        together = frozenset(members)
        return any(coalition <= together for coalition in self._excluded)

    def minimal_excluded(self) -> list[frozenset[Party]]:
        """Return the coalitions that the policy names as excluded."""
        return list(self._excluded)

    def coalitions(self) -> Iterator[tuple[Party, ...]]:
        """Yield every set of parties but the whole, single parties first."""
        for size in range(1, len(self.parties)):
            yield from combinations(self.parties, size)

    def may_know(self, members: Iterable[Party], secret: Secret) -> bool:
        """Say whether one of the parties holds a secret by its role, or by an announced opening."""
        return bool(self._known[secret] & frozenset(members))
