"""The counters of `stats()` as OpenTelemetry metrics, where the extra `otel` is installed.

They are read when the game's exporter asks for them, so a turn pays nothing for them; only how long a batch
took is told as it happens. Where a process has several clients, their figures are added up.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

try:
    from opentelemetry import metrics
except ImportError:
    metrics = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Histogram, Observation

_COUNTERS = {
    "awf.exp.exposures.count": "Exposures in recorded turns",
    "awf.exp.invalid.count": "Values of variations that were not used as given",
    "awf.analytics.flush.count": "Batches stored",
    "awf.analytics.flush.fail": "Attempts to store a batch that failed",
    "awf.analytics.dropped": "Events that were dropped",
    "awf.analytics.rejected": "Events that the database rejected",
}
_GAUGES = {
    "awf.analytics.queue_depth": "Events that wait in memory",
    "awf.analytics.spool_events": "Events in the spool",
    "awf.analytics.spool_bytes": "Bytes of the spool",
}


class Client(Protocol):
    """What has the figures."""

    def stats(self) -> dict[str, Any]: ...


_lock = threading.Lock()
_clients: weakref.WeakSet[Any] = weakref.WeakSet()
_closed: dict[str, int] = dict.fromkeys(_COUNTERS, 0)  # what clients had counted when they were closed
_flush_duration: Histogram | None = None


def watch(client: Client) -> None:
    """Let the metrics have this client's figures."""
    if metrics is not None:
        with _lock:
            _clients.add(client)
            _create_instruments()


def leave(client: Client) -> None:
    """Keep what a client has counted, which is closed now."""
    with _lock:
        if client in _clients:
            _clients.discard(client)
            for name in _COUNTERS:
                _closed[name] += _figure(client, name)


def record_flush(seconds: float, path: str) -> None:
    """A batch was stored."""
    if _flush_duration is not None:
        _flush_duration.record(seconds, {"path": path})


def _create_instruments() -> None:
    global _flush_duration
    if _flush_duration is not None:
        return
    # The provider may be set later; until then these do nothing.
    meter = metrics.get_meter("awf")
    for name, description in _COUNTERS.items():
        meter.create_observable_counter(name, [_reader(name)], description=description)
    for name, description in _GAUGES.items():
        meter.create_observable_gauge(name, [_reader(name)], description=description)
    _flush_duration = meter.create_histogram(
        "awf.analytics.flush.duration", unit="s", description="How long a batch took to be stored"
    )


def _reader(name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def read(_: CallbackOptions) -> Iterable[Observation]:
        with _lock:
            value = _closed.get(name, 0) + sum(_figure(client, name) for client in list(_clients))
        yield metrics.Observation(value)

    return read


def _leave_parent() -> None:
    """In a forked child: begin anew, with a lock that nobody holds."""
    global _lock
    _lock = threading.Lock()
    _closed.update(dict.fromkeys(_closed, 0))


os.register_at_fork(after_in_child=_leave_parent)


def _figure(client: Client, name: str) -> int:
    stats = client.stats()
    return int(stats.get(name, stats.get(name.removeprefix("awf.analytics."), 0)))
