"""What the teacher says of training pictures, asked once for each picture and its mirror image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parties.model_provider.teacher import RgbEmbedder

__all__ = ["Target", "TargetCache"]

_LARGEST_BYTES = 1 << 30


class Target(NamedTuple):
    """The teacher's last map `[B,C,7,·]` and embeddings `[B,dimension]`, float32."""

    features: Tensor
    embedding: Tensor


class TargetCache:
    """Remembers maps as float16 and embeddings as float32, up to `limit_bytes`.

    The teacher costs as much as a student's forward pass, and a training visits every picture
    many times.
    """

    def __init__(
        self, teacher: RgbEmbedder, *, half: bool = False, limit_bytes: int = _LARGEST_BYTES
    ) -> None:
        """Keep the teacher; with `half` its convolutions run in bfloat16 (1 − cos below 1e-4)."""
        self._teacher, self._half = teacher, half
        self._left_bytes = limit_bytes
        self._known: dict[tuple[int, bool], tuple[NDArray[np.float16], NDArray[np.float32]]] = {}

    def of(self, keys: Sequence[tuple[int, bool]], pictures: NDArray[np.uint8]) -> Target:
        """Return the targets of pictures, uint8 `[B,112,112,3]`; `keys` name them."""
        missing = [place for place, key in enumerate(keys) if key not in self._known]
        fresh = self.ask(pictures[missing]) if missing else None
        maps, embeddings = [], []
        for place, key in enumerate(keys):
            if key in self._known:
                kept, embedding = self._known[key]
            elif fresh is not None:
                row = missing.index(place)
                kept = fresh.features[row].numpy().astype(np.float16)
                embedding = fresh.embedding[row].numpy()
                self._keep(key, kept, embedding)
            maps.append(kept)
            embeddings.append(embedding)
        found = torch.from_numpy(np.stack(maps)).float()
        return Target(found, torch.from_numpy(np.stack(embeddings)))

    def ask(self, pictures: NDArray[np.uint8]) -> Target:
        """Ask the teacher, and remember nothing."""
        network = self._teacher.network
        with torch.no_grad():
            values = self._teacher.inputs(pictures).to(network.embed.weight.device)
            with torch.autocast(values.device.type, torch.bfloat16, enabled=self._half):
                found = network.features(values).float()
            return Target(found.cpu(), network.head(found).cpu())

    def _keep(
        self, key: tuple[int, bool], kept: NDArray[np.float16], embedding: NDArray[np.float32]
    ) -> None:
        size = kept.nbytes + embedding.nbytes
        if size <= self._left_bytes:
            self._known[key] = kept, embedding
            self._left_bytes -= size
