"""What a thief of a party's state gets: nothing from before, and nothing across a refresh.

A thief takes all a party has in memory at one moment and leaves. Whatever is deleted, moved or
refreshed must not be found there, nor be computed from it.
"""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import pytest

from protocol.parties import Party
from protocol.plan import Step
from protocol.sharing.prg import EXPANDER, RandomBytes, Seed, expand_seed, keyed_random_bytes

Play: TypeAlias = Callable[..., Any]
PROTOCOLS = ("dealer", "replicated", "crypten_ttp")
SHARERS: dict[str, tuple[Party, Party]] = {
    "dealer": ("model_provider", "gallery_holder"),
    "replicated": ("model_provider", "auxiliary_server"),
    "crypten_ttp": ("model_provider", "gallery_holder"),
}
ROWS = np.arange(24).reshape(6, 4) % 5
LIFE = (
    Step("enrol-0000", 6, "enrol"),
    Step("search-0000", 2),
    Step("delete-0000", 2, "delete", (1, 4)),
    Step("refresh-0000", 4, "refresh", (0, 2, 3, 5)),
    Step("search-0001", 2),
)


def share(played: Any, party: Party) -> np.ndarray:
    """Return one server's whole matrix, dead slots included."""
    side = played.programs[party].side
    if hasattr(side, "_gallery"):
        return np.array(side._gallery._columns.T)
    (matrix,) = side._rows.matrices
    return np.array(matrix)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_slots_of_deleted_and_moved_rows_are_zero(play: Play, protocol: str) -> None:
    played = play(ROWS, ROWS[:4], threshold=9, steps=LIFE, protocol=protocol)
    for party in () if protocol == "crypten_ttp" else played.programs:
        if party != "client":
            assert not share(played, party)[4:].any(), party
    one, two = (share(played, party) for party in SHARERS[protocol])
    whole = one + two
    assert not one[4:].any()
    assert not two[4:].any()
    live = whole[:4].astype(np.int64)
    assert sorted(map(tuple, live.tolist())) == sorted(map(tuple, ROWS[[0, 2, 3, 5]].tolist()))


def drawing(draws: Counter[Party], known: Counter[Party] | None) -> Callable[..., RandomBytes]:
    """Return sources whose draws are counted, and all known or as many of each party's."""

    def source(party: Party) -> RandomBytes:
        keyed = keyed_random_bytes(bytes(32), party)

        def draw(count: int) -> bytes:
            draws[party] += 1
            fresh = known is not None and draws[party] > known[party]
            return os.urandom(count) if fresh else keyed(count)

        return draw

    return source


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_was_stolen_before_a_refresh_does_not_tell_the_shares_after_it(
    play: Play, protocol: str
) -> None:
    """With all that was drawn before known, the shares before repeat and those after do not."""
    before, after = LIFE[:1], (LIFE[0], Step("refresh-0000", 6, "refresh", tuple(range(6))))
    runs, known = [], None
    for steps in (before, before, after, after):
        drawn: Counter[Party] = Counter()
        source = drawing(drawn, known)
        runs.append(
            play(ROWS, ROWS[:1], threshold=9, steps=steps, protocol=protocol, random_bytes=source)
        )
        known = known or drawn
    for party in SHARERS[protocol]:
        old, again, new, other = (share(played, party) for played in runs)
        assert np.array_equal(old, again)
        assert not np.array_equal(new, other)
        assert not np.array_equal(old, new)


def seeds_in(thing: object, seen: set[int]) -> Iterator[Seed]:
    """Yield every seed that is reachable from an object."""
    if id(thing) in seen or isinstance(thing, (type, str, bytes)) or callable(thing):
        return
    seen.add(id(thing))
    if isinstance(thing, Seed):
        yield thing
    for part in gc.get_referents(thing):
        yield from seeds_in(part, seen)


@pytest.mark.parametrize("protocol", ["dealer", "replicated"])
def test_the_seeds_left_at_the_end_open_no_earlier_session(play: Play, protocol: str) -> None:
    made: dict[str, list[np.ndarray]] = {}

    def recording(seed: Seed, label: str, shape: Any, dtype: Any) -> np.ndarray:
        array = expand_seed(seed, label, shape, dtype)
        if array.nbytes >= 8:
            made.setdefault(label, []).append(array)
        return array

    token = EXPANDER.set(recording)
    try:
        played = play(ROWS, ROWS[:4], threshold=9, steps=LIFE, protocol=protocol)
    finally:
        EXPANDER.reset(token)
    sides = [played.programs[party].side for party in played.programs if party != "client"]
    left = [seed for side in sides for seed in seeds_in(side, set())]
    assert len(left) == 6  # three seeds, at both ends
    sessions = {label.partition("/")[0] for label in made}
    assert {"enrol-0000", "search-0000", "search-0001"} <= sessions
    for seed in left:
        heirs = [seed, seed.heir("next"), *(seed.heir(f"session {name}") for name in sessions)]
        for heir, (label, arrays) in ((h, item) for h in heirs for item in made.items()):
            for array in arrays:
                opened = expand_seed(heir, label, array.shape, array.dtype)
                assert not np.array_equal(opened, array), label


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_refresh_renews_every_seed_by_a_message_each(play: Play, protocol: str) -> None:
    played = play(ROWS, ROWS[:4], threshold=9, steps=LIFE, protocol=protocol)
    events = chain.from_iterable(outcome.events for outcome in played.outcomes.values())
    sent = [e for e in events if e.session == "refresh-0000" and e.event == "sent"]
    grants = [event for event in sent if event.kind == "SeedGrant"]
    assert len(grants) == (1 if protocol == "crypten_ttp" else 3)
    assert {event.payload_bytes for event in grants} == {32}
