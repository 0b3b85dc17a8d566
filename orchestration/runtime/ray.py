"""The Ray runtime: one actor per party, frames from actor to actor, the driver only watches.

No step is ever run twice (`max_restarts = max_task_retries = 0`): single-use randomness would
leak. A failure anywhere ends the run, names the party, and leaves the journals of the others.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from time import monotonic, time
from typing import Any, Final, TypeAlias

import msgspec
import ray
from ray.exceptions import GetTimeoutError, RayError

from orchestration.journal import KEY_BYTES, Event, decode_events
from orchestration.machine import cores
from orchestration.progress import OnProgress, Progress
from orchestration.runtime.outcome import OnAbort, PartyOutcome, watched
from orchestration.runtime.ray_actor import PartyActor
from orchestration.runtime.ray_cluster import cluster
from orchestration.runtime.ray_wire import (
    Header,
    Report,
    decode_array,
    decode_progress,
    decode_report,
    encode,
)
from protocol.errors import BautaError, InfrastructureError
from protocol.parties import MODEL_PROVIDER, Party

__all__ = ["run_on_ray"]

TICK_S: Final = 0.25
GRACE_S: Final = 5.0
SALVAGE_S: Final = 10.0

# Ray publishes no types for handles and references.
Handle: TypeAlias = Any
Reference: TypeAlias = Any


def run_on_ray(  # noqa: PLR0913 - all but one have a name at the call
    briefs: Mapping[Party, bytes],
    *,
    run: str,
    insecure: frozenset[str],
    protocol: str = "dealer",
    on_progress: OnProgress | None = None,
    on_abort: OnAbort | None = None,
    receive_timeout_s: float = 120.0,
    builder: str = "orchestration.assembly:build_program",
    threads: int | None = None,
    digest_key: bytes | None = None,
) -> dict[Party, PartyOutcome]:
    """Host every party in an actor and run all programs to their end.

    Args:
        briefs: what each party is told; `builder` turns it into a role program, in the actor.
        run: run identifier, in every envelope.
        insecure: the scenario's shortcuts, for the flow policy.
        protocol: whose flow policy the endpoints enforce.
        on_progress: told how far the watched party is, a few times a second.
        on_abort: given the journals of the parties that still answer before an error is raised.
        receive_timeout_s: how long a program may wait for one message.
        builder: `module:function`, importable in the actors.
        threads: threads each party may compute with; None gives the provider's network all cores,
            since nobody else computes then, and divides them among the servers of a search.
        digest_key: of the journal's digests; None: a fresh one that is forgotten with the run.

    Raises:
        BautaError: the first party's failure, as it was raised there.
        InfrastructureError: Ray did not start, an actor died or a deadline passed.
    """
    tell = on_progress or _nothing
    tell(Progress("start", 0, note="Ray"))
    with cluster():
        header = Header(
            party=MODEL_PROVIDER,
            run=run,
            namespace=f"bauta-{run}-{secrets.token_hex(4)}",
            insecure=tuple(sorted(insecure)),
            protocol=protocol,
            receive_timeout_s=receive_timeout_s,
            builder=builder,
            threads=threads or 1,
            kernel_threads=threads or max(cores() // (len(briefs) - 1), 1),
            digest_key=digest_key or secrets.token_bytes(KEY_BYTES),
        )
        heavy = cores() if threads is None else threads
        actors = _Actors()
        try:
            tell(Progress("start", 0, note="one actor per party"))
            actors.spawn(briefs, header, heavy)
            return actors.run(briefs, tell)
        except (BautaError, KeyboardInterrupt):
            if on_abort is not None:
                on_abort(actors.salvage())
            raise
        finally:
            actors.kill()


class _Actors:
    """The actors of one run, by party."""

    def __init__(self) -> None:
        self._handles: dict[Party, Handle] = {}

    def spawn(self, parties: Iterable[Party], header: Header, provider_threads: int) -> None:
        """Start one actor per party, each under its party's name."""
        for party in parties:
            threads = provider_threads if party == MODEL_PROVIDER else header.threads
            told = msgspec.structs.replace(header, party=party, threads=threads)
            self._handles[party] = _spawn(told)

    def kill(self) -> None:
        """End all actors."""
        for handle in self._handles.values():
            ray.kill(handle, no_restart=True)

    def run(
        self, briefs: Mapping[Party, bytes], on_progress: OnProgress
    ) -> dict[Party, PartyOutcome]:
        """Prepare all, play all, then collect."""
        handles = self._handles.items()
        self._settle({party: handle.prepare.remote(briefs[party]) for party, handle in handles})
        clock = msgspec.msgpack.encode(time())
        poll = _Poll(self._handles[watched(briefs)], on_progress)
        self._settle({party: handle.play.remote(clock) for party, handle in handles}, poll.tick)
        self._settle({party: handle.finish.remote() for party, handle in handles})
        return {party: _outcome(party, handle) for party, handle in handles}

    def salvage(self) -> dict[Party, list[Event]]:
        """Return the journals of all parties that still answer."""
        asked = {party: handle.journal.remote() for party, handle in self._handles.items()}
        return {party: decode_events(data) for party, data in _answers(asked).items()}

    def _settle(
        self, calls: Mapping[Party, Reference], tick: Callable[[], None] | None = None
    ) -> None:
        """Wait until every call has ended well.

        Raises:
            BautaError: the first failure, or the one that caused it.
        """
        report = _first_failure(calls, tick)
        if report is None:
            return
        error = report.exception()
        if report.stalled:
            error = InfrastructureError(error.message, where=self._stall(), hint=error.hint)
        raise error

    def _stall(self) -> str:
        """Return who waits for what."""
        asked = {party: handle.waits.remote() for party, handle in self._handles.items()}
        said = {party: data.decode() for party, data in _answers(asked).items()}
        lines = (
            f"{party} waits for {said[party]}" if said.get(party) else f"{party} is busy or done"
            for party in self._handles
        )
        return ", ".join(lines)


