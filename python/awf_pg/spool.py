"""Batches on disk, for the time that the database is away: an SQLite file in WAL mode.

A batch is one row, and is durable when `append()` returns. Several processes may share a file. Each call
opens it and closes it again, behind a lock on the file `.lock` beside it; so an empty or a damaged file can
be put away at any time, and none is carried through a fork. One process at a time replays, the one that holds
the lock on `.replay`. The system releases both locks when a process dies.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from awf_pg.errors import ConfigurationError
from awf_pg.event import Event, event_from_json
from awf_pg.plain import as_json

_log = logging.getLogger("awf.flush")

VERSION = 1
_APPLICATION_ID = 0x61776673  # "awfs"
_BUSY_S = 5.0  # how long to wait for another process or thread
_MEGABYTE = 2**20

_SCHEMA = f"""
begin immediate;
create table batches (
    seq integer primary key,  -- microseconds since 1970, or one more than the batch before
    count integer not null,
    unreadable text,  -- why the batch is passed over
    events text not null  -- a JSON array of documents, as Event.to_json() makes them
);
pragma application_id = {_APPLICATION_ID};
pragma user_version = {VERSION};
commit;
"""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_UNUSABLE = {
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG,
}  # fmt: skip


class SpoolError(Exception):
    """The spool did not do what it was asked to; it may do so later."""


class SpoolFull(SpoolError):
    """The limit of the spool is reached, or its disk is full."""


class SpoolUnusable(SpoolError):
    """The file cannot be a spool of ours, and will not become one by itself."""


class _Damaged(sqlite3.DatabaseError):
    """What SQLite reads without a complaint, and we cannot have written."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


@dataclass(frozen=True, slots=True)
class SpooledBatch:
    """A batch in the spool."""

    seq: int
    events: list[Event]


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """What the spool holds."""

    batches: int = 0
    events: int = 0
    bytes: int = 0
    unreadable: int = 0  # events of these that cannot be read
    oldest: datetime | None = None


