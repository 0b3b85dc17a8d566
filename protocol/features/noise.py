"""Fresh noise words from the system's generator, and the randomised response on colour bits.

Textbook floating-point Laplace noise leaks through the gaps between representable outputs. Here
nothing but a code on a fixed public grid leaves the client, every code is reachable from every
clipped value, and the draw resolves probabilities down to 2^-47 (a 47-bit uniform, then a
float32 logarithm good to two units in the last place). What remains is a relative error of each
code's probability, not an impossible code; `sampling_slack` bounds it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from protocol.errors import LocalProtocolError
from protocol.features.spec import EDGE
from protocol.features.wire import NOISE_MARGIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy import float64, uint8
    from numpy.typing import NDArray

    from protocol.features.allocation import Allocation
    from protocol.features.pipeline import NoiseWords
    from protocol.features.spec import FeatureSpec

__all__ = [
    "NoiseSource",
    "flip_threshold",
    "picture_sampling_slack",
    "ratio_slack",
    "sampling_slack",
]

SEED_BYTES: Final = 32
_ELEMENT_BYTES: Final = 6


class NoiseSource:
    """Uniform words for one extractor: each picture gets its own fresh 32-byte AES-256-CTR key.

    Buffers are reused between pictures, so an instance serves one thread at a time.
    """

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        """Keep the generator that keys come from."""
        self._random_bytes = random_bytes
        self._zeros = b""
        self._buffer = bytearray()

    def laplace_words(self, elements: int) -> NoiseWords:
        """Return words for `elements` Laplace draws, valid until the next call."""
        stream = self._stream(_ELEMENT_BYTES * elements)
        high = np.frombuffer(stream, dtype="<u4", count=elements)
        return high, np.frombuffer(stream, dtype="<u2", count=elements, offset=4 * elements)

    def flips(self, planes: int, threshold: int) -> NDArray[uint8]:
        """Return a mask [planes,112,112] with each bit set with probability threshold / 2^32."""
        stream = self._stream(4 * 8 * planes * EDGE * EDGE)
        words = np.frombuffer(stream, dtype="<u4").reshape(planes, 8, EDGE, EDGE)
        mask = np.zeros((planes, EDGE, EDGE), dtype=np.uint8)
        for bit in range(8):
            mask |= (words[:, bit] < np.uint32(threshold)).view(np.uint8) << np.uint8(bit)
        return mask

    def draw(self, count: int) -> int:
        """Return a number below `count`, uniform up to 2^-250."""
        return int.from_bytes(self._stream(SEED_BYTES), "little") % count

    def _stream(self, count: int) -> memoryview:
        seed = self._random_bytes(SEED_BYTES)
        if len(seed) != SEED_BYTES:
            message = f"the random generator returned {len(seed)} bytes instead of {SEED_BYTES}"
            raise LocalProtocolError(message, where="protocol.features.noise")
        if len(self._zeros) < count:
            self._zeros, self._buffer = bytes(count), bytearray(count + 16)
        # A key is used for one stream only, so the counter may start at zero.
        encryptor = Cipher(algorithms.AES256(seed), modes.CTR(bytes(16))).encryptor()
        encryptor.update_into(memoryview(self._zeros)[:count], self._buffer)
        return memoryview(self._buffer)[:count]


def flip_threshold(epsilon: float) -> int:
    """Return the 32-bit threshold of the flip probability 1/(1+e^epsilon), rounded up."""
    return math.ceil(2**32 / (1.0 + math.exp(epsilon)))


def sampling_slack(spec: FeatureSpec, allocation: Allocation | None = None) -> float:
    """Bound how much finite resolution adds to epsilon of any element; 0 without noise.

    A code's probability is off by at most two steps of the uniform and by the float32 error of
    the two cell edges, relative to the rarest cell (distance: one clip width plus the margin).
    """
    if spec.epsilon is None:
        return 0.0
    shares = (1.0, 1.0) if allocation is None else allocation.extremes
    return float(_slack(spec.epsilon * np.array(shares), 2**spec.wire_bits - 1).max())


def picture_sampling_slack(spec: FeatureSpec, allocation: Allocation | None = None) -> float:
    """Bound how much finite resolution adds to epsilon of all elements of a picture together."""
    if spec.epsilon is None:
        return 0.0
    elements = spec.frequency_channels * EDGE * EDGE
    if allocation is None:
        return elements * sampling_slack(spec)
    shares = allocation.elements().astype(np.float64)
    return float(_slack(spec.epsilon * shares, 2**spec.wire_bits - 1).sum())


def ratio_slack(error: NDArray[float64]) -> NDArray[float64]:
    """Return the log of how far a ratio of two probabilities may be off, each by this share.

    Infinite where a probability may vanish.
    """
    certain = np.minimum(error, 1.0)
    with np.errstate(divide="ignore"):
        return np.asarray(2.0 * np.arctanh(certain))


def _slack(epsilon: NDArray[float64], largest: int) -> NDArray[float64]:
    cell = (epsilon + 2.0 * NOISE_MARGIN) / largest
    distance = epsilon + NOISE_MARGIN
    rarest = 0.5 * np.exp(-distance) * -np.expm1(-cell)
    edge_error = 4.0 * float(np.finfo(np.float32).eps) * (distance + epsilon + NOISE_MARGIN)
    return ratio_slack(2.0 * 2.0**-47 / rarest + 2.0 * edge_error / cell)
