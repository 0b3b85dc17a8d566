"""One place that says how numeric kernels are compiled."""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar, cast

import numba
from numba.core import cgutils as _cgutils
from numba.core import registry, types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Llvm", "cgutils", "emitted", "inlined", "ir", "kernel", "processor_has"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

Llvm: TypeAlias = Any
"""A value, type or builder of LLVM code; neither numba nor llvmlite publishes types for them."""

cgutils: Llvm = _cgutils
ir: Llvm = cgutils.ir
_target: Llvm = registry.cpu_target


def kernel(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile without the interpreter lock, cached on disk, fused multiply-add allowed."""
    jit = numba.njit(nogil=True, cache=True, fastmath={"contract"}, error_model="numpy")
    return cast("Callable[_P, _R]", jit(function))


def inlined(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a helper that is only ever called from a `kernel`."""
    jit = numba.njit(nogil=True, fastmath={"contract"}, error_model="numpy")
    return cast("Callable[_P, _R]", jit(function))


def emitted(names: str, emit: Callable[..., Llvm], result: Llvm = types.void) -> Callable[..., Any]:
    """Return a function for kernels whose LLVM code is written by hand, for vectors that are meant.

    It belongs in the file of its kernels: their machine code on disk is renewed with that file.

    Args:
        names: its parameters. Arrays keep their type, other arguments are 64-bit integers.
        emit: writes the code, given context, builder, signature and arguments.
        result: type of what it returns.
    """

    def signature_of(_: Llvm, *arguments: Llvm) -> Llvm:
        return result(*map(_argument, arguments)), emit

    kind = Parameter.POSITIONAL_OR_KEYWORD
    parameters = [Parameter(name, kind) for name in ("_", *names.split())]
    vars(signature_of)["__signature__"] = Signature(parameters)
    return cast("Callable[..., Any]", intrinsic(signature_of))


def _argument(kind: Llvm) -> Llvm:
    return kind if isinstance(kind, types.Array) or kind == types.uint64 else types.intp


def processor_has(feature: str) -> bool:
    """Tell whether kernels are compiled for a processor with a feature such as `avx512bw`."""
    _, _, features = _target.target_context.codegen().magic_tuple()
    return f"+{feature}" in features.split(",")
