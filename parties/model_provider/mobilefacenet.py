"""MobileFaceNet in plain PyTorch, one class for every network of this project.

The published layout: a strided stem, a depthwise layer, fifteen bottlenecks, a 1×1
expansion, a global depthwise convolution and a linear embedding. What varies is the number
of input channels, the stem's kernel, the width, and the size of the last feature map.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Architecture", "Bottleneck", "ConvNorm", "MobileFaceNet", "initialise"]

# (expanded channels, output channels, stride, repeats); a block is residual iff stride is 1.
_STAGES = (
    (128, 64, 2, 1),
    (128, 64, 1, 4),
    (256, 128, 2, 1),
    (256, 128, 1, 6),
    (512, 128, 2, 1),
    (256, 128, 1, 2),
)
_STEM_WIDTH = 64
_LAST_WIDTH = 512


class Architecture(NamedTuple):
    """What must be known to rebuild a network before its weights are read.

    Attributes:
        input_channels: channels of the input picture or feature map.
        dimension: entries of an embedding.
        width: factor on every inner channel count (1.0 is the published network).
        columns: width in pixels of the input; rows are always 112.
        stem_kernel: side of the strided stem convolution, odd.
    """

    input_channels: int = 3
    dimension: int = 128
    width: float = 1.0
    columns: int = 112
    stem_kernel: int = 3


class _FixedSlope(torch.autograd.Function):
    """PReLU whose slopes receive no gradient: several times cheaper to differentiate."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, slope: Tensor) -> Tensor:  # noqa: ANN401
        slope = slope.to(features.dtype)
        ctx.save_for_backward(features, slope)
        return functional.prelu(features, slope)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        features, slope = ctx.saved_tensors
        positive = torch.ops.aten.threshold_backward(gradients[0], features, 0)
        return torch.lerp(positive, gradients[0], slope.view(1, -1, 1, 1)), None


