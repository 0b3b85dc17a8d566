"""Resumable state of a training: one npz file of weights, moments and progress."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from parties.model_provider.published import Arrays, load_state, read_arrays, write_arrays
from protocol.errors import DataError

__all__ = ["Progress", "read_checkpoint", "write_checkpoint"]

_MEMORY = 0.98  # of the running loss


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training is: steps taken, time spent, running mean of the loss."""

    step: int = 0
    elapsed_s: float = 0.0
    loss: float = float("nan")

    def after(self, loss: float, seconds: float) -> Progress:
        """Return the progress after one more step."""
        memory = min(_MEMORY, self.step / (self.step + 1))
        mean = loss if self.step == 0 else memory * self.loss + (1 - memory) * loss
        return Progress(self.step + 1, self.elapsed_s + seconds, mean)


def write_checkpoint(
    path: Path,
    network: nn.Module,
    optimiser: torch.optim.AdamW,
    progress: Progress,
    identity: str,
) -> None:
    """Write everything needed to continue; the file appears whole or not at all."""
    arrays: dict[str, NDArray[np.generic]] = {
        "identity": np.frombuffer(identity.encode(), np.uint8),
        "progress": np.array([progress.step, progress.elapsed_s, progress.loss]),
    }
    for name, tensor in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            arrays[f"network/{name}"] = tensor.cpu().numpy()
    for name, parameter in network.named_parameters():
        state = optimiser.state.get(parameter, {})
        if state:
            arrays[f"first/{name}"] = state["exp_avg"].cpu().numpy()
            arrays[f"second/{name}"] = state["exp_avg_sq"].cpu().numpy()
            arrays[f"count/{name}"] = state["step"].cpu().numpy()
    write_arrays(arrays, path)


def read_checkpoint(
    path: Path, network: nn.Module, optimiser: torch.optim.AdamW, identity: str
) -> Progress:
    """Restore network and optimiser; return the progress.

    Raises:
        DataError: the file is unreadable, or belongs to another training.
    """
    arrays = read_arrays(path)
    found = arrays.get("identity", np.empty(0, np.uint8)).tobytes().decode(errors="replace")
    if found != identity:
        raise DataError(
            "the checkpoint belongs to a training with other settings",
            where=str(path),
            hint="delete it or repeat the settings it was made with",
        )
    weights = {k[len("network/") :]: v for k, v in arrays.items() if k.startswith("network/")}
    load_state(network, weights, str(path))
    _restore_moments(arrays, network, optimiser)
    step, elapsed, loss = (float(value) for value in arrays["progress"])
    return Progress(int(step), elapsed, loss)


def _restore_moments(arrays: Arrays, network: nn.Module, optimiser: torch.optim.AdamW) -> None:
    for name, parameter in network.named_parameters():
        if f"first/{name}" in arrays:
            first, second = (
                _like(parameter, arrays[f"{part}/{name}"]) for part in ("first", "second")
            )
            count = torch.tensor(float(arrays[f"count/{name}"]))
            optimiser.state[parameter] = {"step": count, "exp_avg": first, "exp_avg_sq": second}


def _like(parameter: nn.Parameter, array: NDArray[np.generic]) -> torch.Tensor:
    moment = torch.empty_like(parameter)  # keeps the memory format
    moment.copy_(torch.from_numpy(np.ascontiguousarray(array)))
    return moment.detach()
