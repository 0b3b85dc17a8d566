"""What this machine offers: cores, memory, shared memory, file descriptors."""

from __future__ import annotations

import os
import resource
import shutil
from pathlib import Path
from typing import Final

import psutil

__all__ = [
    "cores",
    "file_limit",
    "free_memory_bytes",
    "memory_bytes",
    "peak_memory_bytes",
    "shared_memory_bytes",
    "user_cache",
]

SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the place of shared memory on Linux


def cores() -> int:
    """Return the cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes() -> int:
    """Return the memory of this machine."""
    return int(psutil.virtual_memory().total)


def free_memory_bytes() -> int:
    """Return the memory that can be had without swapping."""
    return int(psutil.virtual_memory().available)


def peak_memory_bytes() -> int:
    """Return the most memory this process ever had resident, shared pages included."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def shared_memory_bytes() -> int:
    """Return free shared memory; 0 where there is none."""
    return shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else 0


def file_limit() -> int:
    """Return how many files this process may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def user_cache() -> Path:
    """Return the folder of the user's caches."""
    return Path(os.environ.get("XDG_CACHE_HOME", "") or Path.home() / ".cache")
