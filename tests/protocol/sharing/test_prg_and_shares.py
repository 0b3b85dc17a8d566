"""Expansion of seeds, single use, and additive shares."""

from __future__ import annotations

import os
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import LocalProtocolError, ReusedMaterialError
from protocol.sharing.additive import expand_share, split
from protocol.sharing.prg import CorrelationSource, Seed, SeedChain, keyed_random_bytes
from protocol.sharing.ring import Ring

U16 = np.dtype("<u2")


def test_expansion_is_aes_256_ctr_of_the_derived_key() -> None:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    seed = Seed(bytes(range(32)))
    key = seed.derive("label")
    stream = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor().update(bytes(20))
    assert seed.expand("label", (20,), np.dtype(np.uint8)).tobytes() == stream


def test_a_stream_never_changes() -> None:
    stream = Seed(bytes(range(32))).expand("label", (1_000_003,), np.dtype(np.uint8))
    digest = "e91c5bd5dd4670f63f89131a19386c19e340d3745b8e80f3e73ab958a0cb3207"
    assert sha256(stream.tobytes()).hexdigest() == digest


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 131_072, 131_073, 400_001])
@pytest.mark.parametrize("threads", [2, 3])
def test_threads_write_one_stream(length: int, threads: int) -> None:
    seed, kind = Seed(bytes(range(32))), np.dtype(np.uint8)
    alone = seed.expand("label", (length,), kind)
    assert np.array_equal(seed.expand("label", (length,), kind, threads=threads), alone)


def test_labels_and_seeds_separate_streams() -> None:
    one, two = Seed(bytes(32)), Seed(bytes([1]) + bytes(31))
    base = one.expand("a", (64,), U16)
    assert np.array_equal(base, one.expand("a", (64,), U16))
    assert not np.array_equal(base, one.expand("b", (64,), U16))
    assert not np.array_equal(base, two.expand("a", (64,), U16))


def test_every_ring_value_can_be_drawn() -> None:
    drawn = Seed(bytes(32)).expand("reach", (2_000_000,), U16)
    assert len(np.unique(drawn)) == 2**16


def test_a_label_is_drawn_once() -> None:
    source = CorrelationSource(Seed.fresh(os.urandom))
    source.draw("search-0000/probe-masks", (2, 2), U16)
    with pytest.raises(ReusedMaterialError, match="already used"):
        source.draw("search-0000/probe-masks", (2, 2), U16)


def test_seeds_do_not_print_themselves() -> None:
    secret = bytes(range(32))
    assert secret.hex() not in repr(Seed(secret))
    assert repr(secret) not in repr(Seed(secret))


def test_a_seed_has_32_bytes() -> None:
    with pytest.raises(LocalProtocolError, match="32 bytes"):
        Seed(bytes(31))


@given(st.sampled_from([16, 32]), st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1))
def test_shares_add_up(bits: int, values: list[int]) -> None:
    ring = Ring(bits)
    secret = ring.encode(np.array(values, dtype=np.int64))
    seed, share = split(secret, "rows", os.urandom)
    first = expand_share(seed, "rows", secret.shape, ring)
    assert np.array_equal(first + share, secret)


def test_the_shipped_share_is_uniform_whatever_the_secret() -> None:
    secret = np.full(200_000, 7, dtype=U16)
    _, share = split(secret, "rows", keyed_random_bytes(bytes(32), "uniform"))
    counts = np.bincount(share >> 8, minlength=256)
    expected = len(share) / 256
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    assert chi_square < 350.0  # 255 degrees of freedom: probability 7e-5


def test_keyed_randomness_repeats_and_is_separated_by_party() -> None:
    key = bytes(32)
    assert keyed_random_bytes(key, "client")(16) == keyed_random_bytes(key, "client")(16)
    assert keyed_random_bytes(key, "client")(16) != keyed_random_bytes(key, "dealer")(16)


def test_both_ends_of_a_chain_get_the_same_sessions() -> None:
    value = os.urandom(32)
    one, two = SeedChain(Seed(value)), SeedChain(Seed(value))
    for name in ("enrol-0000", "search-0000", "search-0001"):
        first, second = (end.session(name).draw("mask", (8,), U16) for end in (one, two))
        assert np.array_equal(first, second)


def test_a_chain_does_not_come_back_and_its_sessions_are_unlike() -> None:
    value = os.urandom(32)
    chain = SeedChain(Seed(value))
    drawn = [chain.session(name).draw("mask", (16,), U16).tobytes() for name in "aab"]
    other = SeedChain(Seed(value)).session("b").draw("mask", (16,), U16).tobytes()
    plain = CorrelationSource(Seed(value)).draw("mask", (16,), U16).tobytes()
    assert len({*drawn, other, plain}) == 5


def test_heirs_are_known_by_their_lineage_and_open_nothing() -> None:
    seed = Seed(os.urandom(32))
    heir = seed.heir("next").heir("session a")
    assert heir.lineage == seed.lineage != Seed(os.urandom(32)).lineage
    assert seed.lineage not in seed.reveal()
    assert heir.reveal() not in {seed.reveal(), seed.derive("session a")}
