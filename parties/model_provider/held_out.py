"""Early stopping: how far a student is from its teacher on people it is not trained on."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from parties.model_provider.batches import Source
from parties.model_provider.schedule import DistilConfig, convolutions
from parties.model_provider.student import StudentNetwork
from protocol.features import Allocation

__all__ = ["HeldOut", "set_apart"]

SHARE: Final = 0.05
MOST: Final = 256


class HeldOut:
    """Checks a network on held-out pictures and remembers the best one.

    Attributes:
        last: mean 1 − cos to the teacher at the last check.
        best: the smallest of all checks.
        lost: whether as many checks in a row as patience allows were not better.
    """

    def __init__(
        self,
        pictures: NDArray[np.uint8],
        config: DistilConfig,
        source: Source,
        network: StudentNetwork,
        trained: nn.Module,
    ) -> None:
        """Keep what is checked, and all that is trained with it.

        Checks draw the same noise, and the same share of other light as training does: a network
        that is to see in the dark is the better one where it does.
        """
        self.last: float | None = None
        self.lost = False
        self._config, self._source, self._network = config, source, network
        self._trained = trained
        size = config.batch_size
        parts = [pictures[i : i + size] for i in range(0, len(pictures), size)]
        self._targets = [source.targets.ask(part).embedding for part in parts]
        self._parts = [source.lit(part, 3, index) for index, part in enumerate(parts)]
        self.best: float | None = None
        self._waited = 0
        self._state: dict[str, Tensor] = {}

    def check(self, shares: Allocation | None) -> None:
        """Measure the network as it is."""
        found = [self._distances(index, shares) for index in range(len(self._parts))]
        self.last = float(torch.cat(found).mean())
        if self.best is None or self.last < self.best:
            self.best, self._waited = self.last, 0
            self._state = {k: v.detach().clone() for k, v in self._trained.state_dict().items()}
        else:
            self._waited += 1
            self.lost = self._waited >= (self._config.patience or 0)

    def restore_best(self) -> None:
        """Return the network, and what was trained with it, to the best that was checked."""
        if self._state:
            self._trained.load_state_dict(self._state)

    def _distances(self, index: int, shares: Allocation | None) -> Tensor:
        protected = self._source.protected(self._parts[index], f"held-{index}", shares)
        with torch.no_grad():
            with convolutions(self._config):
                features = self._network.features(protected.to(self._config.device)).float()
            found = self._network.face.head(features).cpu()
        return 1 - functional.cosine_similarity(found, self._targets[index])


def set_apart(
    people: NDArray[np.int64] | None, count: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows to train on and rows held out: whole people, about one in twenty.

    Without knowledge of people, neighbouring pictures are taken for those of one person.
    """
    labels = np.arange(count) if people is None else people
    first = np.sort(np.unique(labels))
    held = np.isin(labels, first[len(first) - max(1, round(SHARE * len(first))) :])
    return np.flatnonzero(~held), np.flatnonzero(held)[:MOST]
