from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from parties.model_provider import load_rgb_network
from parties.model_provider.mobilefacenet import Architecture, MobileFaceNet, initialise
from parties.model_provider.published import _graph_names, _standard_names, load_rgb_weights
from protocol.errors import DataError

Arrays = dict[str, NDArray[Any]]
_PARTS = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}


@pytest.fixture(scope="module")
def network() -> MobileFaceNet:
    generator = torch.Generator().manual_seed(0)
    made = initialise(MobileFaceNet(Architecture()), seed=9)
    for name, statistic in made.named_buffers():
        if name.endswith("running_mean"):
            statistic.uniform_(-0.1, 0.1, generator=generator)
        elif name.endswith("running_var"):
            statistic.uniform_(0.5, 2, generator=generator)
    return made.eval()


def as_graph(network: MobileFaceNet) -> Arrays:
    """Write a network the way the first published file is written."""
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    arrays: Arrays = {}

    def norm(ours: str, theirs: str) -> None:
        for part, name in _PARTS.items():
            folded = 1e-5 if part == "running_var" else 0.0
            arrays[f"{theirs}.{name}"] = state[f"{ours}.{part}"] + np.float32(folded)

    for ours, theirs, active in _graph_names():
        arrays[f"{theirs}_conv2d.w"] = state[f"{ours}.conv.weight"].ravel()
        norm(f"{ours}.norm", f"{theirs}_batchnorm")
        if active:
            arrays[f"{theirs}_relu.a"] = state[f"{ours}.activation.weight"]
    arrays["pre_fc1.w"] = state["embed.weight"].ravel()
    bias = arrays["pre_fc1.b"] = np.linspace(-1, 1, 128, dtype=np.float32)
    norm("embed_norm", "fc1")
    arrays["fc1.mean"] = arrays["fc1.mean"] + bias
    layers = [["Convolution", f"{theirs}_conv2d", [], [], {}] for _, theirs, _ in _graph_names()]
    arrays["__layers__"] = np.frombuffer(json.dumps(layers).encode(), np.uint8)
    return arrays


def test_both_files_give_the_network_they_were_written_from(
    network: MobileFaceNet, tmp_path: Path
) -> None:
    np.savez(tmp_path / "graph.npz", allow_pickle=False, **as_graph(network))
    loaded = load_rgb_weights(tmp_path / "graph.npz").network
    picture = torch.randn(2, 3, 112, 112)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(picture), network(picture), rtol=1e-3, atol=1e-4)


def test_every_layer_has_one_name_in_each_file() -> None:
    ours = {
        name.removesuffix(".conv.weight")
        for name in MobileFaceNet(Architecture()).state_dict()
        if name.endswith("conv.weight")
    }
    assert {name for name, *_ in _graph_names()} == ours
    assert {name for name, *_ in _standard_names()} == ours


def spoil_shape(arrays: Arrays) -> None:
    arrays["conv_1_conv2d.w"] = arrays["conv_1_conv2d.w"][:-1]


def spoil_name(arrays: Arrays) -> None:
    del arrays["res_4_block2_conv_dw_batchnorm.mean"]


def spoil_value(arrays: Arrays) -> None:
    arrays["fc1.beta"] = np.full(128, np.nan, np.float32)


def spoil_graph(arrays: Arrays) -> None:
    arrays["__layers__"] = np.frombuffer(b'[["Convolution", "other"]]', np.uint8)


def spoil_json(arrays: Arrays) -> None:
    arrays["__layers__"] = np.frombuffer(b"\xff{", np.uint8)


@pytest.mark.parametrize("spoil", [spoil_shape, spoil_name, spoil_value, spoil_graph, spoil_json])
def test_a_malformed_file_is_refused(
    network: MobileFaceNet, tmp_path: Path, spoil: Callable[[Arrays], None]
) -> None:
    arrays = as_graph(network)
    spoil(arrays)
    path = tmp_path / "bad.npz"
    np.savez(path, allow_pickle=False, **arrays)
    with pytest.raises(DataError, match=r"bad\.npz"):
        load_rgb_network(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "other.npz", allow_pickle=False, a=np.zeros(3))
    for name in ("text.npz", "other.npz", "missing.npz"):
        with pytest.raises(DataError, match=name):
            load_rgb_network(tmp_path / name)
