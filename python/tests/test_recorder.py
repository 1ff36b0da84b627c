"""The recorder with a writer that only pretends: batches, retries, the bound of the queue, the end."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import pytest

from awf_pg import recorder as module
from awf_pg.copy import Written
from awf_pg.event import Event
from awf_pg.recorder import Recorder


class PretendedWriter:
    """Keeps what it is given; `fail` may raise instead."""

    def __init__(self, fail: Callable[[], None] = lambda: None) -> None:
        self.batches: list[list[Event]] = []
        self.attempts: list[list[Event]] = []
        self.fail = fail
        self.closed = False

    def write(self, events: Sequence[Event]) -> Written:
        self.attempts.append(list(events))
        self.fail()
        self.batches.append(list(events))
        return Written("direct", len(events))

    def close(self) -> None:
        self.closed = True

    @property
    def events(self) -> list[Event]:
        return [event for batch in self.batches for event in batch]


@pytest.fixture
def start() -> Iterator[Callable[..., Recorder]]:
    """Start recorders that end with the test."""
    started: list[Recorder] = []

    def start_recorder(writer: Any, **options: Any) -> Recorder:
        recorder = Recorder(writer, **{"batch_ms": 60_000, "batch_max": 10} | options)
        started.append(recorder)
        return recorder

    yield start_recorder
    for recorder in started:
        recorder.close(timeout=0)


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BACKOFF_FIRST_S", 0.001)
    monkeypatch.setattr(module, "_BACKOFF_MAX_S", 0.01)


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
    wait_until(lambda: len(writer.attempts) >= 3)
    assert recorder.stats().flush_failures >= 2
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
        def write(self, events: Sequence[Event]) -> Written:
            if any(one.session_id == "s-3" for one in events):
                raise ValueError("cannot write this")
            return super().write(events)

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
    assert writer.closed


def test_flush_says_when_the_time_is_up(start: Callable[..., Recorder]) -> None:
    recorder = start(PretendedWriter(Failing(psycopg.OperationalError("gone"))))
    recorder.put(event())
    assert not recorder.flush(0.05)


def test_flush_does_not_wait_for_the_back_off(
    start: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BACKOFF_FIRST_S", 60.0)
    monkeypatch.setattr(module, "_BACKOFF_MAX_S", 60.0)
    failing = Failing(psycopg.OperationalError("gone"))
    writer = PretendedWriter(failing)
    recorder = start(writer, batch_max=1)
    recorder.put(event())
    wait_until(lambda: len(writer.attempts) == 1)
    failing.error = None
    assert recorder.flush(5)


def test_a_full_queue_drops_and_counts(start: Callable[..., Recorder]) -> None:
    recorder = start(PretendedWriter(), queue_max=5)
    assert [recorder.put(event()) for _ in range(8)] == [True] * 5 + [False] * 3
    assert recorder.stats().dropped == 3


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
            def write(self, events):
                print("stored", len(events))
                return Written("direct", len(events))

            def close(self):
                print("closed")

        Recorder(Printer(), batch_ms=60_000, batch_max=10).put(Event("s", bytes(32), "w", "a"))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout.split("\n")[:2] == ["stored 1", "closed"]
