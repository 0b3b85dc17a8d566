"""ArcFace: people are told apart by angles, with a margin (Deng et al., CVPR 2019, equation 3)."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["AngularMargin"]


class AngularMargin(nn.Module):
    """Cross-entropy of scaled cosines, the own one at an angle larger by the margin."""

    def __init__(self, centres: NDArray[np.float32], scale: float, margin: float) -> None:
        """Start from centres [P,d], which need not be normalised; margin in radians."""
        super().__init__()
        self.centres = nn.Parameter(functional.normalize(torch.from_numpy(centres)))
        self._scale, self._margin = scale, margin

    def forward(self, embeddings: Tensor, people: Tensor) -> Tensor:
        """Return the mean loss of embeddings [B,d] of people [B]."""
        cosines = functional.normalize(embeddings) @ functional.normalize(self.centres).T
        own = cosines.gather(1, people[:, None]).clamp(-1 + 1e-6, 1 - 1e-6)
        # Beyond pi - m a larger angle would score higher again; there the cosine falls in line.
        pushed = torch.where(
            own > math.cos(math.pi - self._margin),
            torch.cos(torch.acos(own) + self._margin),
            own - self._margin * math.sin(self._margin),
        )
        logits = cosines.scatter(1, people[:, None], pushed)
        return functional.cross_entropy(self._scale * logits, people)
