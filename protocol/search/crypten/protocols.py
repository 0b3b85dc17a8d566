"""What makes the sides of the two CrypTen protocols; loads CrypTen only when one is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from protocol.parties import DEALER, GALLERY_HOLDER, MODEL_PROVIDER, Party
from protocol.plan import RunPlan
from protocol.search.crypten.ranks import Provider, Rank
from protocol.search.sides import ServerSide
from protocol.sharing.prg import RandomBytes

__all__ = ["servers"]

MakeSide: TypeAlias = Callable[[RunPlan, RandomBytes], ServerSide]


def servers(provider: Provider) -> dict[Party, MakeSide]:
    """Return the makers of every server's side under one of CrypTen's providers."""
    made: dict[Party, MakeSide] = {
        MODEL_PROVIDER: _computing(0, provider),
        GALLERY_HOLDER: _computing(1, provider),
    }
    return made | ({DEALER: _third_party} if provider == "TTP" else {})


def _computing(rank: Rank, provider: Provider) -> MakeSide:
    def make(plan: RunPlan, random_bytes: RandomBytes) -> ServerSide:
        from protocol.search.crypten.servers import ComputingServer

        return ComputingServer(plan, random_bytes, rank, provider)

    return make


def _third_party(plan: RunPlan, random_bytes: RandomBytes) -> ServerSide:
    from protocol.search.crypten.servers import ProvidingServer

    return ProvidingServer(plan, random_bytes)
