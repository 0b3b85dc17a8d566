"""Reading the two published RGB weight files into one naming.

Each file becomes the state of a :class:`MobileFaceNet`. Nothing is executed from a file:
arrays are read without pickle, and the layer graph of the first file is only used to check
that it is the network we know.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from parties.model_provider.mobilefacenet import Architecture, MobileFaceNet
from protocol.archives import read_npz
from protocol.errors import DataError

__all__ = [
    "Arrays",
    "RgbScaling",
    "RgbWeights",
    "load_rgb_weights",
    "load_state",
    "read_arrays",
    "write_arrays",
]

Arrays = Mapping[str, NDArray[np.generic]]
_NORM_EPSILON = 1e-5  # of nn.BatchNorm; files that folded theirs into the variance are adjusted
_GRAPH = "__layers__"
MAX_WEIGHTS_BYTES = 256 << 20


class RgbScaling(NamedTuple):
    """How a published network wants its picture: crop columns, then `(x − 127.5) · factor`."""

    first_column: int
    factor: float


class RgbWeights(NamedTuple):
    """A published RGB network: its network in evaluation mode and the scaling of its input."""

    network: MobileFaceNet
    scaling: RgbScaling


def read_arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    """Read every array of an npz file of at most `MAX_WEIGHTS_BYTES`.

    Raises:
        DataError: the file is missing, no regular file, not an npz archive of plain arrays, or
            unpacks to more.
    """
    try:
        if path.exists() and not path.is_file():
            raise DataError("the weight file is no regular file", where=str(path))
        with path.open("rb") as stream:
            return dict(read_npz(stream, MAX_WEIGHTS_BYTES))
    except FileNotFoundError as error:
        raise DataError(
            "the weight file does not exist", where=str(path), hint="check BAUTA_DATA"
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(
            f"not weights: {error}" if isinstance(error, ValueError) else "cannot be read",
            where=str(path),
            hint="copy the file again",
        ) from error


def write_arrays(arrays: Arrays, path: Path) -> None:
    """Write a compressed npz file that appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with partial.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)
    partial.replace(path)


def load_rgb_weights(path: Path) -> RgbWeights:
    """Load `mobilefacenet_ms1m.npz` or `mobilefacenet_casia.npz`, recognised by their arrays.

    Raises:
        DataError: the file is unreadable, or its arrays are not one of the two networks.
    """
    arrays = read_arrays(path)
    if _GRAPH in arrays:
        return _load(path, _from_graph(arrays, path), Architecture(), RgbScaling(0, 0.0078125))
    if "linear7.conv.weight" in arrays:
        narrow = Architecture(columns=96)
        return _load(path, _from_state_dict(arrays, path), narrow, RgbScaling(8, 1 / 128))
    raise DataError(
        "neither of the two known MobileFaceNet files",
        where=str(path),
        hint="expected the array '__layers__' or 'linear7.conv.weight'",
    )


