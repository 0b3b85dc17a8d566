"""Recording a party's view: its messages, its randomness, its inputs and its outputs.

A recorded program runs unchanged. Its channel, its generator and its expansion of seeds pass
through a recording; nothing is recorded unless the scenario asks for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import Token
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeVar

import msgspec
import numpy as np

from orchestration.private import make_private_folder, open_private
from protocol.channel import At, Channel
from protocol.errors import InfrastructureError
from protocol.messages import Message, kind_of, tensors_of
from protocol.parties import Party
from protocol.roles import Observation, RoleProgram
from protocol.sharing.prg import EXPANDER, WITNESS, Expander, RandomBytes, Seed, Witness
from protocol.views import TABLES, Array, Kept, Table

__all__ = [
    "VIEWS",
    "FileRecording",
    "MemoryRecording",
    "Recorded",
    "Recording",
    "drawing",
]

VIEWS: Final = "views"
_SEED_NAME: Final = "which seed"

M = TypeVar("M", bound=Message)


class Recording(Protocol):
    """Where records of one party are kept."""

    def keep(self, table: Table, facts: dict[str, Any], arrays: dict[str, Array]) -> None:
        """Keep one record; arrays may change afterwards."""
        ...


class MemoryRecording:
    """Records as lists, for an audit in this process."""

    def __init__(self) -> None:
        self.tables: dict[Table, list[Kept]] = {table: [] for table in TABLES}

    def keep(self, table: Table, facts: dict[str, Any], arrays: dict[str, Array]) -> None:
        """Keep one record."""
        copies = {name: np.array(array) for name, array in arrays.items()}
        self.tables[table].append(Kept(facts, copies))


class FileRecording:
    """Records as `<table>.jsonl` and `<table>/<number>.<name>.npy` in a party's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counts = dict.fromkeys(TABLES, 0)
        with _written(folder):
            for table in TABLES:
                make_private_folder(folder / table)
                open_private(folder / f"{table}.jsonl", "ab").close()

    def keep(self, table: Table, facts: dict[str, Any], arrays: dict[str, Array]) -> None:
        """Append one line and write its arrays.

        Raises:
            InfrastructureError: they cannot be written.
        """
        number = self._counts[table]
        self._counts[table] += 1
        files = {name: f"{table}/{number:06d}.{name}.npy" for name in arrays}
        line = msgspec.json.encode({"order": number, **facts, "arrays": files})
        with _written(self._folder):
            for name, array in arrays.items():
                with open_private(self._folder / files[name], "wb") as file:
                    np.save(file, array, allow_pickle=False)
            with open_private(self._folder / f"{table}.jsonl", "ab") as file:
                file.write(line + b"\n")


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    """Turn what the file system refuses into an error for people."""
    try:
        yield
    except OSError as error:
        text = f"the view cannot be written: {error.strerror or type(error).__name__}"
        hint = "free space, choose another place with --out, or leave capture: payloads out"
        raise InfrastructureError(text, where=str(folder), hint=hint) from error


class Recorded:
    """A role program whose view is recorded.

    Args:
        program: the program, run as it is.
        party: whose it is.
        recording: where its view is kept.
        expander: expands seeds; another one only in tests of leaks.
    """

    def __init__(
        self,
        program: RoleProgram,
        party: Party,
        recording: Recording,
        expander: Expander | None = None,
    ) -> None:
        self._program = program
        self._party: Party = party
        self._recording = recording
        self._expand: Expander = expander or EXPANDER.get()

    async def run(self, channel: Channel) -> Observation:
        """Play the role and keep what it observed as the party's outputs."""
        listening = _Listening(channel, self._party, self._recording)
        observed = await _Under(self._expanded, self._given, self._program.run(listening))
        for name, array in observed.items():
            self._recording.keep("outputs", {"name": name}, {"array": array})
        return observed

    def _expanded(
        self, seed: Seed, label: str, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> Array:
        array = self._expand(seed, label, shape, dtype)
        self._given(label, seed.derive(_SEED_NAME), array)
        return array

    def _given(self, label: str, seed: bytes, array: Array) -> None:
        name = blake2b(seed, digest_size=8).hexdigest()
        self._recording.keep("expansions", {"label": label, "seed": name}, {"array": array})


def drawing(random_bytes: RandomBytes, recording: Recording) -> RandomBytes:
    """Return a source of bytes whose every draw is recorded."""

    def draw(count: int) -> bytes:
        drawn = random_bytes(count)
        recording.keep("draws", {}, {"bytes": np.frombuffer(drawn, dtype=np.uint8)})
        return drawn

    return draw


class _Listening:
    """A channel that keeps every message it carries, in the journal's order."""

    def __init__(self, channel: Channel, party: Party, recording: Recording) -> None:
        self._channel = channel
        self._party: Party = party
        self._recording = recording

    async def send(self, receiver: Party, message: Any, at: At) -> None:  # noqa: ANN401 - Channel
        self._keep("sent", self._party, receiver, message, at)
        await self._channel.send(receiver, message, at)

    async def receive(self, sender: Party, kind: type[M], at: At) -> M:
        message = await self._channel.receive(sender, kind, at)
        self._keep("received", sender, self._party, message, at)
        return message

    def _keep(
        self,
        event: Literal["sent", "received"],
        sender: Party,
        receiver: Party,
        message: Message,
        at: At,
    ) -> None:
        facts = {
            "event": event, "session": at.session, "phase": at.phase, "round": at.round,
            "sender": sender, "receiver": receiver, "kind": kind_of(message),
            "numbers": dict(_numbers(message)),
        }  # fmt: skip
        arrays = {name: tensor.array() for name, tensor in tensors_of(message).items()}
        self._recording.keep("messages", facts, arrays)


def _numbers(message: Message) -> Iterator[tuple[str, int]]:
    """Yield the plain numbers of a message by field; one of several as `name.0`, `name.1`, …."""
    for name in message.__struct_fields__:
        value = getattr(message, name)
        if isinstance(value, int):
            yield name, value
        elif isinstance(value, tuple):
            numbers = (part for part in value if isinstance(part, int))
            yield from ((f"{name}.{index}", number) for index, number in enumerate(numbers))


class _Under(Awaitable[Observation]):
    """Runs a coroutine with its own recorders, also where parties take turns in one context."""

    def __init__(
        self, expander: Expander, witness: Witness, step: Coroutine[Any, Any, Observation]
    ) -> None:
        self._expander = expander
        self._witness = witness
        self._step = step

    def __await__(self) -> Generator[Any, Any, Observation]:
        reply: Any = None
        error: BaseException | None = None
        while True:
            expanding: Token[Expander] = EXPANDER.set(self._expander)
            witnessing: Token[Witness | None] = WITNESS.set(self._witness)
            try:
                waits = self._step.send(reply) if error is None else self._step.throw(error)
            except StopIteration as end:
                observed: Observation = end.value
                return observed
            finally:
                WITNESS.reset(witnessing)
                EXPANDER.reset(expanding)
            reply, error = None, None
            try:
                reply = yield waits
            except GeneratorExit:
                self._step.close()
                raise
            except BaseException as thrown:  # noqa: BLE001 - handed on to the program
                error = thrown
