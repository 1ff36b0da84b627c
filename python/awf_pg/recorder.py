"""Collects events and writes them from a background thread.

A turn only appends to a queue in memory. The queue has a bound: when the database is away for so long that it
is full, new events are dropped and counted, and the game goes on. An event that the writer fails on for a
reason other than the database is dropped and counted too: it would only fail again.
"""

from __future__ import annotations

import atexit
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import psycopg

from awf_pg.copy import Written
from awf_pg.event import Event

_log = logging.getLogger("awf.flush")

QUEUE_MAX = 100_000

_BACKOFF_FIRST_S = 0.1
_BACKOFF_MAX_S = 30.0

# What another attempt may cure; any other error is a mistake in the program or in an event.
_MAY_PASS = (psycopg.Error, OSError)


class BatchWriter(Protocol):
    """What stores batches; writing the same batch again is safe."""

    def write(self, events: Sequence[Event]) -> Written: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class RecorderStats:
    """What the recorder has done since it started."""

    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    dropped: int = 0
    queue_depth: int = 0  # events waiting, those of the batch being written included
    batches: dict[str, int] = field(default_factory=lambda: {"direct": 0, "careful": 0})
    flush_failures: int = 0
    last_error: str | None = None


class Recorder:
    """A bounded queue and the thread that empties it, by batches of `batch_max` or every `batch_ms`.

    The thread starts with the first event.
    """

    def __init__(
        self, writer: BatchWriter, *, batch_ms: int, batch_max: int, queue_max: int = QUEUE_MAX
    ) -> None:
        self._writer = writer
        self._batch_s = batch_ms / 1000
        self._batch_max = batch_max
        self._queue_max = queue_max
        self._queue: deque[Event] = deque()
        # Guards everything below and is never held during I/O.
        self._changed = threading.Condition()
        self._stats = RecorderStats()
        self._put = 0  # events ever queued; they are settled in this order
        self._settled = 0  # events of these that are stored, or refused for good
        self._urgent = 0  # settle up to here without waiting for a full batch
        self._urges = 0  # calls that ask for another attempt at once
        self._closing = False
        self._stopped = False
        self._give_up_at = float("inf")
        self._thread: threading.Thread | None = None

    def put(self, event: Event) -> bool:
        """Queue an event; False when it was dropped. Never waits for the database."""
        with self._changed:
            if self._closing or len(self._queue) >= self._queue_max or not self._started():
                self._stats.dropped += 1
                return False
            self._queue.append(event)
            self._put += 1
            # The thread waits for a first event, then for a full batch.
            if len(self._queue) in (1, self._batch_max):
                self._changed.notify_all()
            return True

    def flush(self, timeout: float | None = 30.0) -> bool:
        """Wait until all events queued before this call are settled; False when the time is up first."""
        with self._changed:
            target = self._put
            self._urge(target)
            self._changed.wait_for(lambda: self._settled >= target or self._stopped, timeout)
            return self._settled >= target

    def close(self, timeout: float = 10.0) -> bool:
        """Flush and stop; False when events could not be stored in time. Closing again does nothing."""
        with self._changed:
            if not self._closing:
                self._closing = True
                self._give_up_at = time.monotonic() + timeout
                self._urge(self._put)
        if self._thread is None:
            self._writer.close()
            return True
        self._thread.join(timeout + 1)
        atexit.unregister(self.close)
        with self._changed:
            return self._settled == self._put

    def stats(self) -> RecorderStats:
        with self._changed:
            depth = self._put - self._settled
            return replace(self._stats, queue_depth=depth, batches=dict(self._stats.batches))

    def forget(self) -> None:
        """Leave everything to the parent: called in a forked child, where the thread does not live on."""
        atexit.unregister(self.close)

    def _started(self) -> bool:
        """Whether the thread is there, started if need be; False when the system gives no thread."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="awf-flush", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                _log.error("an event was dropped: %s", error)
                return False
            self._thread = thread
            atexit.register(self.close)
        return True

    def _urge(self, target: int) -> None:
        self._urgent = max(self._urgent, target)
        self._urges += 1
        self._changed.notify_all()

    def _run(self) -> None:
        try:
            while batch := self._next_batch():
                if not self._store(batch):
                    break
        finally:
            self._writer.close()
            with self._changed:
                self._stopped = True
                self._changed.notify_all()

    def _next_batch(self) -> list[Event]:
        """Wait for events; an empty list means that the recorder is closed and the queue empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            self._changed.wait_for(
                lambda: len(self._queue) >= self._batch_max or self._urgent > self._settled or self._closing,
                self._batch_s,
            )
            return [self._queue.popleft() for _ in range(min(self._batch_max, len(self._queue)))]

    def _store(self, batch: list[Event]) -> bool:
        """Write a batch, again and again if need be; False when closing ends the attempts.

        Ids and times stay the same, so a batch whose commit was not answered is not stored twice.
        """
        attempt = 0
        while True:
            started = time.perf_counter()
            try:
                written = self._writer.write(batch)
            except _MAY_PASS as error:
                self._failed(error, len(batch))
                if not self._wait_to_retry(attempt):
                    _log.error("closed with %d events not stored", self.stats().queue_depth)
                    return False
                attempt += 1
            except Exception as error:
                return self._isolate(batch, error)
            else:
                self._stored(batch, written, time.perf_counter() - started)
                return True

    def _isolate(self, batch: list[Event], error: Exception) -> bool:
        """Store the halves of a batch, down to the event that cannot be stored, which is dropped."""
        if len(batch) > 1:
            middle = len(batch) // 2
            return self._store(batch[:middle]) and self._store(batch[middle:])
        with self._changed:
            self._stats.dropped += 1
            self._stats.last_error = _first_line(error)
            self._settled += 1
            self._changed.notify_all()
        _log.error("event %s was dropped: %s", batch[0].id.hex(), _first_line(error), exc_info=error)
        return True

    def _failed(self, error: Exception, size: int) -> None:
        reason = _first_line(error)
        with self._changed:
            self._stats.flush_failures += 1
            self._stats.last_error = reason
        _log.warning("a batch of %d events was not stored, it stays queued: %s", size, reason)

    def _wait_to_retry(self, attempt: int) -> bool:
        """Wait a random, growing time, which flush() cuts short; False when closing leaves no more time."""
        delay = min(_BACKOFF_MAX_S, _BACKOFF_FIRST_S * 2 ** min(attempt, 20)) * random.uniform(0.5, 1)
        with self._changed:
            urges = self._urges
            self._changed.wait_for(lambda: self._urges != urges, delay)
            return time.monotonic() < self._give_up_at

    def _stored(self, batch: list[Event], written: Written, seconds: float) -> None:
        with self._changed:
            self._stats.accepted += written.accepted
            self._stats.duplicate += written.duplicate
            self._stats.rejected += written.rejected
            self._stats.batches[written.path] += 1
            self._settled += len(batch)
            self._changed.notify_all()
        _log.info("%d events in %.1f ms, %s path", len(batch), seconds * 1000, written.path)
        if written.rejected:
            _log.warning(
                "%d of %d events were rejected; see awf.rejected_events", written.rejected, len(batch)
            )


def _first_line(error: Exception) -> str:
    """What is wrong; the lines that follow in a message of the database may be many."""
    return (str(error).splitlines() or [type(error).__name__])[0]
