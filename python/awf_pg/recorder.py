"""Collects events and writes them from background threads.

A turn only appends to a queue in memory. The thread `awf-flush` takes batches from it and writes them by the
direct path. What that path refuses goes to the thread `awf-replay`, which takes the careful one, so that the
batches behind do not wait.

While the database is away, batches go into the spool, where there is one, and `awf-replay` writes them when
it is back. Without a spool, or when it is full, they stay in memory and are tried again. The memory has a
bound: beyond it new events are dropped and counted, and the game goes on.

Ids and times never change, so a batch may be written again whenever its fate is unknown.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Protocol

import psycopg
from tenacity import (
    Retrying,
    retry_if_exception,
    retry_if_not_result,
    stop_after_attempt,
    wait_random,
    wait_random_exponential,
)

from awf_pg import otel, shutdown
from awf_pg.copy import Refused, Written
from awf_pg.errors import said
from awf_pg.event import Event
from awf_pg.spool import Spool, SpoolError, SpoolStatus

_log = logging.getLogger("awf.flush")

QUEUE_MAX = 100_000

# What another attempt may cure; any other error is a mistake in the program or in an event.
_MAY_PASS = (psycopg.Error, OSError)

# After each failure in a row the range grows from which the pause is drawn, so that clients do not come back
# all at once.
_PAUSES = wait_random_exponential(multiplier=0.2, min=0.05, max=30)
_LOCKED_S = 0.5  # before another look at a spool that another process replays
_IDLE_S = 60.0  # before the second thread closes its connection
_REPEAT_S = 60.0  # before the log says the same thing again
_END_S = 0.5  # for a thread that has nothing to wait for

_FLUSH, _REPLAY = "awf-flush", "awf-replay"


class BatchWriter(Protocol):
    """What stores batches; writing the same batch again is safe."""

    def direct(self, events: Sequence[Event]) -> Written: ...

    def careful(self, events: Sequence[Event]) -> Written: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class RecorderStats:
    """What the recorder has done since it started, and what the spool holds, of other processes too."""

    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    dropped: int = 0
    queue_depth: int = 0  # events in memory, those of the batches being written included
    batches: dict[str, int] = field(default_factory=lambda: {"direct": 0, "careful": 0})
    flush_count: int = 0
    flush_fail: int = 0
    flush_ms: dict[str, float] = field(default_factory=lambda: {"last": 0.0, "mean": 0.0, "max": 0.0})
    spooled: int = 0  # events that went into the spool
    spool: SpoolStatus = field(default_factory=SpoolStatus)
    last_error: str | None = None
    last_error_at: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """By the documented names."""
        return {
            "accepted": self.accepted,
            "duplicate": self.duplicate,
            "rejected": self.rejected,
            "dropped": self.dropped,
            "queue_depth": self.queue_depth,
            "batches": self.batches,
            "awf.analytics.flush.count": self.flush_count,
            "awf.analytics.flush.fail": self.flush_fail,
            "flush_ms": {name: round(ms, 3) for name, ms in self.flush_ms.items()},
            "spooled": self.spooled,
            "spool_events": self.spool.events,
            "spool_bytes": self.spool.bytes,
            "last_error": self.last_error,
            "last_error_at": None if self.last_error_at is None else self.last_error_at.isoformat(),
        }


@dataclass(slots=True, eq=False)
class _Batch:
    """Events under way, from number `first` of those that were put."""

    first: int
    events: list[Event]


class Recorder:
    """A bounded queue and the threads that empty it, by batches of `batch_max` or every `batch_ms`.

    The threads start with the first event; each has a writer of its own.
    """

    def __init__(
        self,
        new_writer: Callable[[], BatchWriter],
        *,
        batch_ms: int,
        batch_max: int,
        queue_max: int = QUEUE_MAX,
        spool: Spool | None = None,
        shutdown_s: float = 10.0,
    ) -> None:
        self.shutdown_s = shutdown_s
        self._new_writer = new_writer
        self._batch_s = batch_ms / 1000
        self._batch_max = min(batch_max, queue_max)
        self._queue_max = queue_max
        self._spool = spool
        self._queue: deque[Event] = deque()
        # Guards everything below and is never held during I/O. A signal handler may take it once more.
        self._changed = threading.Condition(threading.RLock())
        self._stats = RecorderStats()
        self._open: dict[int, _Batch] = {}  # under way, by number and in this order
        self._taken = 0  # events ever taken from the queue
        self._held = 0  # those of them that are under way
        self._refused: deque[_Batch] = deque()  # those of them that need the careful path
        self._urgent = 0  # take up to here without waiting for a full batch
        self._urges = 0  # calls that ask for another attempt at once
        self._away = False  # the database, so that batches go into the spool without an attempt
        self._spool_fails = False
        self._appends = 0  # batches put into the spool
        self._spooled = False  # there may be something in the spool
        self._sealed = False  # no further events for the moment
        self._closing = False
        self._lost = 0  # at the end
        self._give_up_at = float("inf")
        self._said: str | None = None  # to the log, at last
        self._said_at = 0.0
        self._drops_said_at = float("-inf")
        self._pausing = 0  # threads that wait for the database to come back
        self._threads: dict[str, threading.Thread] = {}
        self._ended: set[str] = set()  # the names of those that have
        shutdown.install()

    # For turns, and for those who wait

    def resume(self) -> None:
        """Replay what an earlier process has left; ConfigurationError when the spool can never work."""
        if self._spool is not None and (status := self._spool.check()).batches:
            with self._changed:
                self._stats.spool = status
                self._spooled = self._started()

    def put(self, event: Event) -> bool:
        """Queue an event; False when it was dropped. Never waits for the database or the disk."""
        with self._changed:
            waiting = len(self._queue)
            full = waiting + self._held >= self._queue_max
            taken = not (full or self._sealed or self._closing) and (
                len(self._threads) == 2 or self._started()
            )
            if taken:
                self._queue.append(event)
                # The thread waits for a first event, then for a full batch.
                if waiting in (0, self._batch_max - 1):
                    self._changed.notify_all()
            else:
                self._stats.dropped += 1
                dropped = self._stats.dropped
                due = time.monotonic() > self._drops_said_at + _REPEAT_S
                if due:
                    self._drops_said_at = time.monotonic()
        if not taken and due:
            _log.error(
                "events are dropped, %d so far: %s", dropped, "the queue is full" if full else "closed"
            )
        return taken

    def flush(self, timeout: float | None = 30.0) -> bool:
        """Wait until all events queued before this call are stored, and the spool is empty.

        False when the time is up first. Events that were refused for good count as stored.
        """
        with self._changed:
            target = self._urge()
            self._changed.wait_for(lambda: self._is_stored(target) or not self._is_alive(), timeout)
            return self._is_stored(target)

    def settle(self, timeout: float) -> bool:
        """Wait until all events queued before this call are stored, or durable in the spool."""
        with self._changed:
            target = self._urge()
            self._changed.wait_for(lambda: self._is_settled(target) or not self._is_alive(), timeout)
            return self._is_settled(target)

    def seal(self, timeout: float) -> bool:
        """Take no further event and wait until none is left in memory; if one is, take events again."""
        with self._changed:
            self._sealed = True
            self._sealed = self.settle(timeout)
            return self._sealed

    def unseal(self) -> None:
        with self._changed:
            self._sealed = False

    def rescue(self) -> None:
        """Put everything that is in memory into the spool, be it under way or not."""
        while True:
            with self._changed:
                batch = next(iter(self._open.values()), None) or self._take()
            if batch is None or not self._keep(batch):
                return

    def begin_close(self, timeout: float) -> None:
        """Take no further event, and write what there is; `close()` waits for it."""
        with self._changed:
            if not self._closing:
                self._closing = True
                self._give_up_at = time.monotonic() + timeout
            self._urge()

    def close(self, timeout: float | None = None) -> bool:
        """Write what there is and stop; False when events are neither stored nor durable in time.

        After half of the time the spool takes what is left. Closing again does nothing.
        """
        self.begin_close(self.shutdown_s if timeout is None else timeout)
        if self._is_alive():
            if self._spool is not None and not self.settle(self._left() / 2):
                self.rescue()
            self.settle(self._left())
            for thread in self._threads.values():
                thread.join(_END_S)
        shutdown.remove(self)
        if left := self._drop_all():
            _log.error("closed with %d events not stored; they are lost", left)
        return not self._lost

    def stats(self) -> RecorderStats:
        with self._changed:
            stats = self._stats
            depth = len(self._queue) + self._held
            return replace(
                stats, queue_depth=depth, batches=dict(stats.batches), flush_ms=dict(stats.flush_ms)
            )

    def _started(self) -> bool:
        """Whether the threads are there, started if need be; False when the system gives none."""
        for name, work in ((_REPLAY, self._replay), (_FLUSH, self._flush)):
            if name not in self._threads:
                thread = threading.Thread(target=self._run, args=(name, work), name=name, daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    _log.error("nothing can be recorded: %s", error)
                    return False
                self._threads[name] = thread
                shutdown.add(self)
        return True

    def _run(self, name: str, work: Callable[[BatchWriter], None]) -> None:
        writer = self._new_writer()
        try:
            work(writer)
        finally:
            writer.close()
            with self._changed:
                self._ended.add(name)
                self._changed.notify_all()

    def _is_alive(self) -> bool:
        return len(self._threads) > len(self._ended)

    def _urge(self) -> int:
        """Ask for an attempt at once; the number of events put so far."""
        target = self._taken + len(self._queue)
        self._urgent = max(self._urgent, target)
        self._urges += 1
        self._changed.notify_all()
        return target

    def _is_settled(self, target: int) -> bool:
        return self._taken >= target and next(iter(self._open), target) >= target

    def _is_stored(self, target: int) -> bool:
        return self._is_settled(target) and not self._spooled and not self._lost

    def _drop_all(self) -> int:
        """Give up what is in memory; returns how much. A batch under way may be stored all the same."""
        with self._changed:
            left = len(self._queue) + self._held
            self._taken += len(self._queue)
            self._queue.clear()
            self._open.clear()
            self._refused.clear()
            self._held = 0
            self._lost += left
            self._stats.dropped += left
            return left

    def _left(self) -> float:
        return max(0.0, self._give_up_at - time.monotonic())

    # The thread awf-flush

    def _flush(self, writer: BatchWriter) -> None:
        while (batch := self._next_batch()) is not None:
            if not self._patiently(self._place, writer, batch):
                break

    def _next_batch(self) -> _Batch | None:
        """Wait for events; None means that the recorder is closed and the queue empty."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._queue or self._closing)
                self._changed.wait_for(
                    lambda: (
                        len(self._queue) >= self._batch_max or self._urgent > self._taken or self._closing
                    ),
                    self._batch_s,
                )
                # The queue may have gone into the spool meanwhile.
                if (batch := self._take()) is not None or self._closing:
                    return batch

    def _take(self) -> _Batch | None:
        # Entered first and removed then: a signal in between doubles events, which does no harm.
        events = list(islice(self._queue, self._batch_max))
        if not events:
            return None
        batch = self._open[self._taken] = _Batch(self._taken, events)
        self._taken += len(events)
        self._held += len(events)
        for _ in events:
            self._queue.popleft()
        return batch

    def _place(self, writer: BatchWriter, batch: _Batch) -> bool:
        """Write a batch, or find another place for it; False when it has to wait."""
        if batch.first not in self._open:
            return True  # It was rescued.
        if not self._away or self._spool_fails:
            try:
                self._store(writer.direct, batch.events, batch)
                return True
            except _MAY_PASS as error:
                self._failed(error, len(batch.events))
            except Exception as error:
                if not isinstance(error, Refused):
                    self._note(error, "a batch takes the careful path")
                with self._changed:
                    self._refused.append(batch)
                    self._changed.notify_all()
                return True
        return self._keep(batch)

    # The thread awf-replay

    def _replay(self, writer: BatchWriter) -> None:
        try:
            while self._has_chore(writer):
                self._patiently(self._chore, writer)
        finally:
            if self._spool is not None:
                self._spool.stop_replaying()

    def _has_chore(self, writer: BatchWriter) -> bool:
        """Wait for refused batches or something in the spool; False at the end."""

        def is_over() -> bool:
            return self._closing and (_FLUSH in self._ended or self._left() == 0)

        def has_chore() -> bool:
            return bool(self._refused) or (self._spooled and not self._closing)

        with self._changed:
            idle = not self._changed.wait_for(lambda: has_chore() or is_over(), _IDLE_S)
        if idle:
            writer.close()  # Its next use opens another connection.
        with self._changed:
            self._changed.wait_for(lambda: has_chore() or is_over())
            return bool(self._refused and self._left()) or not is_over()

    def _chore(self, writer: BatchWriter) -> bool:
        """Bring a refused batch or one of the spool to its place; False when it has to wait."""
        with self._changed:
            refused = self._refused[0] if self._refused else None
        try:
            if refused is not None:
                return self._place_refused(writer, refused)
            return self._closing or self._spool is None or self._replay_next(writer, self._spool)
        except Exception as error:
            self._note(error, "the spool is left alone for a while")
            return False

    def _place_refused(self, writer: BatchWriter, batch: _Batch) -> bool:
        if batch.first in self._open:  # Else it was rescued.
            try:
                self._store_singly(writer.careful, batch.events)
            except _MAY_PASS as error:
                self._failed(error, len(batch.events))
                if not self._keep(batch):
                    return False
            else:
                self._settle(batch)
        with self._changed:
            self._refused.popleft()
        return True

    def _replay_next(self, writer: BatchWriter, spool: Spool) -> bool:
        """Write the first batch of the spool."""
        appends = self._appends
        if not spool.try_to_replay():
            # Another process does. Whether the database is back, the next batch will tell.
            self._away = False
            self._look(spool.status(), appends)
            with self._changed:
                self._changed.wait_for(lambda: self._refused or self._closing, _LOCKED_S)
            return True
        batch = spool.next()
        if batch is None:
            spool.stop_replaying()
            self._away = False
            self._look(SpoolStatus(), appends)
            return True
        try:
            self._store_either_way(writer, batch.events)
        except _MAY_PASS as error:
            self._failed(error, len(batch.events))
            return False
        self._away = False
        self._look(spool.remove(batch.seq), appends)
        return True

    def _store_either_way(self, writer: BatchWriter, events: Sequence[Event]) -> None:
        try:
            self._store(writer.direct, events)
        except _MAY_PASS:
            raise
        except Exception:
            self._store_singly(writer.careful, events)

    def _store_singly(self, write: Callable[[Sequence[Event]], Written], events: Sequence[Event]) -> None:
        """Store a batch; where that is a mistake, its halves, down to the event to blame. It is dropped."""
        try:
            self._store(write, events)
        except _MAY_PASS:
            raise
        except Exception as error:
            if len(events) > 1:
                middle = len(events) // 2
                self._store_singly(write, events[:middle])
                self._store_singly(write, events[middle:])
                return
            with self._changed:
                self._stats.dropped += 1
            self._note(error, f"event {events[0].id.hex()} was dropped")

    # For both threads

    def _patiently(self, work: Callable[..., bool], *arguments: Any) -> bool:
        """Do something again and again until it returns True; False when closing ends the attempts."""
        attempts = Retrying(
            retry=retry_if_not_result(bool),
            wait=_PAUSES,
            sleep=self._pause,
            stop=lambda _: self._left() == 0,
            retry_error_callback=lambda _: False,
        )
        return attempts(work, *arguments)

    def _pause(self, seconds: float) -> None:
        """Let time pass; flush(), close() and the first batch that is stored again cut it short."""
        with self._changed:
            urges = self._urges
            if self._closing:
                seconds = min(seconds, 0.5, self._left())
            self._pausing += 1
            self._changed.wait_for(lambda: self._urges != urges, seconds)
            self._pausing -= 1

    def _store(
        self,
        write: Callable[[Sequence[Event]], Written],
        events: Sequence[Event],
        batch: _Batch | None = None,
    ) -> None:
        """Write events, again where that collided with another writer; they are all of a batch, if given."""
        began = time.perf_counter()
        written = _collisions(write, events)
        seconds = time.perf_counter() - began
        with self._changed:
            stats = self._stats
            stats.accepted += written.accepted
            stats.duplicate += written.duplicate
            stats.rejected += written.rejected
            stats.batches[written.path] += 1
            stats.flush_count += 1
            ms, flush_ms = seconds * 1000, stats.flush_ms
            flush_ms["last"] = ms
            flush_ms["mean"] += (ms - flush_ms["mean"]) / stats.flush_count
            flush_ms["max"] = max(ms, flush_ms["max"])
            if self._pausing:
                self._urges += 1
                self._changed.notify_all()
            # Before a word is said about it: a signal may have caught the main thread with the log's lock.
            if batch is not None:
                self._settle(batch)
        otel.record_flush(seconds, written.path)
        _log.info("%d events in %.1f ms, %s path", len(events), ms, written.path)
        if written.rejected:
            _log.warning(
                "%d of %d events were rejected; see awf.rejected_events", written.rejected, len(events)
            )

    def _settle(self, batch: _Batch) -> bool:
        """Nothing is left to be done for a batch; False when it was so before."""
        with self._changed:
            was_open = self._open.pop(batch.first, None) is not None
            if was_open:
                self._held -= len(batch.events)
            self._changed.notify_all()
            return was_open

    def _keep(self, batch: _Batch) -> bool:
        """Put a batch into the spool; False when it has to stay in memory. Waits for the disk."""
        if self._spool is None:
            return False
        try:
            status = self._spool.append(batch.events)
        except Exception as error:
            self._spool_fails = True
            self._note(error, f"a batch of {len(batch.events)} events was not spooled, it stays in memory")
            return False
        with self._changed:
            self._spool_fails = False
            self._appends += 1
            self._stats.spool = status
            self._spooled = True
            if self._settle(batch):
                self._stats.spooled += len(batch.events)
        _log.info("%d events into the spool", len(batch.events))
        return True

    def _look(self, status: SpoolStatus, appends: int) -> None:
        """Note what the spool holds, unless a batch has come since."""
        with self._changed:
            if self._appends == appends:
                self._stats.spool = status
                self._spooled = status.events > status.unreadable
                self._changed.notify_all()

    def _failed(self, error: Exception, size: int) -> None:
        with self._changed:
            self._stats.flush_fail += 1
            self._away = self._spool is not None
        self._note(error, f"a batch of {size} events was not stored")

    def _note(self, error: Exception, what: str) -> None:
        reason = said(error)
        with self._changed:
            self._stats.last_error = reason
            self._stats.last_error_at = datetime.now(UTC)
            now = time.monotonic()
            again = isinstance(error, _MAY_PASS) and (
                self._said == reason and now < self._said_at + _REPEAT_S
            )
            if not again:
                self._said, self._said_at = reason, now
        expected = isinstance(error, (*_MAY_PASS, SpoolError, Refused))
        level = logging.DEBUG if again else logging.WARNING if expected else logging.ERROR
        _log.log(level, "%s: %s", what, reason, exc_info=None if expected else error)


def _is_collision(error: BaseException) -> bool:
    """Whether two writers were in each other's way, and this one had to give in."""
    return isinstance(error, psycopg.Error) and error.sqlstate in ("40001", "40P01")


_collisions = Retrying(
    retry=retry_if_exception(_is_collision),
    stop=stop_after_attempt(10),
    wait=wait_random(0, 0.2),
    reraise=True,
)
