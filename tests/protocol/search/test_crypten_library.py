"""CrypTen loads on this torch, and each party has its own copy of what it keeps per process."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from protocol.search.crypten.communicator import Communicator
from protocol.search.crypten.library import PartyState, load_crypten


def state(rank: Any) -> PartyState:
    return PartyState(Communicator(rank), "TTP" if rank else "TFP")


def test_crypten_loads_twice_and_is_the_pinned_version() -> None:
    assert load_crypten() is load_crypten()
    assert load_crypten().__version__ == "0.4.1"


def test_each_party_has_its_own_variables_and_finds_them_again() -> None:
    crypten = load_crypten()
    parties = [state(0), state(1)]
    outside = crypten.communicator.get
    seen = []
    for party in (*parties, *parties):
        with party.in_force():
            seen.append(
                (
                    crypten.communicator.get().get_rank(),
                    crypten.mpc.get_default_provider().NAME,
                    id(crypten.generators["local"]),
                )
            )
        assert crypten.communicator.get is outside
    assert seen[:2] == seen[2:]
    assert [rank for rank, _, _ in seen[:2]] == [0, 1]
    assert [name for _, name, _ in seen[:2]] == ["TFP", "TTP"]
    assert seen[0][2] != seen[1][2]


def test_what_a_party_changes_stays_its_own() -> None:
    crypten = load_crypten()
    first, second = state(0), state(1)
    with first.in_force(), crypten.config.cfg.temp_override({"functions.max_method": "pairwise"}):
        changed = crypten.config.cfg.config
        assert crypten.config.cfg.functions.max_method == "pairwise"
    with first.in_force():
        crypten.config.cfg.config = changed
        crypten.mpc.get_default_provider().tuple_cache["mine"] = []
    with second.in_force():
        assert crypten.config.cfg.functions.max_method == "log_reduction"
        assert crypten.mpc.get_default_provider().tuple_cache == {}
    with first.in_force():
        assert crypten.config.cfg.functions.max_method == "pairwise"


def test_crypten_is_as_found_after_an_error() -> None:
    crypten = load_crypten()
    before = crypten.generators, crypten.config.cfg.config
    with pytest.raises(ZeroDivisionError), state(0).in_force():
        raise ZeroDivisionError
    assert (crypten.generators, crypten.config.cfg.config) == before


def test_parties_of_other_threads_wait_for_their_turn() -> None:
    entered = threading.Event()

    def enter() -> None:
        with state(1).in_force():
            entered.set()

    with state(0).in_force():
        other = threading.Thread(target=enter)
        other.start()
        assert not entered.wait(0.05)
    other.join(timeout=10)
    assert entered.is_set()
