"""The one place that imports CrypTen, and its process-wide variables as each party has them.

CrypTen keeps communicator, generators, provider, configuration and client of the third party in
module variables, one of each per process. Several parties in one process therefore take turns:
a party's values are put in place while it computes and taken out when it waits, as an operating
system switches contexts. Between turns CrypTen is as it was found.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from threading import Lock
from types import ModuleType
from typing import Any, Final, NamedTuple

import torch

from protocol.errors import InfrastructureError
from protocol.search.crypten.ranks import Provider
from protocol.search.crypten.witness import Witnessed

__all__ = ["PartyState", "in_place", "load_crypten"]

_OLD_NAME: Final = "torch.onnx._internal.registration"
_TURN: Final = Lock()


def load_crypten() -> ModuleType:
    """Import CrypTen, on a torch that moved the module it asks for.

    Raises:
        InfrastructureError: CrypTen is not installed.
    """
    try:
        from torch.onnx._internal.torchscript_exporter import registration

        sys.modules.setdefault(_OLD_NAME, registration)
        import crypten
    except ImportError as error:
        hint = "`make install` adds CrypTen 0.4.1, which pip cannot install with its requirements"
        raise InfrastructureError(f"CrypTen cannot be imported: {error}", hint=hint) from error
    return crypten  # type: ignore[no-any-return]


class _Variable(NamedTuple):
    """One variable of CrypTen's that exists once per process."""

    owner: Any
    name: str


class PartyState:
    """One party's communicator, generators, providers, configuration and third-party client.

    Generators exist for the CPU only and are unseeded.

    Attributes:
        witnessed: the party's generating functions.
    """

    def __init__(self, communicator: Any, provider: Provider) -> None:  # noqa: ANN401 - CrypTen's
        crypten = load_crypten()
        third_party = crypten.mpc.provider.ttp_provider
        values: dict[_Variable, Any] = {
            _Variable(crypten.communicator, "get"): lambda: communicator,
            _Variable(crypten, "generators"): _generators(),
            _Variable(crypten.mpc, "__SUPPORTED_PROVIDERS"): _providers(crypten),
            _Variable(crypten.config.cfg, "config"): _configuration(crypten, provider),
            _Variable(crypten.CrypTensor, "AUTOGRAD_ENABLED"): False,
            _Variable(third_party.TTPClient, "_TTPClient__instance"): None,
            # Its seeds travel past the communicator, and its log calls would configure logging.
            _Variable(third_party, "dist"): communicator,
            _Variable(third_party, "logging"): logging.getLogger("crypten"),
        }
        self.witnessed = Witnessed(crypten)
        values |= _variables(self.witnessed.functions())
        self._variables = list(values)
        self._values = list(values.values())

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Put this party's values in place, and afterwards back what was there.

        Waits while another thread's party computes.
        """
        with _turn(self._variables, self._values):
            try:
                yield
            finally:
                self._values = [getattr(owner, name) for owner, name in self._variables]


@contextmanager
def in_place(witnessed: Witnessed) -> Iterator[None]:
    """Put one party's generating functions in place, and afterwards back what was there.

    For a third party, which has nothing else of its own.
    """
    values = _variables(witnessed.functions())
    with _turn(list(values), list(values.values())):
        yield


def _variables(functions: Mapping[tuple[ModuleType, str], Any]) -> dict[_Variable, Any]:
    return {_Variable(*place): function for place, function in functions.items()}


@contextmanager
def _turn(variables: Sequence[_Variable], values: Sequence[Any]) -> Iterator[None]:
    with _TURN:
        found = [getattr(owner, name) for owner, name in variables]
        _assign(variables, values)
        try:
            yield
        finally:
            _assign(variables, found)


def _assign(variables: Sequence[_Variable], values: Sequence[Any]) -> None:
    for (owner, name), value in zip(variables, values, strict=True):
        setattr(owner, name, value)


def _generators() -> dict[str, dict[torch.device, torch.Generator]]:
    cpu = torch.device("cpu")
    return {name: {cpu: torch.Generator(cpu)} for name in ("prev", "next", "local", "global")}


def _providers(crypten: ModuleType) -> dict[str, Any]:
    provider = crypten.mpc.provider
    return {"TFP": provider.TrustedFirstParty(), "TTP": provider.TrustedThirdParty()}


def _configuration(crypten: ModuleType, provider: Provider) -> Any:  # noqa: ANN401 - OmegaConf's
    """Return CrypTen's configuration with everything the declared costs depend on set."""
    configuration = deepcopy(crypten.config.cfg.config)
    configuration.mpc.provider = provider
    configuration.mpc.protocol = "beaver"
    configuration.mpc.active_security = False
    configuration.functions.max_method = "log_reduction"
    configuration.encoder.precision_bits = 16
    return configuration
