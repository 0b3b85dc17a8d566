"""Every search protocol by name: its policy, its costs, and the side it gives to each party."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from protocol.costs import DeclaredMessage, InputSize
from protocol.errors import LocalProtocolError
from protocol.flows import Policy
from protocol.parties import AUXILIARY_SERVER, DEALER, GALLERY_HOLDER, MODEL_PROVIDER, Party
from protocol.plan import RunPlan
from protocol.search.crypten import declared as crypten
from protocol.search.crypten.client import CryptenClient
from protocol.search.crypten.policy import FIRST_PARTY, THIRD_PARTY
from protocol.search.crypten.protocols import servers as crypten_servers
from protocol.search.crypten.ranks import Provider as CryptenProvider
from protocol.search.dealer.client import DealerClient
from protocol.search.dealer.costs import declared_messages as dealer_messages
from protocol.search.dealer.helper import MaterialDealer
from protocol.search.dealer.holder import Holder
from protocol.search.dealer.policy import POLICY as DEALER_POLICY
from protocol.search.dealer.provider import Provider
from protocol.search.replicated.client import ReplicatedClient
from protocol.search.replicated.costs import declared_messages as replicated_messages
from protocol.search.replicated.evaluators import Auxiliary
from protocol.search.replicated.evaluators import Holder as ReplicatedHolder
from protocol.search.replicated.policy import POLICY as REPLICATED_POLICY
from protocol.search.replicated.provider import Provider as ReplicatedProvider
from protocol.search.shape import SearchShape
from protocol.search.sides import ClientSide, ServerSide
from protocol.search.two_party.outputs import answer_round
from protocol.sharing.prg import RandomBytes

__all__ = ["SearchProtocol", "protocol_named", "protocol_names", "register_protocol"]


class SearchProtocol(NamedTuple):
    """One way to search a shared gallery.

    Attributes:
        policy: its flows, openings, trust model and parties.
        declared: every message of a plan, with its bytes and round.
        answer_round: the round of a search in which the client gets its answer.
        client: makes the client's side.
        servers: makes the side of every other party.
    """

    policy: Policy
    declared: Callable[[RunPlan, InputSize], Iterator[DeclaredMessage]]
    answer_round: Callable[[SearchShape], int]
    client: Callable[[RunPlan, RandomBytes], ClientSide]
    servers: dict[Party, Callable[[RunPlan, RandomBytes], ServerSide]]

    @property
    def name(self) -> str:
        """The name in a scenario."""
        return self.policy.name


_PROTOCOLS: Final[dict[str, SearchProtocol]] = {}


def register_protocol(protocol: SearchProtocol) -> SearchProtocol:
    """Make a protocol known under its policy's name, and return it.

    Raises:
        LocalProtocolError: another protocol has this name.
    """
    if _PROTOCOLS.setdefault(protocol.name, protocol) is not protocol:
        raise LocalProtocolError(f"there already is another protocol {protocol.name}")
    return protocol


def protocol_named(name: str) -> SearchProtocol:
    """Return a protocol.

    Raises:
        LocalProtocolError: there is none of this name.
    """
    if name not in _PROTOCOLS:
        hint = f"known: {', '.join(sorted(_PROTOCOLS))}"
        raise LocalProtocolError(f"there is no search protocol {name}", hint=hint)
    return _PROTOCOLS[name]


def protocol_names() -> tuple[str, ...]:
    """Return the names of all protocols."""
    return tuple(_PROTOCOLS)


register_protocol(
    SearchProtocol(
        DEALER_POLICY,
        dealer_messages,
        answer_round,
        DealerClient,
        {
            MODEL_PROVIDER: Provider,
            GALLERY_HOLDER: lambda plan, _: Holder(plan),
            DEALER: MaterialDealer,
        },
    )
)

register_protocol(
    SearchProtocol(
        REPLICATED_POLICY,
        replicated_messages,
        answer_round,
        ReplicatedClient,
        {
            MODEL_PROVIDER: ReplicatedProvider,
            GALLERY_HOLDER: ReplicatedHolder,
            AUXILIARY_SERVER: lambda plan, _: Auxiliary(plan),
        },
    )
)


def _crypten(policy: Policy, provider: CryptenProvider) -> SearchProtocol:
    return SearchProtocol(
        policy,
        crypten.declared_messages(provider),
        crypten.answer_round,
        CryptenClient,
        crypten_servers(provider),
    )


register_protocol(_crypten(FIRST_PARTY, "TFP"))
register_protocol(_crypten(THIRD_PARTY, "TTP"))
