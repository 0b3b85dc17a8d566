"""Shows what CrypTen's generators give to whoever records a party's view.

CrypTen's modules each hold its two generating functions under names of their own. A party's copies
of these names call the original and then tell; without a recorder they only call it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from protocol.sharing.prg import WITNESS

__all__ = ["Witnessed"]

Generate: TypeAlias = Callable[..., torch.Tensor]
_RING: Final = "generate_random_ring_element"
_BITS: Final = "generate_kbit_random_tensor"
_WORD_BITS: Final = 64
_SEED_BYTES: Final = 8


class Witnessed:
    """One party's generating functions, which tell `WITNESS` what they gave.

    A label names the session, the kind of randomness and the place in its generator's output, so
    two parties that hold one seed give the same array under the same label.

    Attributes:
        session: what is computed at present.
    """

    def __init__(self, crypten: ModuleType) -> None:
        self.session = ""
        self._crypten = crypten
        self._given: Counter[tuple[str, bytes]] = Counter()

    def functions(self) -> dict[tuple[ModuleType, str], Generate]:
        """Return what stands for CrypTen's functions while this party computes."""
        rng = self._crypten.common.rng
        stands_for = {
            _RING: self._ring(getattr(rng, _RING)),
            _BITS: self._words(getattr(rng, _BITS)),
        }
        return {(module, name): stands_for[name] for module, name in _names(self._crypten)}

    def _ring(self, generate: Generate) -> Generate:
        def witnessed(
            size: Any,  # noqa: ANN401 - CrypTen's signature
            ring_size: int = 2**_WORD_BITS,
            generator: torch.Generator | None = None,
            **options: Any,  # noqa: ANN401
        ) -> torch.Tensor:
            given = generate(size, ring_size, generator, **options)
            self._tell("ring elements", generator, given)
            return given

        return witnessed

    def _words(self, generate: Generate) -> Generate:
        def witnessed(
            size: Any,  # noqa: ANN401 - CrypTen's signature
            bitlength: int | None = None,
            generator: torch.Generator | None = None,
            **options: Any,  # noqa: ANN401
        ) -> torch.Tensor:
            given = generate(size, bitlength, generator, **options)
            bits = bitlength or _WORD_BITS
            self._tell(f"{bits}-bit words", generator, given, bits)
            return given

        return witnessed

    def _tell(
        self, kind: str, generator: torch.Generator | None, given: torch.Tensor, bits: int = 0
    ) -> None:
        witness = WITNESS.get()
        if witness is None:
            return
        # CrypTen's own default, where it names no generator.
        used = generator or self._crypten.generators["local"][torch.device("cpu")]
        source = used.initial_seed().to_bytes(_SEED_BYTES, "little")
        place = self._given[self.session, source]
        self._given[self.session, source] += 1
        words = given.contiguous().numpy().reshape(-1).view(np.uint64)
        label = f"{self.session}/{kind} {place}"
        witness(label, source, _low(words, bits) if bits else words)


def _names(crypten: ModuleType) -> list[tuple[ModuleType, str]]:
    """Return the modules of CrypTen that generate, and the names by which they do."""
    primitives, provider = crypten.mpc.primitives, crypten.mpc.provider
    return [
        (primitives.arithmetic, _RING),
        (primitives.binary, _BITS),
        (provider.tfp_provider, _RING),
        (provider.tfp_provider, _BITS),
        (provider.ttp_provider, _RING),
        (provider.ttp_provider, _BITS),
    ]


def _low(words: npt.NDArray[np.uint64], bits: int) -> npt.NDArray[Any]:
    """Return the low bit of each word as a boolean, or its low bytes [n, bits / 8]."""
    if bits == 1:
        return words.astype(np.bool_)
    return words.view(np.uint8).reshape(-1, _WORD_BITS // 8)[:, : bits // 8]