class Spool:
    """The spool in a file, which is there only while it holds something.

    Threads may share it. A call waits for the disk.
    """

    def __init__(self, path: str | Path, max_mb: int = 1024) -> None:
        self.path = Path(path).resolve()  # its locks lie beside the file itself, whatever links lead to it
        self.max_mb = max_mb
        self._calling = threading.Lock()
        self._replaying: int | None = None  # the lock file's descriptor
        # Stored, but a full disk keeps them from being removed; of the file that we replay.
        self._done: set[int] = set()
        _spools.add(self)

    def was_used(self) -> bool:
        """Whether there is a spool of this name, or there was one."""
        return self.path.exists() or self._beside(".lock").exists()

    def check(self) -> SpoolStatus:
        """What the spool holds; ConfigurationError when it can never work."""
        try:
            return self.status()
        except SpoolUnusable as error:
            raise ConfigurationError(
                f"AWF_SPOOL_FILE is {str(self.path)!r}",
                detail=str(error),
                hint="name a file in a folder that this user can write to, on a local disk",
            ) from None
        except SpoolError as error:
            # Full or busy: that passes, and is no reason not to start a game.
            _log.warning("the spool %s cannot be used at the moment: %s", self.path, error)
            return SpoolStatus()

    def append(self, events: Sequence[Event]) -> SpoolStatus:
        """Keep a batch, durably, and say what there is now; SpoolFull says that there is no room."""
        body = f"[{','.join(map(_text, events))}]"
        with self._locked(), self._opened() as database:
            # Numbers are not used again by the next file: a batch is removed by its number.
            query = """
                insert into batches (seq, count, events)
                select max(ifnull(max(seq) + 1, 0), ?), ?, ? from batches
            """
            database.execute(query, [time.time_ns() // 1000, len(events), body])
            return self._status(database)

    def next(self) -> SpooledBatch | None:
        """The first batch. One that cannot be read is passed over, and stays."""
        query = "select seq, events from batches where unreadable is null order by seq"
        with self._locked():
            if not self.path.exists():
                return None
            with self._opened() as database:
                for seq, body in database.execute(query):
                    if seq in self._done:
                        continue
                    try:
                        return SpooledBatch(seq, [event_from_json(one) for one in json.loads(body)])
                    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                        _log.error("batch %d of the spool %s cannot be read: %s", seq, self.path, error)
                        mark = "update batches set unreadable = ? where seq = ?"
                        database.execute(mark, [f"{type(error).__name__}: {error}", seq])
        return None

    def remove(self, seq: int) -> SpoolStatus:
        """Remove a batch that is stored, and say what is left.

        On a full disk it may stay for a while, and is passed over.
        """
        self._done.add(seq)
        with suppress(SpoolFull), self._locked():
            if self.path.exists():
                with self._opened() as database:
                    held = {seq for (seq,) in database.execute("select seq from batches")}
                    if held - self._done:
                        gone = [[seq] for seq in self._done & held]
                        database.executemany("delete from batches where seq = ?", gone)
                if not held - self._done:
                    # A full disk takes no change of the file, but lets it go.
                    for name in self._files():
                        name.unlink(missing_ok=True)
                self._done.clear()
        return self.status()

    def status(self) -> SpoolStatus:
        with self._locked():
            if not self.path.exists():
                return SpoolStatus()
            with self._opened() as database:
                return self._status(database)

    def try_to_replay(self) -> bool:
        """Become the process that replays; False while another one is."""
        if self._replaying is None:
            with _translated():
                self._replaying = _flock(self._beside(".replay"), wait_s=0)
        return self._replaying is not None

    def stop_replaying(self) -> None:
        """Let another process replay."""
        descriptor, self._replaying = self._replaying, None
        self._done.clear()
        if descriptor is not None:
            _release(descriptor)

    # The file

    def _status(self, database: sqlite3.Connection) -> SpoolStatus:
        query = "select seq, count, unreadable is not null from batches"
        held = [one for one in database.execute(query) if one[0] not in self._done]
        if not all(isinstance(count, int) for _, count, _ in held):
            raise _Damaged("a row has lost its values")
        return SpoolStatus(
            batches=len(held),
            events=sum(count for _, count, _ in held),
            bytes=_pragma(database, "page_count") * _pragma(database, "page_size") if held else 0,
            unreadable=sum(count for _, count, unreadable in held if unreadable),
            oldest=datetime.fromtimestamp(min(held)[0] / 1e6, UTC) if held else None,
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One thread of one process at a time."""
        if self.path.exists() and not self.path.is_file():
            raise SpoolUnusable("it is not a file")  # To open a pipe would wait for its other end.
        if not self._calling.acquire(timeout=2 * _BUSY_S):
            raise SpoolError("the disk does not answer")
        try:
            with _translated():
                descriptor = _flock(self._beside(".lock"), wait_s=_BUSY_S)
                if descriptor is None:
                    raise SpoolError("another process keeps the spool locked")
                try:
                    yield
                finally:
                    _release(descriptor)
        finally:
            self._calling.release()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """The file in a transaction, made if need be. A damaged one is put away, and a new one begun."""
        try:
            database = self._connect()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            self._put_away(error)
            database = self._connect()
        with closing(database):
            database.execute("begin immediate")
            try:
                yield database
                database.execute("commit")
            except sqlite3.DatabaseError as error:
                # The next call begins a new file.
                if _is_damage(error):
                    self._put_away(error)
                raise
            finally:
                if database.in_transaction:
                    database.execute("rollback")

    def _connect(self) -> sqlite3.Connection:
        # SQLite gives the files beside it the same rights.
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with open(descriptor, "rb") as file:
            if file.read(16).strip(b"\0") not in (b"", b"SQLite format 3"):
                raise SpoolUnusable("there is another file of this name")
        database = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None)
        try:
            self._set_up(database)
        except BaseException:
            database.close()
            raise
        return database

    def _set_up(self, database: sqlite3.Connection) -> None:
        [[tables]] = database.execute("select count(*) from sqlite_schema").fetchall()
        if tables and _pragma(database, "application_id") != _APPLICATION_ID:
            raise SpoolUnusable("the file is a database of another program")
        if (version := _pragma(database, "user_version")) > VERSION:
            raise SpoolUnusable(f"the file is of a newer version ({version})")
        [[mode]] = database.execute("pragma journal_mode = wal").fetchall()
        if mode != "wal":
            raise SpoolUnusable(f"the file system does not allow for SQLite's WAL mode (it gives {mode!r})")
        database.execute("pragma synchronous = full")
        pages = self.max_mb * _MEGABYTE // _pragma(database, "page_size")
        database.execute(f"pragma max_page_count = {pages}")
        if not tables:
            database.executescript(_SCHEMA)

    def _put_away(self, error: sqlite3.DatabaseError) -> None:
        kept = f"{self.path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        for name in self._files():
            with suppress(FileNotFoundError):
                name.rename(name.with_name(name.name.replace(self.path.name, kept, 1)))
        _log.error("the spool %s is damaged (%s); it is kept as %s", self.path, error, kept)

    def _files(self) -> list[Path]:
        return [self.path, self._beside("-wal"), self._beside("-shm")]

    def _beside(self, ending: str) -> Path:
        return self.path.with_name(self.path.name + ending)

    def _leave_parent(self) -> None:
        """In a forked child, to which the locks do not belong."""
        self._calling = threading.Lock()
        self._done = set()
        descriptor, self._replaying = self._replaying, None
        if descriptor is not None:
            os.close(descriptor)  # To release it here would release it for the parent too.


def _text(event: Event) -> str:
    """The event's document. A value that JSON has no form for is there as text: the database says why not."""
    document = event.to_json()
    try:
        return json.dumps(document, separators=(",", ":"))
    except (RecursionError, TypeError, ValueError):
        return json.dumps(as_json(document), separators=(",", ":"))


def _pragma(database: sqlite3.Connection, name: str) -> int:
    [[value]] = database.execute(f"pragma {name}").fetchall()
    return int(value)


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _code(error: sqlite3.Error) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


@contextmanager
def _translated() -> Iterator[None]:
    """The errors of SQLite and of the system as ours."""
    try:
        yield
    except sqlite3.Error as error:
        kind = {
            sqlite3.SQLITE_FULL: SpoolFull,
            sqlite3.SQLITE_CANTOPEN: SpoolUnusable,
            sqlite3.SQLITE_READONLY: SpoolUnusable,
            sqlite3.SQLITE_PERM: SpoolUnusable,
        }.get(_code(error) or 0, SpoolError)
        raise kind(str(error)) from error
    except OSError as error:
        kind = (
            SpoolFull if error.errno in _FULL else SpoolUnusable if error.errno in _UNUSABLE else SpoolError
        )
        name = f": {error.filename}" if error.filename else ""
        raise kind(f"{error.strerror or error}{name}") from error


def _flock(path: Path, wait_s: float) -> int | None:
    """A descriptor of a file with the lock on it; None when somebody else keeps it.

    flock belongs to the open file, so two clients of one process exclude each other too.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + wait_s
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return descriptor
            except BlockingIOError:
                if time.monotonic() >= until:
                    os.close(descriptor)
                    return None
                time.sleep(0.005)
    except BaseException:
        os.close(descriptor)
        raise


def _release(descriptor: int) -> None:
    # Said, because a child that was forked meanwhile holds the same lock.
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


# SQLite must not be carried through a fork in the middle of a call.

_spools: weakref.WeakSet[Spool] = weakref.WeakSet()
_paused: list[Spool] = []


def _before_fork() -> None:
    _paused.extend(one for one in list(_spools) if one._calling.acquire(timeout=2 * _BUSY_S))


def _after_fork_in_parent() -> None:
    while _paused:
        _paused.pop()._calling.release()


def _after_fork_in_child() -> None:
    _paused.clear()
    for one in list(_spools):
        one._leave_parent()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
)
