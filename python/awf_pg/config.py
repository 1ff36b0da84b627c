"""The configuration document, kept in memory and renewed by a background thread."""

from __future__ import annotations

import logging
import random
import selectors
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from awf_pg.config_file import ConfigFile
from awf_pg.connect import Connection, Source, execute
from awf_pg.errors import said
from awf_pg.evaluate import EMPTY_CONFIG, Evaluator

_log = logging.getLogger("awf.config")

REFRESH_S = 60.0
ANSWER_S = 6.0  # a little more than an attempt to connect may take

_RETRY_FIRST_S = 1.0
# Changes come in bursts, and every client hears of them at once: a moment's wait makes one fetch of a burst.
_BURST_S = (0.05, 0.25)


class ConfigCache:
    """Holds an evaluator of the newest document; before the first one arrives, of an empty one.

    The thread has a connection of its own. It listens on the channel awf_config and fetches the document when
    it is told of a change, and every minute in any case: a pooler in transaction mode swallows notifications.
    A lost connection is opened anew, at first after a second, later after a minute. Whatever goes wrong,
    turns go on with the document at hand.

    The constructor waits for the first document, for ANSWER_S at most. If the database is away it begins with
    the copy in `file`, the work of an earlier run; without one, with no experiments. A forked child begins
    with what its parent had.
    """

    def __init__(
        self,
        source: Source,
        *,
        file: Path | None = None,
        parent: ConfigCache | None = None,
        refresh_s: float = REFRESH_S,
    ) -> None:
        self.evaluator: Evaluator = Evaluator(EMPTY_CONFIG) if parent is None else parent.evaluator
        self._from: str | None = None if parent is None else parent._from
        self._fetched_at: float | None = None if parent is None else parent._fetched_at
        self._file = None if file is None else ConfigFile(file, source.database())
        self._open = source.open
        self._refresh_s = refresh_s
        self._error: str | None = None
        self._failures = 0
        self._connection: Connection | None = None
        self._listening = False
        self._told = False
        # Whoever asks for a document counts up and waits until the thread has answered as many.
        self._changed = threading.Condition()
        self._asked, self._answered = 1, 0
        self._stopping = False
        self._bell, self._rope = _pair()
        if self._file is not None and parent is None:
            self._start_from(self._file)
        self._thread = threading.Thread(target=self._run, name="awf-config", daemon=True)
        self._thread.start()
        if parent is None:
            self._await_answer(1)

    def refresh(self) -> bool:
        """Fetch the document now; False when that failed, or took longer than ANSWER_S."""
        with self._changed:
            self._asked += 1
            asked = self._asked
        self._ring()
        return self._await_answer(asked) and self._error is None

    def stats(self) -> dict[str, Any]:
        fetched_at = self._fetched_at
        age = None if fetched_at is None else round(max(0.0, time.time() - fetched_at), 1)
        return {
            "config_loaded": age is not None,
            "config_revision": None if age is None else self.evaluator.revision,
            "config_age_seconds": age,
            "config_error": self._error,
            "config_source": self._from,
            "config_listening": self._listening,
        }

    def close(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._ring()
        self._thread.join(1)

    def _await_answer(self, asked: int) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._answered >= asked or self._stopping, ANSWER_S)
            return self._answered >= asked

    def _ring(self) -> None:
        """Wake the thread."""
        with suppress(OSError):  # It has rings enough that it has not heard yet, or it has ended.
            self._rope.send(b"!")

    # What follows is the thread's.

    def _run(self) -> None:
        try:
            while not self._stopping:
                asked = self._asked
                try:
                    self._load()
                    self._answer(asked)
                    self._wait(self._refresh_s)
                except Exception as error:
                    self._failed(error)
                    self._answer(asked)
                    self._wait(self._pause())
        finally:
            self._disconnect()
            self._bell.close()
            self._rope.close()

    def _load(self) -> None:
        if self._connection is None:
            self._connection = self._open()
            # Listening comes first, so that no change falls between the two.
            self._listen(self._connection)
        self._told = False  # What was told before this fetch is in its answer.
        row = execute(self._connection, "select awf.active_config()").fetchone()
        assert row is not None
        self._take(row[0])

    def _take(self, document: Any) -> None:
        """Put a document in force; one that cannot be read changes nothing."""
        evaluator = Evaluator(document)
        new = self._from != "database" or evaluator.revision != self.evaluator.revision
        self.evaluator, self._from, self._fetched_at = evaluator, "database", time.time()
        self._failures, self._error = 0, None
        if new:
            count = len(document["experiments"])
            _log.info("configuration revision %d, %d running experiments", evaluator.revision, count)
        # Each time: a copy that was lost, or could not be written, is there again, and says how old it is.
        if self._file is not None:
            self._file.save(document)

    def _start_from(self, file: ConfigFile) -> None:
        try:
            kept = file.load()
            if kept is not None:
                self.evaluator, self._from, self._fetched_at = Evaluator(kept.document), "file", kept.saved_at
        except Exception as error:
            _log.warning("the configuration in %s is not used: %s", file.path, error)

    def _failed(self, error: Exception) -> None:
        self._disconnect()
        self._failures += 1
        again, self._error = self._error, said(error)
        # Once; config_error in stats() keeps saying it.
        level = logging.DEBUG if again == self._error else logging.WARNING
        _log.log(level, "the configuration was not renewed: %s", self._error)

    def _answer(self, asked: int) -> None:
        with self._changed:
            self._answered = asked
            self._changed.notify_all()

    def _pause(self) -> float:
        longest = min(self._refresh_s, _RETRY_FIRST_S * 2.0 ** min(self._failures - 1, 20))
        return longest * random.uniform(0.5, 1)

    def _wait(self, seconds: float) -> None:
        """Wait for the time to pass, for a notification, for a ring; raise if the connection is lost."""
        until = time.monotonic() + seconds
        hurried = False
        with selectors.DefaultSelector() as selector:
            selector.register(self._bell, selectors.EVENT_READ)
            if self._connection is not None:
                selector.register(self._connection, selectors.EVENT_READ)
            while not self._stopping and self._asked == self._answered:
                self._take_in()
                if self._told and not hurried:
                    hurried, until = True, min(until, time.monotonic() + random.uniform(*_BURST_S))
                left = until - time.monotonic()
                if left <= 0:
                    break
                if any(key.fileobj is self._bell for key, _ in selector.select(left)):
                    self._bell.recv(4096)

    def _listen(self, connection: Connection) -> None:
        connection.add_notify_handler(self._hear)
        try:
            execute(connection, "listen awf_config")
            self._listening = True
        except psycopg.errors.ReadOnlySqlTransaction:
            self._listening = False  # A standby has no notifications, and is asked every minute.

    def _take_in(self) -> None:
        """Read what the server has sent."""
        if self._connection is not None:
            self._connection.pgconn.consume_input()
            while self._connection.pgconn.notifies() is not None:
                self._told = True

    def _hear(self, _: object) -> None:
        """Notifications that come together with the answer to a query are handed over here."""
        self._told = True

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        self._listening = self._told = False
        if connection is not None:
            connection.close()


def _pair() -> tuple[socket.socket, socket.socket]:
    bell, rope = socket.socketpair()
    bell.setblocking(False)
    rope.setblocking(False)
    return bell, rope
