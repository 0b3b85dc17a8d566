"""Attacked settings that are kept in a folder, so that another table need not attack them again."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import msgspec

from orchestration.benchmarks.inputs.measure import AttackPoint, Campaign, attack_point
from orchestration.benchmarks.inputs.mechanisms import Mechanism
from protocol.errors import DataError

__all__ = ["KeptAttacks"]


class KeptAttacks:
    """Attacks mechanisms, or reads what came of it before."""

    def __init__(self, folder: Path | None, campaign: Campaign) -> None:
        """Take the folder, None to keep nothing, and what all attacks share."""
        self._folder, self._campaign = folder, campaign

    def point(self, mechanism: Mechanism, epsilon: float | None, uploads: int = 1) -> AttackPoint:
        """Return how a mechanism fares at a budget.

        Raises:
            DataError: what is kept of it is not readable.
        """
        if self._folder is None:
            return attack_point(mechanism, epsilon, self._campaign, uploads)
        path = self._folder / f"{self._digest(mechanism, epsilon, uploads)}.json"
        if path.is_file():
            kept = _read(path)
            return msgspec.structs.replace(kept, mechanism=mechanism.name)
        point = attack_point(mechanism, epsilon, self._campaign, uploads)
        path.write_bytes(msgspec.json.encode(point))
        return point

    def _digest(self, mechanism: Mechanism, epsilon: float | None, uploads: int) -> str:
        """Name a setting after everything its figures depend on."""
        digest = blake2b(digest_size=12)
        for part in (*self._campaign.described(), mechanism.described(epsilon)):
            digest.update(len(part).to_bytes(8, "little") + part)
        digest.update(repr((epsilon, uploads)).encode())
        return digest.hexdigest()


def _read(path: Path) -> AttackPoint:
    try:
        return msgspec.json.decode(path.read_bytes(), type=AttackPoint)
    except msgspec.DecodeError as error:
        hint = "delete it to attack again"
        raise DataError("not a finished attack", where=str(path), hint=hint) from error
