"""Seeds that two parties share: one draws it and sends it, both expand it session by session."""

from __future__ import annotations

import numpy as np

from protocol.channel import At, Channel
from protocol.errors import PeerMisbehaviourError
from protocol.messages import GallerySeed, SeedGrant
from protocol.parties import Party
from protocol.received import checked_seed
from protocol.sharing.additive import GALLERY_ROWS, expand_share
from protocol.sharing.prg import RandomBytes, Seed, SeedChain
from protocol.sharing.ring import Ring, RingArray
from protocol.tensors import Tensor

__all__ = ["SETUP", "expanded_rows", "grant_seed", "granted_seed", "seed_tensor"]

SETUP = At("setup", "setup")


def seed_tensor(seed: Seed) -> Tensor:
    """Return a seed as the tensor of a message; 32 bytes."""
    return Tensor.of(np.frombuffer(seed.reveal(), dtype=np.uint8))


async def grant_seed(
    channel: Channel, receiver: Party, random_bytes: RandomBytes, at: At = SETUP
) -> SeedChain:
    """Draw a seed and send it to the one party that shares it."""
    seed = Seed.fresh(random_bytes)
    await channel.send(receiver, SeedGrant(seed=seed_tensor(seed)), at)
    return SeedChain(seed)


async def granted_seed(channel: Channel, sender: Party, at: At = SETUP) -> SeedChain:
    """Receive the seed that another party drew.

    Raises:
        PeerMisbehaviourError: what came is no seed.
    """
    grant = await channel.receive(sender, SeedGrant, at)
    return SeedChain(checked_seed(grant.seed, sender))


def expanded_rows(
    message: GallerySeed, size: tuple[int, int], ring: Ring, sender: Party
) -> RingArray:
    """Return the share of new rows [n,D] that another party sent as a seed.

    Raises:
        PeerMisbehaviourError: it is no seed, or for another number of rows than agreed.
    """
    if message.rows != size[0]:
        text = f"sent a seed for {message.rows} rows where {size[0]} were agreed"
        raise PeerMisbehaviourError(text, where=sender)
    return expand_share(checked_seed(message.seed, sender), GALLERY_ROWS, size, ring)
