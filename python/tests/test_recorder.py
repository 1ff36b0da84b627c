"""The recorder with a writer that only pretends: batches, retries, the bound of the queue, the end."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tenacity import wait_fixed

from awf_pg import recorder as module
from awf_pg.copy import Refused, Written
from awf_pg.event import Event
from awf_pg.recorder import Recorder
from awf_pg.spool import Spool


class PretendedWriter:
    """Keeps what it is given; `fail` may raise instead. The direct path refuses an event of session `bad`."""

    def __init__(self, fail: Callable[[], None] = lambda: None) -> None:
        self.batches: list[list[Event]] = []
        self.attempts: list[list[Event]] = []
        self.fail = fail
        self.closed = 0

    def direct(self, events: Sequence[Event]) -> Written:
        self.attempts.append(list(events))
        self.fail()
        if any(one.session_id == "bad" for one in events):
            raise Refused("a bad event")
        self.batches.append(list(events))
        return Written("direct", len(events))

    def careful(self, events: Sequence[Event]) -> Written:
        self.attempts.append(list(events))
        self.fail()
        good = [one for one in events if one.session_id != "bad"]
        self.batches.append(good)
        return Written("careful", len(good), rejected=len(events) - len(good))

    def close(self) -> None:
        self.closed += 1

    @property
    def events(self) -> list[Event]:
        return [event for batch in self.batches for event in batch]


@pytest.fixture
def start() -> Iterator[Callable[..., Recorder]]:
    """Start recorders that end with the test."""
    started: list[Recorder] = []

    def start_recorder(writer: Any, **options: Any) -> Recorder:
        recorder = Recorder(lambda: writer, **{"batch_ms": 60_000, "batch_max": 10} | options)
        started.append(recorder)
        return recorder

    yield start_recorder
    for recorder in started:
        recorder.close(timeout=0)


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSES", wait_fixed(0.002))
    monkeypatch.setattr(module, "_collisions", module._collisions.copy(wait=wait_fixed(0)))


def event(number: int = 0) -> Event:
    return Event(f"s-{number}", bytes(32), "w", "a")


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Failing:
    """Fails until told otherwise."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error

    def __call__(self) -> None:
        if self.error is not None:
            raise self.error


def test_a_full_batch_goes_at_once(start: Callable[..., Recorder]) -> None:
    writer = PretendedWriter()
    recorder = start(writer)
    for number in range(25):
        recorder.put(event(number))
    wait_until(lambda: len(writer.batches) == 2)
    assert [len(batch) for batch in writer.batches] == [10, 10]
    assert recorder.stats().queue_depth == 5
    assert recorder.flush()
    assert [event.session_id for event in writer.events] == [f"s-{number}" for number in range(25)]


def test_a_partial_batch_goes_when_its_time_is_up(start: Callable[..., Recorder]) -> None:
    writer = PretendedWriter()
    recorder = start(writer, batch_ms=20)
    recorder.put(event())
    wait_until(lambda: len(writer.events) == 1)


def test_flush_of_nothing(start: Callable[..., Recorder]) -> None:
    assert start(PretendedWriter()).flush(0)


def test_many_threads_lose_nothing(start: Callable[..., Recorder]) -> None:
    writer = PretendedWriter()
    recorder = start(writer, batch_max=37)

    def play() -> None:
        for number in range(1000):
            recorder.put(event(number))

    threads = [threading.Thread(target=play) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.flush()
    assert len({event.id for event in writer.events}) == 4000
    assert recorder.stats().accepted == 4000


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("gone"),
        psycopg.errors.DeadlockDetected(),
        psycopg.errors.SerializationFailure(),
    ],
)
def test_a_failed_batch_is_sent_again_unchanged(start: Callable[..., Recorder], error: Exception) -> None:
    failing = Failing(error)
    writer = PretendedWriter(failing)
    recorder = start(writer, batch_max=1)
    sent = event()
    before = (sent.id, sent.ts)
    recorder.put(sent)
    wait_until(lambda: recorder.stats().flush_fail >= 2)
    assert recorder.stats().last_error is not None
    assert recorder.stats().queue_depth == 1
    failing.error = None
    assert recorder.flush()
    assert writer.batches == [[sent]]
    assert (sent.id, sent.ts) == before


