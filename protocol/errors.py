"""Every error this project raises on purpose, with the exit code it leads to.

Texts say what was wrong, where, what was expected and what to do. They never contain
a secret, a share, a key, a template or a payload: shapes, kinds and names only.
"""

from __future__ import annotations

__all__ = [
    "BautaError",
    "DataError",
    "DecodeError",
    "InfrastructureError",
    "LocalProtocolError",
    "PeerMisbehaviourError",
    "PolicyViolationError",
    "ReusedMaterialError",
    "ScenarioError",
]


class BautaError(Exception):
    """Base of all errors: a public text, where it happened, and a hint for the reader.

    Attributes:
        exit_code: process exit code the command line maps this error to.
        message: what was wrong and what was expected.
        where: field path, file or party the message speaks of; empty when it is global.
        hint: what the reader can do about it; empty when there is nothing to do.
    """

    exit_code = 1

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        if type(self) is BautaError:
            text = "BautaError is abstract: raise one of its subclasses"
            raise TypeError(text)
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        """Return one line: where, message, hint."""
        prefix = f"{self.where}: " if self.where else ""
        suffix = f" ({self.hint})" if self.hint else ""
        return f"{prefix}{self.message}{suffix}"

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild with keyword arguments, so the error crosses process boundaries whole."""
        return (_rebuild, (type(self), self.message, self.where, self.hint))


def _rebuild(kind: type[BautaError], message: str, where: str, hint: str) -> BautaError:
    return kind(message, where=where, hint=hint)


class ScenarioError(BautaError):
    """The user's scenario or command cannot be run as written; nothing has been started."""

    exit_code = 2


class DataError(BautaError):
    """A data set or weight file is missing or malformed; nothing has been started."""

    exit_code = 2


class DecodeError(BautaError):
    """Bytes from a peer are not a valid message; the session must be aborted."""


class LocalProtocolError(BautaError):
    """Our own code used the protocol wrongly: a bug here, not a misbehaving peer."""


class PeerMisbehaviourError(BautaError):
    """A peer sent something the protocol forbids; abort the session and burn its material."""


class PolicyViolationError(BautaError):
    """A message is not in the flow policy; it was neither sent nor delivered."""


class ReusedMaterialError(LocalProtocolError):
    """Single-use randomness was asked for twice; nothing was sent with it."""


class InfrastructureError(BautaError):
    """Ray, memory or a deadline failed; the run is aborted and names the culprit."""
