"""What a run was made on: versions and machine, for the report."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from orchestration.machine import cores, memory_bytes

__all__ = ["environment", "instructions", "package_version", "processor"]

VECTORS: Final = ("asimd", "avx2", "avx512bw", "avx512_vnni", "amx_int8")
"""Instruction sets that settle how fast the product kernels are."""
_CPUINFO: Final = Path("/proc/cpuinfo")
PACKAGES = ("bauta", "numpy", "torch", "ray", "numba", "cryptography", "msgspec")


def environment() -> dict[str, Any]:
    """Return versions, cores, memory and processor; no host name, no path, no user."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "instructions": instructions(),
        "cores": cores(),
        "memory_gib": round(memory_bytes() / 2**30, 1),
        "packages": {name: package_version(name) for name in PACKAGES},
    }


def package_version(package: str) -> str:
    """Return the version of an installed package, or that there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def processor() -> str:
    """Return the processor's model name, with family and model where the system tells them.

    Virtual machines often hide the name's number, and two generations are then called the same.
    """
    told = _told()
    name = told.get("model name") or platform.processor() or platform.machine()
    if "cpu family" not in told or "model" not in told:
        return name
    return f"{name} (family {told['cpu family']}, model {told['model']})"


def instructions() -> list[str]:
    """Return which of the vector instruction sets that matter here the processor has."""
    told = _told()
    flags = (told.get("flags") or told.get("Features") or "").split()
    return [name for name in VECTORS if name in flags]


def _told() -> dict[str, str]:
    """Return what Linux says of the first processor; empty elsewhere."""
    try:
        first = _CPUINFO.read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        return {}
    fields = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in fields}