class _Poll:
    """Asks one actor for its progress, never more than one question at a time."""

    def __init__(self, handle: Handle, on_progress: OnProgress) -> None:
        self._handle = handle
        self._on_progress = on_progress
        self._asked: Reference = None

    def tick(self) -> None:
        """Hand on an answer that has come, and ask again."""
        if self._asked is None:
            self._asked = self._handle.progress.remote()
        if not ray.wait([self._asked], timeout=0)[0]:
            return
        reference, self._asked = self._asked, None
        progress = _progress(reference)
        if progress is not None:
            self._on_progress(progress)


def _progress(reference: Reference) -> Progress | None:
    try:
        data = _fetch(reference)
    except RayError:
        return None
    return decode_progress(data) if data else None


def _nothing(_: Progress) -> None:
    """Watch nothing."""


def _spawn(header: Header) -> Handle:
    options = {
        "name": header.party,
        "namespace": header.namespace,
        "num_cpus": 0,
        "max_restarts": 0,
        "max_task_retries": 0,
    }
    return ray.remote(PartyActor).options(**options).remote(encode(header))


def _first_failure(
    calls: Mapping[Party, Reference], tick: Callable[[], None] | None
) -> Report | None:
    """Wait until every call has ended or one has failed; return the failure or its cause."""
    waiting = {reference: party for party, reference in calls.items()}
    while waiting:
        ended, _ = ray.wait(list(waiting), timeout=TICK_S)
        for reference in ended:
            report = _report(waiting.pop(reference), reference)
            if report.error:
                return _cause(report, waiting)
        if tick is not None:
            tick()
    return None


def _cause(report: Report, waiting: Mapping[Reference, Party]) -> Report:
    """Return the failure that brought this one about, if it shows within a grace period."""
    left, deadline = dict(waiting), monotonic() + GRACE_S
    while report.consequence and left and monotonic() < deadline:
        ended, _ = ray.wait(list(left), timeout=TICK_S)
        for reference in ended:
            other = _report(left.pop(reference), reference)
            if other.error and not other.consequence:
                return other
    return report


def _report(party: Party, reference: Reference) -> Report:
    try:
        return decode_report(_fetch(reference))
    except RayError as error:
        return Report(
            error=InfrastructureError.__name__,
            message=f"the actor of {party} is gone ({type(error).__name__})",
            where=party,
            hint="it was killed or ran out of memory; the run is aborted, no step is repeated",
        )


def _outcome(party: Party, handle: Handle) -> PartyOutcome:
    try:
        events = decode_events(_fetch(handle.journal.remote()))
        peak_bytes = msgspec.msgpack.decode(_fetch(handle.peak.remote()), type=int)
        names = msgspec.msgpack.decode(_fetch(handle.observed.remote()), type=list[str])
        observed = {
            name: decode_array(_fetch(handle.observe.remote(name.encode()))) for name in names
        }
    except RayError as error:
        text = f"the actor of {party} was lost after the run ({type(error).__name__})"
        raise InfrastructureError(text, where=party) from error
    return PartyOutcome(events, observed, peak_bytes)


def _answers(asked: Mapping[Party, Reference]) -> dict[Party, bytes]:
    """Return what the parties that still answer say, within a few seconds."""
    deadline = monotonic() + SALVAGE_S
    said: dict[Party, bytes] = {}
    for party, reference in asked.items():
        try:
            said[party] = _fetch(reference, max(deadline - monotonic(), 0.0))
        except (RayError, GetTimeoutError):
            continue
    return said


def _fetch(reference: Reference, timeout_s: float | None = None) -> bytes:
    data: Any = ray.get(reference, timeout=timeout_s)
    return bytes(data)
