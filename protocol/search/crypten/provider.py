"""Where correlations come from: CrypTen's provider calls, seeds, and its trusted third party."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch

from protocol.errors import PeerMisbehaviourError
from protocol.search.crypten.blocking import Exchange
from protocol.search.crypten.communicator import ring_array
from protocol.search.crypten.correlations import (
    Answer,
    Bits,
    Conjunction,
    Correlation,
    Product,
    SearchShape,
    correlations,
    decode_request,
    encode,
)
from protocol.search.crypten.library import in_place, load_crypten
from protocol.search.crypten.ranks import COMPUTING
from protocol.search.crypten.witness import Witnessed
from protocol.sharing.prg import RandomBytes

__all__ = ["ProviderCall", "ThirdParty", "fresh_seed", "provider_call"]

ProviderCall: TypeAlias = tuple[str, tuple[Any, ...], dict[str, Any]]

_SEED_BYTES = 8


def fresh_seed(random_bytes: RandomBytes) -> int:
    """Return a seed for a Mersenne Twister, as many bits as torch lets it have: 64."""
    return int.from_bytes(random_bytes(_SEED_BYTES), "little", signed=True)


def provider_call(correlation: Correlation) -> ProviderCall:
    """Return the call, name and arguments, by which CrypTen's primitives ask their provider."""
    keywords = {"device": torch.device("cpu")}
    match correlation:
        case Product(left, right, operation):
            sizes = torch.Size(left), torch.Size(right)
            return "generate_additive_triple", (*sizes, operation), keywords
        case Conjunction(left, right):
            return "generate_binary_triple", (torch.Size(left), torch.Size(right)), keywords
        case Bits(size):
            return "B2A_rng", (torch.Size(size),), keywords


class ThirdParty:
    """Rank 2: makes correlations on request, with CrypTen's arithmetic and our loop around it."""

    def __init__(self, random_bytes: RandomBytes) -> None:
        """Make a third party whose seeds come from `random_bytes`, a CSPRNG."""
        # Its constructor would connect, seed from torch's default generator and serve for ever.
        crypten = load_crypten()
        server_type = crypten.mpc.provider.TTPServer
        self._server = object.__new__(server_type)
        self._server.device = "cpu"
        self._server.generators = [torch.Generator("cpu") for _ in COMPUTING]
        self._random_bytes = random_bytes
        self._witnessed = Witnessed(crypten)

    async def setup(self, exchange: Exchange) -> None:
        """Deal each computing party the seed of its shares."""
        for rank, generator in zip(COMPUTING, self._server.generators, strict=True):
            seed = fresh_seed(self._random_bytes)
            generator.manual_seed(seed)
            await exchange.send(rank, (np.array([seed], np.int64).view(np.uint64),))

    async def prepare(self, exchange: Exchange, shape: SearchShape) -> None:
        """Answer rank 0's requests for one search; the public shape says which they must be.

        Raises:
            PeerMisbehaviourError: rank 0 asks for something else.
        """
        for correlation in correlations(shape):
            await self._requested(exchange, correlation)
            self._witnessed.session = exchange.session
            answer = self._answer(correlation)
            announced = encode(Answer(tuple(answer.shape)))
            await exchange.send(0, (np.frombuffer(announced, np.uint8),))
            await exchange.send(0, (ring_array(answer),))

    async def _requested(self, exchange: Exchange, correlation: Correlation) -> None:
        arrays = await exchange.receive(0)
        known = [array.dtype for array in arrays] == [np.uint8]
        if not known or decode_request(arrays[0].data) != correlation:
            text = "asked for correlations the public shape of the search does not need"
            raise PeerMisbehaviourError(text, where="party 0")

    def _answer(self, correlation: Correlation) -> torch.Tensor:
        _, arguments, _ = provider_call(correlation)
        name = correlation.__struct_config__.tag
        with in_place(self._witnessed):
            return getattr(self._server, str(name))(*arguments)  # type: ignore[no-any-return]