def load_state(network: nn.Module, arrays: Arrays, where: str) -> None:
    """Copy `arrays` into `network`, every name present and every shape equal.

    Raises:
        DataError: a name is missing or unknown, a shape differs, or a value is not finite.
    """
    expected = {
        name: tensor
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    if set(expected) != set(arrays):
        odd = sorted(set(expected) ^ set(arrays))[:3]
        raise DataError(f"arrays missing or unknown: {', '.join(odd)}", where=where)
    for name, tensor in expected.items():
        _copy(tensor, arrays[name], f"{where}: {name}")


def _copy(target: torch.Tensor, array: NDArray[np.generic], where: str) -> None:
    if array.shape != tuple(target.shape):
        raise DataError(f"shape {array.shape} where {tuple(target.shape)} is expected", where=where)
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(array, dtype=np.float32)
    if where.endswith("running_var") and values.size and values.min() < 0:
        raise DataError("a variance is negative", where=where)
    if not np.isfinite(values).all():
        raise DataError("values are not finite", where=where)
    with torch.no_grad():
        target.copy_(torch.from_numpy(values))


def _load(path: Path, state: Arrays, architecture: Architecture, scaling: RgbScaling) -> RgbWeights:
    network = MobileFaceNet(architecture)
    load_state(network, state, str(path))
    return RgbWeights(network.eval(), scaling)


# --- the state dict of the standard implementation -------------------------------------------


def _from_state_dict(arrays: Arrays, path: Path) -> dict[str, NDArray[np.generic]]:
    state: dict[str, NDArray[np.generic]] = {}
    for ours, conv, norm, activation in _standard_names():
        state |= _renamed(arrays, ours, conv, norm, path)
        if activation:
            state[f"{ours}.activation.weight"] = _get(arrays, f"{activation}.weight", path)
    weight = _get(arrays, "linear1.conv.weight", path)
    state["embed.weight"] = weight.reshape(weight.shape[0], -1)
    state |= _norm_arrays(arrays, "embed_norm", "linear1.bn", path)
    return state


def _standard_names() -> Iterator[tuple[str, str, str, str | None]]:
    """Yield (our layer, their convolution, their norm, their activation)."""
    for ours, theirs in (("stem", "conv1"), ("depthwise", "dw_conv1"), ("expand", "conv2")):
        yield ours, f"{theirs}.conv", f"{theirs}.bn", f"{theirs}.prelu"
    yield "spread", "linear7.conv", "linear7.bn", None
    for block in range(15):
        inner = f"blocks.{block}.conv"
        yield f"blocks.{block}.expand", f"{inner}.0", f"{inner}.1", f"{inner}.2"
        yield f"blocks.{block}.depthwise", f"{inner}.3", f"{inner}.4", f"{inner}.5"
        yield f"blocks.{block}.project", f"{inner}.6", f"{inner}.7", None


def _renamed(
    arrays: Arrays, ours: str, conv: str, norm: str, path: Path
) -> dict[str, NDArray[np.generic]]:
    state = {f"{ours}.conv.weight": _get(arrays, f"{conv}.weight", path)}
    return state | _norm_arrays(arrays, f"{ours}.norm", norm, path)


def _norm_arrays(
    arrays: Arrays, ours: str, theirs: str, path: Path
) -> dict[str, NDArray[np.generic]]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{ours}.{part}": _get(arrays, f"{theirs}.{part}", path) for part in parts}


def _get(arrays: Arrays, name: str, path: Path) -> NDArray[np.generic]:
    if name not in arrays:
        raise DataError(f"array '{name}' is missing", where=str(path))
    return arrays[name]


# --- the layer graph with flat arrays --------------------------------------------------------


def _from_graph(arrays: Arrays, path: Path) -> dict[str, NDArray[np.generic]]:
    _check_graph(arrays, path)
    template = MobileFaceNet(Architecture()).state_dict()
    state: dict[str, NDArray[np.generic]] = {}
    for ours, theirs, active in _graph_names():
        shape = tuple(template[f"{ours}.conv.weight"].shape)
        state[f"{ours}.conv.weight"] = _shaped(arrays, f"{theirs}_conv2d.w", shape, path)
        state |= _folded_norm(arrays, f"{ours}.norm", f"{theirs}_batchnorm", path)
        if active:
            state[f"{ours}.activation.weight"] = _get(arrays, f"{theirs}_relu.a", path)
    shape = tuple(template["embed.weight"].shape)
    state["embed.weight"] = _shaped(arrays, "pre_fc1.w", shape, path)
    state |= _folded_norm(arrays, "embed_norm", "fc1", path)
    bias = _get(arrays, "pre_fc1.b", path)  # a bias before a norm only shifts its mean
    state["embed_norm.running_mean"] = state["embed_norm.running_mean"] - bias  # type: ignore[operator]
    return state


def _check_graph(arrays: Arrays, path: Path) -> None:
    """Compare the graph's convolutions with the ones we are about to fill."""
    try:
        layers = json.loads(bytes(arrays[_GRAPH].astype(np.uint8)).decode())
        found = [layer[1] for layer in layers if str(layer[0]).startswith("Convolution")]
    except (ValueError, IndexError, TypeError, KeyError) as error:
        raise DataError("the layer graph is not readable JSON", where=str(path)) from error
    expected = [f"{theirs}_conv2d" for _, theirs, _ in _graph_names()]
    if found != expected:
        raise DataError("the layer graph is not the MobileFaceNet we know", where=str(path))


def _graph_names() -> list[tuple[str, str, bool]]:
    """List (our layer, their layer stem, has a PReLU) in the order of the graph."""
    stages = ["dconv_23", *(f"res_3_block{i}" for i in range(4)), "dconv_34"]
    stages += [*(f"res_4_block{i}" for i in range(6)), "dconv_45"]
    stages += [f"res_5_block{i}" for i in range(2)]
    names = [("stem", "conv_1", True), ("depthwise", "conv_2_dw", True)]
    parts = (("expand", "sep", True), ("depthwise", "dw", True), ("project", "proj", False))
    names += [
        (f"blocks.{index}.{ours}", f"{stage}_conv_{theirs}", active)
        for index, stage in enumerate(stages)
        for ours, theirs, active in parts
    ]
    return [*names, ("expand", "conv_6sep", True), ("spread", "conv_6dw7_7", False)]


def _shaped(arrays: Arrays, name: str, shape: tuple[int, ...], path: Path) -> NDArray[np.generic]:
    array = _get(arrays, name, path)
    if array.size != int(np.prod(shape)):
        raise DataError(f"{array.size} values where {shape} is expected", where=f"{path}: {name}")
    return array.reshape(shape)


def _folded_norm(
    arrays: Arrays, ours: str, theirs: str, path: Path
) -> dict[str, NDArray[np.generic]]:
    """Rename a norm whose epsilon is already inside the variance, exactly.

    `nn.BatchNorm` adds its own epsilon again, so the gain is raised by the same ratio.
    """
    variance = np.asarray(_get(arrays, f"{theirs}.var", path), dtype=np.float64)
    gain = np.asarray(_get(arrays, f"{theirs}.gamma", path), dtype=np.float64)
    with np.errstate(invalid="ignore"):  # a negative variance is refused where it is copied
        adjusted = gain * np.sqrt((variance + _NORM_EPSILON) / np.maximum(variance, 1e-30))
    return {
        f"{ours}.weight": adjusted.astype(np.float32),
        f"{ours}.bias": _get(arrays, f"{theirs}.beta", path),
        f"{ours}.running_mean": _get(arrays, f"{theirs}.mean", path),
        f"{ours}.running_var": variance.astype(np.float32),
    }