def test_a_mistake_in_one_event_costs_that_event_only(
    start: Callable[..., Recorder], caplog: pytest.LogCaptureFixture
) -> None:
    class Choosy(PretendedWriter):
        def direct(self, events: Sequence[Event]) -> Written:
            if any(one.session_id == "s-3" for one in events):
                raise ValueError("cannot write this")
            return super().direct(events)

        careful = direct

    writer = Choosy()
    recorder = start(writer)
    for number in range(10):
        recorder.put(event(number))
    assert recorder.flush(5)
    assert [one.session_id for one in writer.events] == [f"s-{number}" for number in range(10) if number != 3]
    stats = recorder.stats()
    assert (stats.accepted, stats.dropped, stats.queue_depth) == (9, 1, 0)
    assert stats.last_error == "cannot write this"
    assert "was dropped: cannot write this" in caplog.text


def test_no_thread_to_be_had_drops_and_counts(
    start: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    recorder = start(PretendedWriter())
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert not recorder.put(event())
    assert recorder.stats().dropped == 1
    monkeypatch.undo()
    assert recorder.put(event())
    assert recorder.flush()


def test_closed_without_an_event(start: Callable[..., Recorder]) -> None:
    writer = PretendedWriter()
    assert start(writer).close()
    assert not writer.closed, "none was made"


def test_flush_says_when_the_time_is_up(start: Callable[..., Recorder]) -> None:
    recorder = start(PretendedWriter(Failing(psycopg.OperationalError("gone"))))
    recorder.put(event())
    assert not recorder.flush(0.05)


def test_flush_does_not_wait_for_the_back_off(
    start: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSES", wait_fixed(60))
    failing = Failing(psycopg.OperationalError("gone"))
    writer = PretendedWriter(failing)
    recorder = start(writer, batch_max=1)
    recorder.put(event())
    wait_until(lambda: len(writer.attempts) == 1)
    failing.error = None
    assert recorder.flush(5)


def test_a_full_queue_drops_and_counts(start: Callable[..., Recorder]) -> None:
    released = threading.Event()

    def wait() -> None:
        released.wait(5)

    recorder = start(PretendedWriter(wait), queue_max=5)
    assert [recorder.put(event()) for _ in range(8)] == [True] * 5 + [False] * 3
    assert recorder.stats().dropped == 3
    released.set()


def test_a_slow_database_does_not_hold_up_a_turn(start: Callable[..., Recorder]) -> None:
    released = threading.Event()

    def wait() -> None:
        released.wait(5)

    recorder = start(PretendedWriter(wait), batch_max=1)
    started = time.perf_counter()
    for _ in range(100):
        recorder.put(event())
    assert time.perf_counter() - started < 0.5
    released.set()
    assert recorder.flush()


def test_close_stores_the_rest_and_may_be_repeated(start: Callable[..., Recorder]) -> None:
    writer = PretendedWriter()
    recorder = start(writer)
    recorder.put(event())
    assert recorder.close()
    assert recorder.close()
    assert len(writer.events) == 1
    assert writer.closed
    assert not recorder.put(event())
    assert recorder.stats().dropped == 1
    assert recorder.flush()


class Stuck(PretendedWriter):
    """The careful path waits until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def careful(self, events: Sequence[Event]) -> Written:
        self.released.wait(10)
        return super().careful(events)


def test_a_refused_batch_does_not_hold_up_the_next(start: Callable[..., Recorder]) -> None:
    writer = Stuck()
    recorder = start(writer, batch_max=2)
    for session in ("bad", "good", "next", "last"):
        recorder.put(Event(session, bytes(32), "w", "a"))
    wait_until(lambda: len(writer.batches) == 1)
    assert [one.session_id for one in writer.events] == ["next", "last"]
    assert recorder.stats().queue_depth == 2
    assert not recorder.flush(0.05), "the refused batch is not settled"
    writer.released.set()
    assert recorder.flush(5)
    stats = recorder.stats()
    assert (stats.accepted, stats.rejected, stats.queue_depth) == (3, 1, 0)
    assert stats.batches == {"direct": 1, "careful": 1}
    assert stats.flush_count == 2
    assert stats.flush_ms["max"] >= stats.flush_ms["mean"] > 0


def test_what_is_refused_while_the_database_is_away(start: Callable[..., Recorder]) -> None:
    """Also when the careful path is the first to notice."""
    failing = Failing(psycopg.OperationalError("gone"))
    failing.error = None

    class Leaving(PretendedWriter):
        def careful(self, events: Sequence[Event]) -> Written:
            if len(self.attempts) == 1:
                failing.error = psycopg.OperationalError("gone")
            return super().careful(events)

    writer = Leaving(failing)
    recorder = start(writer, batch_max=1)
    recorder.put(Event("bad", bytes(32), "w", "a"))
    wait_until(lambda: recorder.stats().flush_fail >= 2)
    failing.error = None
    assert recorder.flush(5)
    assert recorder.stats().rejected == 1


# With a spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "awf.spool")


def test_batches_go_to_the_spool_and_back_in_order(start: Callable[..., Recorder], spool: Spool) -> None:
    failing = Failing(psycopg.OperationalError("gone"))
    writer = PretendedWriter(failing)
    recorder = start(writer, batch_max=2, spool=spool)
    for number in range(10):
        recorder.put(event(number))
    wait_until(lambda: recorder.stats().spooled == 10)
    stats = recorder.stats()
    assert (stats.queue_depth, stats.spool.events, stats.spool.batches) == (0, 10, 5)
    assert stats.spool.bytes > 0
    assert recorder.settle(0)
    assert not recorder.flush(0.05)
    failing.error = None
    assert recorder.flush(5)
    assert [one.session_id for one in writer.events] == [f"s-{number}" for number in range(10)]
    stats = recorder.stats()
    assert (stats.accepted, stats.spooled, stats.spool.events, stats.spool.bytes) == (10, 10, 0, 0)
    recorder.put(event(10))
    assert recorder.flush(5)
    assert recorder.stats().spooled == 10, "the database is tried again"


def test_the_database_is_not_asked_for_every_batch_while_it_is_away(
    start: Callable[..., Recorder], spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSES", wait_fixed(60))
    writer = PretendedWriter(Failing(psycopg.OperationalError("gone")))
    recorder = start(writer, batch_max=1, spool=spool)
    for number in range(50):
        recorder.put(event(number))
    wait_until(lambda: recorder.stats().spooled == 50)
    assert len(writer.attempts) <= 3


def test_a_later_process_replays(start: Callable[..., Recorder], spool: Spool) -> None:
    earlier = start(PretendedWriter(Failing(psycopg.OperationalError("gone"))), spool=spool)
    for number in range(3):
        earlier.put(event(number))
    assert earlier.close(5), "durable is enough"
    assert earlier.stats().spooled == 3
    writer = PretendedWriter()
    later = start(writer, spool=Spool(spool.path))
    later.resume()
    assert later.flush(5)
    assert [one.session_id for one in writer.events] == ["s-0", "s-1", "s-2"]
    assert not spool.path.exists()


def test_a_bad_batch_of_the_spool_does_not_hold_up_the_next(
    start: Callable[..., Recorder], spool: Spool
) -> None:
    spool.append([Event("bad", bytes(32), "w", "a"), event(1)])
    spool.append([event(2)])
    writer = PretendedWriter()
    recorder = start(writer, spool=spool)
    recorder.resume()
    assert recorder.flush(5)
    assert [one.session_id for one in writer.events] == ["s-1", "s-2"]
    assert recorder.stats().rejected == 1


def test_while_another_process_replays(start: Callable[..., Recorder], spool: Spool) -> None:
    """Events take the ordinary way, as soon as the database is back."""
    other = Spool(spool.path)
    other.append([event(0)])
    assert other.try_to_replay()
    failing = Failing(psycopg.OperationalError("gone"))
    writer = PretendedWriter(failing)
    recorder = start(writer, batch_max=1, spool=spool)
    recorder.resume()
    recorder.put(event(1))
    wait_until(lambda: recorder.stats().spooled == 1)
    failing.error = None
    sent = 1

    def arrives() -> bool:
        nonlocal sent
        sent += 1
        recorder.put(event(sent))
        return bool(writer.events)

    wait_until(arrives)
    assert not recorder.flush(0.05), "the spool is not empty"
    other.stop_replaying()
    assert recorder.flush(5)
    assert {one.session_id for one in writer.events} == {f"s-{number}" for number in range(sent + 1)}


def test_a_full_spool(start: Callable[..., Recorder], tmp_path: Path) -> None:
    """Events stay in memory, up to its bound; when there is room again they go on."""
    failing = Failing(psycopg.OperationalError("gone"))
    writer = PretendedWriter(failing)
    spool = Spool(tmp_path / "awf.spool", max_mb=1)
    recorder = start(writer, batch_max=100, queue_max=500, spool=spool)
    played = 0
    while recorder.stats().dropped < 10:
        recorder.put(event(played))
        played += 1
        if recorder.stats().queue_depth > 250:
            time.sleep(0.0005)
    stats = recorder.stats()
    assert stats.queue_depth == 500
    assert stats.spool.events == stats.spooled > 0
    assert "full" in str(stats.last_error) or "gone" in str(stats.last_error)
    failing.error = None
    assert recorder.flush(20)
    assert recorder.stats().accepted == played - recorder.stats().dropped == len(writer.events)


def test_close_rescues_what_hangs(start: Callable[..., Recorder], spool: Spool) -> None:
    """The database takes a batch and does not answer; what is there goes into the spool."""
    released = threading.Event()

    def hang() -> None:
        released.wait(20)

    recorder = start(PretendedWriter(hang), batch_max=2, spool=spool)
    for number in range(5):
        recorder.put(event(number))
    wait_until(lambda: recorder.stats().queue_depth == 5)
    assert recorder.close(0.5)
    assert spool.status().events == 5
    assert [len(spool_batch(spool)) for _ in range(3)] == [2, 2, 1]
    released.set()


def spool_batch(spool: Spool) -> list[Event]:
    """Take the first batch out."""
    assert spool.try_to_replay()
    batch = spool.next()
    assert batch is not None
    spool.remove(batch.seq)
    return batch.events


def test_a_sealed_recorder_takes_no_event(start: Callable[..., Recorder]) -> None:
    failing = Failing(psycopg.OperationalError("gone"))
    recorder = start(PretendedWriter(failing), batch_max=1)
    recorder.put(event())
    assert not recorder.seal(0.02)
    assert recorder.put(event()), "it could not be sealed"
    failing.error = None
    assert recorder.seal(5)
    assert not recorder.put(event())
    recorder.unseal()
    assert recorder.put(event())
    assert recorder.flush(5)


def test_close_gives_up_in_time(start: Callable[..., Recorder], caplog: pytest.LogCaptureFixture) -> None:
    recorder = start(PretendedWriter(Failing(psycopg.OperationalError("gone"))))
    recorder.put(event())
    started = time.monotonic()
    assert not recorder.close(timeout=0.05)
    assert time.monotonic() - started < 2
    assert not recorder.flush(0)
    assert "closed with 1 events not stored" in caplog.text


def test_flushes_are_logged(start: Callable[..., Recorder], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="awf.flush")
    recorder = start(PretendedWriter())
    recorder.put(event())
    recorder.flush()
    recorder.close()
    assert "1 events in" in caplog.text
    assert "direct path" in caplog.text


def test_the_end_of_the_program_stores_the_rest() -> None:
    program = """
        from awf_pg.copy import Written
        from awf_pg.event import Event
        from awf_pg.recorder import Recorder

        class Printer:
            def direct(self, events):
                print("stored", len(events))
                return Written("direct", len(events))

            def close(self):
                print("closed")

        Recorder(Printer, batch_ms=60_000, batch_max=10).put(Event("s", bytes(32), "w", "a"))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout.split("\n")[:2] == ["stored 1", "closed"]