class ConvNorm(nn.Module):
    """Convolution without bias, batch normalisation, and a PReLU per channel if wanted.

    In evaluation mode the norm is folded into the convolution, which saves a pass over the
    features and keeps gradients for its gain and bias; PReLU slopes then stay as they are.
    """

    def __init__(
        self,
        source: int,
        target: int,
        kernel: int | tuple[int, int] = 1,
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        activation: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(source, target, kernel, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(target)
        self.activation = nn.PReLU(target) if activation else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """Map `[B,source,H,W]` to `[B,target,H/stride,W/stride]`."""
        if self.training:
            normed = self.norm(self._convolved(features, self.conv.weight))
            return self.activate(normed) if self._slopes_fixed else self._activated(normed)
        return self.activate(self.linear(features))

    def _activated(self, normed: Tensor) -> Tensor:
        output: Tensor = self.activation(normed)
        return output

    @property
    def _slopes_fixed(self) -> bool:
        """Whether the PReLU's slopes receive no gradient, which is cheaper; see `fix_slopes`."""
        return all(not slope.requires_grad for slope in self.activation.parameters())

    def linear(self, features: Tensor) -> Tensor:
        """Convolution and norm with frozen statistics, before the activation."""
        conv, norm = self.conv, self.norm
        variance, mean = norm.running_var, norm.running_mean
        if variance is None or mean is None:  # never so: the norms track their statistics
            return cast("Tensor", norm(conv(features)))
        gain = norm.weight * torch.rsqrt(variance + norm.eps)
        weight = conv.weight * gain.view(-1, 1, 1, 1)
        return self._convolved(features, weight, norm.bias - mean * gain)

    def _convolved(self, features: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        conv = self.conv
        padding = cast("tuple[int, int]", conv.padding)
        stride = cast("tuple[int, int]", conv.stride)
        if conv.groups > 1 and max(stride) > 1:
            return _in_float32(features, weight, bias, (stride, padding, conv.groups))
        return functional.conv2d(features, weight, bias, stride, padding, groups=conv.groups)

    def activate(self, features: Tensor) -> Tensor:
        """Apply the PReLU with fixed slopes, if there is one."""
        if isinstance(self.activation, nn.Identity):
            return features
        slope = self.activation.weight.detach()
        output: Tensor = _FixedSlope.apply(features, slope)  # type: ignore[no-untyped-call]
        return output


def _in_float32(
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    geometry: tuple[tuple[int, int], tuple[int, int], int],
) -> Tensor:
    """Convolve in float32 and return the type that came in.

    Without hardware kernels for it, the gradient of a strided depthwise convolution takes ten
    times as long in bfloat16 as in float32.
    """
    stride, padding, groups = geometry
    with torch.autocast(features.device.type, enabled=False):
        found = functional.conv2d(features.float(), weight, bias, stride, padding, groups=groups)
    return found.to(features.dtype)


class Bottleneck(nn.Module):
    """Expand 1×1, filter 3×3 per channel, project 1×1; residual when the stride is 1."""

    def __init__(self, source: int, expanded: int, target: int, stride: int) -> None:
        super().__init__()
        self.residual = stride == 1
        self.expand = ConvNorm(source, expanded)
        self.depthwise = ConvNorm(expanded, expanded, 3, stride=stride, padding=1, groups=expanded)
        self.project = ConvNorm(expanded, target, activation=False)

    def forward(self, features: Tensor) -> Tensor:
        """Map `[B,source,H,W]` to `[B,target,H/stride,W/stride]`."""
        output: Tensor = self.project(self.depthwise(self.expand(features)))
        return features + output if self.residual else output


class MobileFaceNet(nn.Module):
    """The network: `[B,C,112,columns]` float32 to embeddings `[B,dimension]`, not normalised."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        stem, last = (
            _scaled(_STEM_WIDTH, architecture.width),
            _scaled(_LAST_WIDTH, architecture.width),
        )
        kernel = architecture.stem_kernel
        self.stem = ConvNorm(
            architecture.input_channels, stem, kernel, stride=2, padding=kernel // 2
        )
        self.depthwise = ConvNorm(stem, stem, 3, padding=1, groups=stem)
        self.blocks = _bottlenecks(stem, architecture.width)
        self.expand = ConvNorm(_scaled(128, architecture.width), last)
        grid = (7, -(-architecture.columns // 16))
        self.spread = ConvNorm(last, last, grid, groups=last, activation=False)
        self.embed = nn.Linear(last, architecture.dimension, bias=False)
        self.embed_norm = nn.BatchNorm1d(architecture.dimension)

    def features(self, picture: Tensor) -> Tensor:
        """Return the last map before pooling: `[B,C,112,columns]` to `[B,128·width,7,·]`."""
        output: Tensor = self.blocks(self.depthwise(self.stem(picture)))
        return output

    def head(self, features: Tensor) -> Tensor:
        """Pool the last map to embeddings `[B,dimension]`, not normalised."""
        pooled = self.spread(self.expand(features)).flatten(1)
        output: Tensor = self.embed_norm(self.embed(pooled))
        return output

    def forward(self, picture: Tensor) -> Tensor:
        """Embed `[B,C,112,columns]` float32; returns `[B,dimension]`, not normalised."""
        return self.head(self.features(picture))


def _scaled(channels: int, width: float) -> int:
    """Channels at a width factor, in multiples of eight so that vector units stay filled."""
    return max(8, 8 * round(channels * width / 8))


def _bottlenecks(source: int, width: float) -> nn.Sequential:
    blocks: list[Bottleneck] = []
    for expanded, target, stride, repeats in _STAGES:
        for _ in range(repeats):
            blocks.append(
                Bottleneck(source, _scaled(expanded, width), _scaled(target, width), stride)
            )
            source = _scaled(target, width)
    return nn.Sequential(*blocks)


def initialise(network: MobileFaceNet, seed: int) -> MobileFaceNet:
    """Fill convolutions with fan-out scaled normals from `seed`; norms start as identity."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            _fill(module.weight, generator)
    return network


def _fill(weight: Tensor, generator: torch.Generator) -> None:
    fan_out = weight.shape[0] * weight[0, 0].numel() if weight.ndim == 4 else weight.shape[1]
    with torch.no_grad():
        values = torch.randn(weight.shape, generator=generator)
        weight.copy_(values * (2.0 / max(1, fan_out)) ** 0.5)
