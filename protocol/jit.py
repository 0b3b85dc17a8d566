"""One place that says how numeric kernels are compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["inlined", "kernel"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def kernel(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile without the interpreter lock, cached on disk, fused multiply-add allowed."""
    jit = numba.njit(nogil=True, cache=True, fastmath={"contract"}, error_model="numpy")
    return cast("Callable[_P, _R]", jit(function))


def inlined(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a helper that is only ever called from a `kernel`."""
    jit = numba.njit(nogil=True, fastmath={"contract"}, error_model="numpy")
    return cast("Callable[_P, _R]", jit(function))
