"""Split a data set for an open-set search: who is enrolled, who comes back, who is a stranger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
import numpy as np

from protocol.errors import ScenarioError
from scenarios.datasets.base import DataSet

__all__ = ["Split", "split_open_set"]

Pair = tuple[str, str]
_STREAM = 0x5B117  # keeps the split's draws apart from other uses of the same seed


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """Pictures of one experiment as (identity, picture) pairs; no picture appears twice.

    Attributes:
        gallery: one picture of each enrolled person.
        mated: other pictures of enrolled people.
        unmated: pictures of people who are not enrolled.
        people: the pool drawn from, test or all.
        seen_in_training: people of this split who are training people of the data set; 0 for pool
            test. Whom the network saw is in its own record: see `orchestration.acquaintance`.
    """

    gallery: tuple[Pair, ...]
    mated: tuple[Pair, ...]
    unmated: tuple[Pair, ...]
    people: str
    seen_in_training: int

    @property
    def probes(self) -> tuple[Pair, ...]:
        """Mated probes, then unmated probes."""
        return self.mated + self.unmated

    @property
    def persons(self) -> frozenset[str]:
        """Everybody pictured; those enrolled while the gallery is searched, too."""
        return frozenset(identity for identity, _ in (*self.gallery, *self.unmated))


def split_open_set(
    dataset: DataSet,
    entries: int,
    mated: int,
    unmated: int,
    seed: int,
    *,
    people: Literal["test", "all"] = "test",
    per_person: int | None = None,
) -> Split:
    """Draw a gallery and its probes; the same arguments give the same split.

    People with two or more pictures are enrolled first, and left out only as far as the unmated
    probes need their pictures; people with one picture fill the gallery up. Probes go round the
    people, so that everyone gives one before anyone gives a second.

    Args:
        dataset: where the pictures are.
        entries: enrolled people, each with the first of their pictures.
        mated: probes of enrolled people.
        unmated: probes of people who are not enrolled.
        seed: which of the possible splits.
        people: pool; `all` includes the training people.
        per_person: most probes (of either kind) one person gives; None for no limit.

    Raises:
        ScenarioError: the data set has too few people or pictures; says how many it has.
    """
    pool = dataset.identities if people == "all" else dataset.test_identities()
    pictures = dataset.pictures_of
    counts = {identity: len(pictures(identity)) for identity in pool}
    if entries > len(pool):
        raise _too_few("entries", entries, len(pool), "people", "entries")
    rng = np.random.default_rng([seed, _STREAM])
    shuffled = [pool[row] for row in rng.permutation(len(pool))]
    cap = per_person or max(counts.values())
    enrolled, strangers = _choose(shuffled, counts, entries, unmated, cap)
    mated_pairs = _round_robin(((i, pictures(i)[1:]) for i in enrolled), mated, cap, rng)
    unmated_pairs = _round_robin(((i, pictures(i)) for i in strangers), unmated, cap, rng)
    if len(unmated_pairs) < unmated:
        raise _too_few("unmated", unmated, len(unmated_pairs), "unmated probes", "entries")
    if len(mated_pairs) < mated:
        raise _too_few("mated", mated, len(mated_pairs), "mated probes", "unmated")
    gallery = tuple((identity, pictures(identity)[0]) for identity in enrolled)
    involved = {identity for identity, _ in (*gallery, *unmated_pairs)}
    return Split(
        gallery=gallery,
        mated=mated_pairs,
        unmated=unmated_pairs,
        people=people,
        seen_in_training=len(involved.intersection(dataset.training_identities())),
    )


def _choose(
    shuffled: Sequence[str],
    counts: dict[str, int],
    entries: int,
    unmated: int,
    cap: int,
) -> tuple[list[str], list[str]]:
    """Return (enrolled, strangers) such that strangers can give `unmated` probes, if possible."""
    several = [identity for identity in shuffled if counts[identity] > 1]
    single = [identity for identity in shuffled if counts[identity] == 1]
    ordered = several + single
    enrolled, strangers = ordered[:entries], ordered[entries:]
    free = min(len(single), len(strangers))
    spare = sum(min(cap, counts[identity]) for identity in strangers)
    swap = min(len(several), entries) - 1
    while spare < unmated and swap >= 0 and free > 0:
        newcomer = len(strangers) - free
        enrolled[swap], strangers[newcomer] = strangers[newcomer], enrolled[swap]
        spare += min(cap, counts[strangers[newcomer]]) - 1
        swap, free = swap - 1, free - 1
    return enrolled, strangers


def _round_robin(
    people: Iterable[tuple[str, Sequence[str]]], count: int, cap: int, rng: np.random.Generator
) -> tuple[Pair, ...]:
    """Draw up to `count` pictures: everyone's first, then everyone's second, up to `cap` each."""
    queues: list[list[Pair]] = []
    for identity, pictures in people:
        order = rng.permutation(len(pictures))[:cap]
        # Everyone draws, so that the next draw does not depend on who was needed.
        if len(queues) < count and pictures:
            queues.append([(identity, pictures[row]) for row in order])
    chosen: list[Pair] = []
    turn = 0
    while len(chosen) < count:
        drawn = [queue[turn] for queue in queues if len(queue) > turn]
        if not drawn:
            break
        chosen += drawn[: count - len(chosen)]
        turn += 1
    return tuple(chosen)


def _too_few(field: str, asked: int, found: int, what: str, lower: str) -> ScenarioError:
    fields = " or ".join(dict.fromkeys([f"data.{field}", f"data.{lower}"]))
    return ScenarioError(
        f"asked for {asked}, the data set has {found} {what} for this split",
        where=f"data.{field}",
        hint=f"lower {fields}, raise data.per_person, or use data.people: all",
    )
