"""A client that prints an enrolled row and leaves another in a temporary file."""

from __future__ import annotations

import tempfile

from orchestration.assembly import PartyBrief, build_program
from protocol.channel import Channel
from protocol.roles import Observation, RoleProgram


def build(brief: bytes) -> RoleProgram:
    import msgspec

    program = build_program(brief)
    told = msgspec.msgpack.decode(brief, type=PartyBrief)
    return _Talkative(program) if told.party == "client" else program


class _Talkative:
    def __init__(self, program: RoleProgram) -> None:
        self._program = program

    async def run(self, channel: Channel) -> Observation:
        observed = await self._program.run(channel)
        print("enrolled", observed["rows"][2].tolist(), flush=True)  # noqa: T201 - the leak
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(observed["rows"][3].tobytes())
        return observed
