"""Batch norms re-estimated on the inputs a network is about to be trained on; no gradients.

Noise changes the mean and spread of every layer. Norms that know the new statistics undo much of
that before the first gradient step (Li et al., "Revisiting batch normalization for practical
domain adaptation", 2017).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from parties.model_provider.student import StudentNetwork

__all__ = ["recentre"]


def recentre(student: StudentNetwork, batches: Iterable[Tensor]) -> None:
    """Replace the running statistics of a student's trunk by means over batches `[B,C,112,112]`.

    The stem keeps its own: it was solved for outputs of a given mean and spread, which its norm
    passes on. Gains and biases are untouched. The network ends in evaluation mode.
    """
    norms = [m for m in student.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    norms.remove(student.face.stem.norm)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over batches
    student.train()
    student.face.stem.eval()
    with torch.no_grad():
        for batch in batches:
            student(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    student.eval()
