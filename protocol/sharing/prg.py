"""Pseudorandom expansion of seeds: AES-256-CTR under a key derived from seed and label.

A label may be expanded once per source: masks and triples are single-use. Two parties that share a
seed share a `SeedChain`: each session gets a key of its own and the chain moves on to another key
by a one-way step, at both ends. Whoever takes a party's chain later cannot step back to the keys
of sessions before; from then on it can follow, until the parties draw a fresh seed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from hashlib import blake2b
from math import prod
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from protocol.errors import LocalProtocolError, ReusedMaterialError
from protocol.sharing.kernels_blocks import run_blocks

__all__ = [
    "EXPANDER",
    "SEED_BYTES",
    "WITNESS",
    "CorrelationSource",
    "Expander",
    "RandomBytes",
    "Seed",
    "SeedChain",
    "Witness",
    "expand_seed",
    "keyed_random_bytes",
]

RandomBytes: TypeAlias = Callable[[int], bytes]
SEED_BYTES: Final = 32
_BLOCK_BYTES: Final = 16
_NONCE: Final = bytes(_BLOCK_BYTES)
_CHUNK_BYTES: Final = 1 << 17
_ZEROS: Final = memoryview(bytes(_CHUNK_BYTES))  # encrypted from the cache, over and over


class Seed:
    """A secret 32-byte seed that never prints itself."""

    __slots__ = ("_value", "lineage")

    def __init__(self, value: bytes, lineage: bytes = b"") -> None:
        if len(value) != SEED_BYTES:
            text = f"a seed has {SEED_BYTES} bytes, not {len(value)}"
            raise LocalProtocolError(text)
        self._value = bytes(value)
        # Which drawn seed this one descends from, for recordings: a digest that opens nothing.
        self.lineage = lineage or blake2b(value, digest_size=8, person=b"lineage").digest()

    def __repr__(self) -> str:
        """Return an opaque text."""
        return "Seed(<secret>)"

    @classmethod
    def fresh(cls, random_bytes: RandomBytes) -> Seed:
        """Draw a seed from a cryptographic source."""
        return cls(random_bytes(SEED_BYTES))

    def reveal(self) -> bytes:
        """Return the bytes, for the one message that may carry them."""
        return self._value

    def derive(self, label: str) -> bytes:
        """Return a 32-byte key for one label (BLAKE2b keyed with the seed)."""
        return blake2b(label.encode(), key=self._value, digest_size=SEED_BYTES).digest()

    def heir(self, label: str) -> Seed:
        """Return a seed that this one determines and that tells nothing of this one."""
        return Seed(self.derive(label), self.lineage)

    def expand(
        self,
        label: str,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        *,
        threads: int | None = None,
    ) -> npt.NDArray[Any]:
        """Return a uniform array of unsigned integers, a function of seed and label alone.

        Threads share one stream: each writes its own range of the counter.
        """
        expander = EXPANDER.get()
        if expander is expand_seed:
            return expand_seed(self, label, shape, dtype, threads=threads)
        return expander(self, label, shape, dtype)


def expand_seed(
    seed: Seed,
    label: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    *,
    threads: int | None = None,
) -> npt.NDArray[Any]:
    """Expand a seed by AES-256-CTR under the key of a label."""
    length = prod(shape) * dtype.itemsize
    out = np.empty(length + _BLOCK_BYTES - 1, dtype=np.uint8)
    step = partial(_write_stream, seed.derive(label), out)
    run_blocks(step, length, _CHUNK_BYTES, threads)
    return out[:length].view(dtype).reshape(shape)


def _write_stream(key: bytes, out: npt.NDArray[np.uint8], start: int, stop: int) -> None:
    """Write bytes start … stop of a key's stream in place; start is a whole number of blocks.

    The cipher asks for a block of room behind its output, and does not write to it.
    """
    counter = (start // _BLOCK_BYTES).to_bytes(_BLOCK_BYTES, "big")
    cipher = Cipher(algorithms.AES256(key), modes.CTR(counter)).encryptor()
    room = out.data
    for begin in range(start, stop, _CHUNK_BYTES):
        end = min(begin + _CHUNK_BYTES, stop)
        cipher.update_into(_ZEROS[: end - begin], room[begin : end + _BLOCK_BYTES - 1])


Expander: TypeAlias = Callable[[Seed, str, tuple[int, ...], np.dtype[Any]], npt.NDArray[Any]]
# An audit puts a recorder here, a leak test a worse generator; a run of its own leaves it alone.
EXPANDER: ContextVar[Expander] = ContextVar("EXPANDER", default=expand_seed)

Witness: TypeAlias = Callable[[str, bytes, npt.NDArray[Any]], None]
# What a foreign generator gave: a label, the generator's seed, the array. An audit records them.
WITNESS: ContextVar[Witness | None] = ContextVar("WITNESS", default=None)


class CorrelationSource:
    """Expansion of one seed that hands out each label once."""

    def __init__(self, seed: Seed) -> None:
        self._seed = seed
        self._used: set[str] = set()

    def draw(
        self,
        label: str,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        *,
        threads: int | None = None,
    ) -> npt.NDArray[Any]:
        """Expand a label for the first and only time.

        Raises:
            ReusedMaterialError: the label was drawn before.
        """
        if label in self._used:
            raise ReusedMaterialError(f"material {label} was already used", hint="never reuse it")
        self._used.add(label)
        return self._seed.expand(label, shape, dtype, threads=threads)


class SeedChain:
    """One end of a seed that two parties share, in sessions that both begin in the same order."""

    def __init__(self, seed: Seed) -> None:
        self._seed = seed

    def session(self, name: str) -> CorrelationSource:
        """Return the source of the next session and forget the key it came from."""
        return CorrelationSource(self.next_seed(name))

    def next_seed(self, name: str) -> Seed:
        """Return the seed of the next session and forget the key it came from."""
        seed = self._seed.heir(f"session {name}")
        self._seed = self._seed.heir("next")
        return seed


def keyed_random_bytes(key: bytes, name: str) -> RandomBytes:
    """Return a reproducible source of bytes for tests: `insecure: [test_randomness]`."""
    derived = blake2b(name.encode(), key=key, digest_size=SEED_BYTES).digest()
    stream = Cipher(algorithms.AES256(derived), modes.CTR(_NONCE)).encryptor()

    def draw(count: int) -> bytes:
        return stream.update(bytes(count))

    return draw
