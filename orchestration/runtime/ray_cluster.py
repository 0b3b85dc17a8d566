"""The Ray cluster of a run: an existing one of this process, or a small one of our own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from orchestration.machine import cores, shared_memory_bytes
from orchestration.scratch import within_scratch
from orchestration.stopping import Keeper
from protocol.errors import InfrastructureError

__all__ = ["cluster", "echo", "object_store_bytes"]

MEBIBYTE: Final = 1 << 20
STORE_WANTED: Final = 512 * MEBIBYTE
STORE_LEAST: Final = 80 * MEBIBYTE
ECHO_S: Final = 60.0
RAY_FOLDER: Final = "r"
"""Ray makes its folder writable for everybody; ours around it lets nobody else in."""


@contextmanager
def cluster() -> Iterator[None]:
    """Connect to Ray: reuse what this process is connected to, else start and later stop our own.

    Our own is local even where a stray cluster runs, and leaves no files: they lie in the
    temporary folder of the run, or in one of its own.

    Raises:
        InfrastructureError: Ray did not start.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    with within_scratch() as folder:
        keeper = Keeper()
        try:
            keeper.run(lambda: _start(folder / RAY_FOLDER))
            yield
        finally:
            keeper.run(ray.shutdown)
            keeper.close()


def object_store_bytes() -> int:
    """Return a size for the object store that fits into half of the free shared memory."""
    return max(STORE_LEAST, min(STORE_WANTED, shared_memory_bytes() // 2))


def _start(folder: Path) -> None:
    import ray

    # What it says before it has read its level: that the keeper's thread cannot set handlers.
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        ray.init(
            address="local",
            num_cpus=cores(),
            object_store_memory=object_store_bytes(),
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=str(folder),
        )
    except Exception as error:
        text = f"Ray did not start: {type(error).__name__}"
        hint = "`bauta doctor` looks for the reason; `--runtime memory` needs no Ray"
        raise InfrastructureError(text, hint=hint) from error


def echo(data: bytes) -> bytes:
    """Send bytes to a fresh actor and back, in the cluster this process is connected to.

    Raises:
        InfrastructureError: the actor did not start or answer.
    """
    import ray
    from ray.exceptions import RayError

    actor: Any = ray.remote(_Echo).options(num_cpus=0).remote()
    answer: Any
    try:
        answer = ray.get(actor.echo.remote(data), timeout=ECHO_S)
    except RayError as error:
        text = f"an actor did not answer: {type(error).__name__}"
        raise InfrastructureError(text) from error
    finally:
        ray.kill(actor)
    return bytes(answer)


class _Echo:
    def echo(self, data: bytes) -> bytes:
        return data
