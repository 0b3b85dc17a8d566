"""The unprotected network: RGB pictures to embeddings, as baseline and as teacher."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parties.model_provider.mobilefacenet import MobileFaceNet
from parties.model_provider.published import RgbScaling, load_rgb_weights

__all__ = ["RgbEmbedder", "load_rgb_network"]


class RgbEmbedder:
    """An RGB network with its input scaling.

    Attributes:
        dimension: entries of an embedding.
        network: the network, in evaluation mode.
        digest: SHA-256 of its weights, first 16 hexadecimal digits.
    """

    def __init__(self, network: MobileFaceNet, scaling: RgbScaling) -> None:
        self.network = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.dimension = network.architecture.dimension
        self.digest = _digest(network)
        self._scaling = scaling

    def inputs(self, pictures: NDArray[np.uint8]) -> Tensor:
        """Crop and scale uint8 `[B,112,112,3]` to the network's float32 input, channels-last."""
        first = self._scaling.first_column
        columns = self.network.architecture.columns
        cut = np.ascontiguousarray(pictures[:, :, first : first + columns])
        values = torch.from_numpy(cut).permute(0, 3, 1, 2).float()
        return values.sub_(127.5).mul_(self._scaling.factor)

    def embed_pictures(
        self, pictures: NDArray[np.uint8], batch_size: int = 32
    ) -> NDArray[np.float32]:
        """Embed uint8 `[B,112,112,3]` RGB; returns float32 `[B,dimension]`, not normalised."""
        output = np.empty((len(pictures), self.dimension), np.float32)
        device = self.network.embed.weight.device
        with torch.inference_mode():
            for start in range(0, len(pictures), batch_size):
                batch = self.inputs(pictures[start : start + batch_size]).to(device)
                output[start : start + batch_size] = self.network(batch).cpu().numpy()
        return output


def load_rgb_network(path: Path) -> RgbEmbedder:
    """Load one of the two published networks.

    Raises:
        DataError: the file is missing or is not one of them.
    """
    return RgbEmbedder(*load_rgb_weights(path))


def _digest(network: MobileFaceNet) -> str:
    state = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        if not name.endswith("num_batches_tracked"):
            state.update(name.encode())
            state.update(tensor.detach().cpu().numpy().astype("<f4").tobytes())
    return state.hexdigest()[:16]
