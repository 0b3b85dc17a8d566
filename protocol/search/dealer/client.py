"""The client of the dealer protocol: shares rows between the two servers."""

from __future__ import annotations

from protocol.channel import At, Channel
from protocol.messages import GallerySeed, GalleryShares
from protocol.parties import DEALER, GALLERY_HOLDER, MODEL_PROVIDER
from protocol.plan import Step
from protocol.search.seeds import seed_tensor
from protocol.search.two_party.client import EvaluatedClient
from protocol.sharing.additive import split
from protocol.sharing.ring import RingArray
from protocol.tensors import Tensor

__all__ = ["DealerClient"]


class DealerClient(EvaluatedClient):
    """Owns what the two servers hold shares of."""

    evaluators = (MODEL_PROVIDER, GALLERY_HOLDER)
    prepared = evaluators
    holders = (*evaluators, DEALER)

    async def _share(self, channel: Channel, step: Step, rows: RingArray) -> None:
        """Send server 0 a seed and server 1 the rows minus what it expands to."""
        at = At(step.session, "enrol")
        seed, share = split(rows, "gallery-rows", self._random_bytes)
        await channel.send(MODEL_PROVIDER, GallerySeed(seed=seed_tensor(seed), rows=step.size), at)
        await channel.send(GALLERY_HOLDER, GalleryShares(values=Tensor.of(share)), at)
