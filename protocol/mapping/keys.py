"""Identity-specific mapping keys: drawn from a cryptographic source, unique, withdrawn when asked.

Only the client that enrols an identity holds its key; no message carries one. A key is no second
factor: a search needs none, so a whole row recognises its person, and links to the row under the
next key, without it (docs/decisions/0028). To revoke a key is to draw another for the next row;
what was stolen under the old one stays useful.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from hashlib import blake2b
from math import factorial, perm
from typing import TypeAlias

from protocol.errors import LocalProtocolError, ScenarioError
from protocol.mapping.spec import MappingSpec
from protocol.sharing.prg import SEED_BYTES, Seed

__all__ = ["KeyRing", "MappingKey", "PolynomialKey", "SeedKey", "key_space"]

RandomBytes: TypeAlias = Callable[[int], bytes]


class MappingKey:
    """The secret of one identity; never printed, equal by value."""

    __slots__ = ()

    def secret(self) -> Hashable:
        """Return what tells this key from others."""
        raise NotImplementedError

    def digest(self) -> bytes:
        """Return what tells this key from others and is not the key: 32 bytes, one way.

        A key of few possible ones can still be found by trying them all.
        """
        return blake2b(repr(self.secret()).encode(), digest_size=32, person=b"mapping key").digest()

    def __repr__(self) -> str:
        """Return an opaque text."""
        return "MappingKey(<secret>)"

    def __eq__(self, other: object) -> bool:
        """Compare by value."""
        if not isinstance(other, MappingKey):
            return NotImplemented
        return self.secret() == other.secret()

    def __hash__(self) -> int:
        """Hash by value."""
        return hash(self.secret())


class PolynomialKey(MappingKey):
    """Coefficients C and exponents E of one identity (PolyProtect).

    Attributes:
        coefficients: m distinct non-zero integers in [-c_max, c_max].
        exponents: a permutation of 1..m.
    """

    __slots__ = ("coefficients", "exponents")

    def __init__(self, coefficients: tuple[int, ...], exponents: tuple[int, ...]) -> None:
        distinct = len(set(coefficients)) == len(coefficients) and 0 not in coefficients
        if not distinct or sorted(exponents) != list(range(1, len(coefficients) + 1)):
            text = "a key needs distinct non-zero coefficients and a permutation of 1..m"
            raise LocalProtocolError(text)
        self.coefficients = coefficients
        self.exponents = exponents

    def secret(self) -> Hashable:
        """Return coefficients and exponents."""
        return (self.coefficients, self.exponents)


class SeedKey(MappingKey):
    """A seed from which the keyed projection of a folded template is expanded.

    Attributes:
        seed: 32 secret bytes.
    """

    __slots__ = ("seed",)

    def __init__(self, seed: Seed) -> None:
        self.seed = seed

    def secret(self) -> Hashable:
        """Return the bytes of the seed."""
        return self.seed.reveal()


class KeyRing:
    """Issues one fresh key per identity; a revoked or issued key never comes back.

    Of a revoked key nothing is kept but a digest.

    Attributes:
        capacity: how many keys the ring issues at most, half of the key space.
    """

    def __init__(self, spec: MappingSpec, random_bytes: RandomBytes) -> None:
        self._spec = spec
        self._random_bytes = random_bytes
        self._active: dict[str, MappingKey] = {}
        self._issued: set[bytes] = set()
        # Drawing again until a key is new stays fast while at least half of them are.
        self.capacity = key_space(spec) // 2

    def issue(self, identity: str) -> MappingKey:
        """Draw the key of an identity that has none.

        Raises:
            LocalProtocolError: the identity has a key already.
            ScenarioError: half of all possible keys are used up.
        """
        if identity in self._active:
            raise LocalProtocolError("this identity has a key", hint="revoke it first")
        if len(self._issued) >= self.capacity:
            message = f"half of the {key_space(self._spec)} possible keys are used up"
            hint = "raise mapping.terms or mapping.coefficient_limit"
            raise ScenarioError(message, where="mapping", hint=hint)
        key = self._draw()
        while key.digest() in self._issued:
            key = self._draw()
        self._issued.add(key.digest())
        self._active[identity] = key
        return key

    def key_of(self, identity: str) -> MappingKey:
        """Return the active key of an identity.

        Raises:
            LocalProtocolError: it has none.
        """
        if identity not in self._active:
            raise LocalProtocolError("this identity has no key", hint="issue one first")
        return self._active[identity]

    def revoke(self, identity: str) -> None:
        """Withdraw an identity's key; the next one issued is another.

        Raises:
            LocalProtocolError: it has none.
        """
        self.key_of(identity)
        del self._active[identity]

    def _draw(self) -> MappingKey:
        if self._spec.kind == "folded":
            return SeedKey(Seed.fresh(self._random_bytes))
        limit, terms = self._spec.coefficient_limit, self._spec.terms
        pool = [value for value in range(-limit, limit + 1) if value]
        coefficients = self._choose(pool, terms)
        return PolynomialKey(coefficients, self._choose(list(range(1, terms + 1)), terms))

    def _choose(self, pool: list[int], count: int) -> tuple[int, ...]:
        """Draw `count` different elements in uniformly random order (Fisher-Yates)."""
        for index in range(count):
            other = index + self._below(len(pool) - index)
            pool[index], pool[other] = pool[other], pool[index]
        return tuple(pool[:count])

    def _below(self, bound: int) -> int:
        """Draw a uniform integer below `bound` by rejection: no modulo bias."""
        limit = (1 << 32) - (1 << 32) % bound
        value = limit
        while value >= limit:
            value = int.from_bytes(self._random_bytes(4), "little")
        return value % bound


def key_space(spec: MappingSpec) -> int:
    """Return how many keys there are: all seeds, or coefficients in order times exponent orders."""
    if spec.kind == "folded":
        return 1 << (8 * SEED_BYTES)
    return perm(2 * spec.coefficient_limit, spec.terms) * factorial(spec.terms)
