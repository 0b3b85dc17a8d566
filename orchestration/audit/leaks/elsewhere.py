"""Leaks of the protocols beside the default one: the same ideas, planted where they apply.

CrypTen's default provider needs no planting: its first party makes every triple, so the honest
protocol leaks by design, and an audit that lets it pass is blind.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from orchestration.audit.leaks.masks import MASK_LEAKS, Reused, blanked, broadcast
from orchestration.audit.leaks.plant import Leak, Plant
from orchestration.audit.leaks.side import SIDE_LEAKS
from orchestration.audit.leaks.talk import TALK_LEAKS
from protocol.channel import At, Channel
from protocol.messages import Message
from protocol.parties import DEALER, GALLERY_HOLDER, MODEL_PROVIDER, Party
from protocol.search.crypten.messages import CryptenSeed

__all__ = ["CRYPTEN_LEAKS", "REPLICATED_LEAKS"]

M = TypeVar("M", bound=Message)
_DEFAULT: Final = {leak.name: leak for leak in (*MASK_LEAKS, *TALK_LEAKS, *SIDE_LEAKS)}


class BothSeeds(Plant):
    """The third party sends the provider the gallery holder's seed too."""

    async def send(
        self, channel: Channel, party: Party, receiver: Party, message: Message, at: At
    ) -> None:
        """Send the second seed to both servers."""
        await super().send(channel, party, receiver, message, at)
        if isinstance(message, CryptenSeed) and (party, receiver) == (DEALER, GALLERY_HOLDER):
            await channel.send(MODEL_PROVIDER, message, at._replace(round=2))

    async def receive(
        self, channel: Channel, party: Party, sender: Party, kind: type[M], at: At
    ) -> M:
        """Take the second seed after the first."""
        message = await super().receive(channel, party, sender, kind, at)
        if issubclass(kind, CryptenSeed) and (sender, party) == (DEALER, MODEL_PROVIDER):
            await channel.receive(sender, kind, at._replace(round=2))
        return message


def _again(protocol: str, *names: str) -> tuple[Leak, ...]:
    """Return leaks of the default protocol that another one can have as they are."""
    return tuple(_DEFAULT[name]._replace(protocol=protocol) for name in names)


def _moved(name: str, planted: Callable[[], Plant]) -> Leak:
    """Return a leak of the default protocol whose masks have another name in the replicated one."""
    return _DEFAULT[name]._replace(protocol="replicated", planted=planted)


REPLICATED_LEAKS: Final[tuple[Leak, ...]] = (
    _moved("reused-query-mask", partial(Reused, "probe-share")),
    _moved("probe-in-clear", blanked("probe-share"))._replace(
        what="the probe reaches the auxiliary server without a mask",
    ),
    _moved("one-mask-per-batch", broadcast("probe-share")),
    *_again(
        "replicated",
        "generator-of-16-bits", "unmasked-score", "reused-and-masks", "row-in-clear",
    ),
    _DEFAULT["triple-not-masked"]._replace(
        protocol="replicated",
        what="the provider ships the products of AND masks in clear",
    ),
    _moved("one-mask-for-all-rows", broadcast("gallery-rows")),
    *_again(
        "replicated",
        "share-astray", "scores-to-server", "decision-to-provider", "hidden-decision", "same-seeds",
    ),
)  # fmt: skip

CRYPTEN_LEAKS: Final[tuple[Leak, ...]] = (
    Leak(
        "first-party-provides",
        "by design: the first party makes every triple, so it reads whatever they mask",
        "coalition algebra", Plant, protocol="crypten", subject=MODEL_PROVIDER, by_design=True,
    ),
    *_again("crypten_ttp", "row-in-clear", "decision-to-provider", "same-seeds"),
    Leak(
        "both-seeds", "the third party sends the provider the seeds of both servers' masks",
        "declared costs", BothSeeds, protocol="crypten_ttp",
    ),
)  # fmt: skip
