"""Where the client's connections come from: a DSN, or a pool that the application already has."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus

from awf_pg.errors import ConfigurationError

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

Connection = psycopg.Connection[Any]

CONNECT_TIMEOUT_S = 5
COMMIT = b"commit"

# A connection that mostly waits does not notice by itself that the other side has gone.
_WATCHED = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


class Source:
    """Lends a connection for a transaction at a time: its own one, kept open, or one of the pool.

    Nothing is prepared and search_path never matters, so pgbouncer in transaction mode may stand in between.
    """

    def __init__(self, dsn: str | None, pool: ConnectionPool[Any] | None, application_name: str) -> None:
        if pool is not None:
            _require_blocking(pool)
        self._pool = pool
        self._application_name = application_name
        self._connection: Connection | None = None
        # A connection has one transaction at a time, so the threads take turns.
        self._turn = threading.Lock()
        self._parameters = _parameters(dsn, application_name) if pool is None else {}
        self.target = describe(self._parameters) if pool is None else f"the database of pool {pool.name!r}"

    def transaction(self) -> AbstractContextManager[Connection]:
        """A connection inside a transaction, which commits at the end of the block."""
        return self._own() if self._pool is None else self._borrowed(self._pool)

    @contextmanager
    def trips(self) -> Iterator[Trips]:
        """A transaction that the block commits itself; at its end everything else is rolled back."""
        lent = self._kept() if self._pool is None else self._briefly_borrowed(self._pool)
        with lent as connection:
            try:
                yield Trips(connection, self._naming(connection))
            finally:
                _end(connection)

    def open(self) -> Connection:
        """Another connection, the caller's to keep and to close; where there is a pool, beside the pool."""
        return _connect(self._opened_by())

    def dsn(self) -> str:
        """How the connections are opened, with the secrets: for another driver."""
        return make_conninfo(**self._opened_by())

    def database(self) -> str:
        """Host, port and database that the connections lead to."""
        return describe(self._opened_by())

    def close(self) -> None:
        """Close the own connection; the next use opens another."""
        with self._turn:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _opened_by(self) -> dict[str, Any]:
        if self._pool is None:
            return self._parameters
        return _parameters(dsn_of(self._pool), self._application_name)

    @contextmanager
    def _own(self) -> Iterator[Connection]:
        with self._kept() as connection, connection.transaction():
            yield connection

    @contextmanager
    def _borrowed(self, pool: ConnectionPool[Any]) -> Iterator[Connection]:
        with pool.connection(timeout=CONNECT_TIMEOUT_S) as connection, connection.transaction():
            for statement in self._naming(connection):
                execute(connection, statement)
            yield connection

    @contextmanager
    def _kept(self) -> Iterator[Connection]:
        """The own connection, in no transaction."""
        with self._turn:
            if self._connection is None or self._connection.closed:
                self._connection = _connect(self._parameters)
            yield self._connection

    @contextmanager
    def _briefly_borrowed(self, pool: ConnectionPool[Any]) -> Iterator[Connection]:
        """A connection of the pool that opens no transaction by itself, until it goes back."""
        with pool.connection(timeout=CONNECT_TIMEOUT_S) as connection:
            by_itself = connection.autocommit
            connection.autocommit = True
            try:
                yield connection
            finally:
                if not connection.closed:
                    connection.autocommit = by_itself

    def _naming(self, connection: Connection) -> list[bytes]:
        """Local to a transaction: the connection belongs to the application."""
        wanted = self._application_name
        if self._pool is None or connection.info.parameter_status("application_name") == wanted:
            return []
        naming = sql.SQL("select pg_catalog.set_config('application_name', {}, true)")
        return [naming.format(wanted).as_bytes(connection)]


class Trips:
    """A transaction in few round trips: what needs no answer goes along with what does, BEGIN and COMMIT too.

    The statements are text without parameters, which is what lets several go at once.
    """

    def __init__(self, connection: Connection, opening: list[bytes]) -> None:
        self.connection = connection
        self._waiting = [b"begin", *opening]

    def later(self, statement: bytes) -> None:
        """Send a statement along with the next one."""
        self._waiting.append(statement)

    def ask(self, *statements: bytes) -> tuple[Any, ...]:
        """Send what waits and these statements; the row that the first of them answers."""
        answer = len(self._waiting)
        cursor = execute(self.connection, b"; ".join([*self._waiting, *statements]))
        self._waiting.clear()
        for _ in range(answer):
            cursor.nextset()
        row = cursor.fetchone()
        assert row is not None
        return row

    def commit(self) -> None:
        """Send what waits, and commit."""
        execute(self.connection, b"; ".join([*self._waiting, COMMIT]))
        self._waiting.clear()


class Nowhere(Source):
    """Stands where no database is needed until somebody asks for one."""

    def __init__(self) -> None:
        self._pool = None
        self._connection = None
        self._turn = threading.Lock()
        self.target = "no database"

    def _opened_by(self) -> dict[str, Any]:
        return _parameters(None, "")

    @contextmanager
    def _kept(self) -> Iterator[Connection]:
        yield _connect(self._opened_by())


def execute(connection: Connection, query: Any, arguments: Any = None) -> psycopg.Cursor[tuple[Any, ...]]:
    """Run a statement, whatever cursors and rows the application's pool is set up for."""
    cursor: psycopg.Cursor[tuple[Any, ...]] = psycopg.Cursor(connection, row_factory=psycopg.rows.tuple_row)
    return cursor.execute(query, arguments, prepare=False)


def _require_blocking(pool: object) -> None:
    """An asynchronous pool would lend nothing to the client's threads, and every event would be lost."""
    lend = getattr(pool, "getconn", None)
    if not callable(lend) or inspect.iscoroutinefunction(lend):
        raise ConfigurationError(
            f"pool is of type {type(pool).__name__}, which lends no connection to a thread",
            hint="give a psycopg_pool.ConnectionPool, or a DSN: a turn never waits for the database, "
            "so a game on asyncio needs no other",
        )


def _end(connection: Connection) -> None:
    """Leave no transaction open; a connection that cannot even roll back is of no use to anybody."""
    if connection.info.transaction_status == TransactionStatus.IDLE:
        return
    try:
        connection.rollback()
    except psycopg.Error:
        connection.close()


def describe(parameters: dict[str, Any]) -> str:
    """Host, port and database of a connection, without its secrets."""
    host = parameters.get("host") or parameters.get("hostaddr") or "the default host"
    port, database = parameters.get("port") or "default", parameters.get("dbname") or "default"
    return f"{host}, port {port}, database {database}"


def dsn_of(pool: ConnectionPool[Any]) -> str:
    """How the connections of a pool are opened."""
    keywords = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    conninfo: Any = pool.conninfo
    given: Any = pool.kwargs
    parameters = (given() if callable(given) else given) or {}
    dsn = make_conninfo(
        conninfo() if callable(conninfo) else conninfo,
        **{name: value for name, value in parameters.items() if name in keywords},
    )
    # Nothing at all means what the environment says, but would read like no database.
    return dsn or f"connect_timeout={CONNECT_TIMEOUT_S}"


def _connect(parameters: dict[str, Any]) -> Connection:
    connection = psycopg.connect(**parameters, autocommit=True, prepare_threshold=None)
    # The driver reads times in this style alone; libpq has no parameter for it, and poolers refuse "options".
    if not (connection.info.parameter_status("DateStyle") or "ISO").startswith("ISO"):
        connection.execute("set datestyle = 'ISO'")
    return connection


def _parameters(dsn: str | None, application_name: str) -> dict[str, Any]:
    if not dsn:
        raise ConfigurationError(
            "no database given",
            hint="set AWF_DATABASE_URL, for example postgresql://user@localhost:5432/game",
        )
    defaults = {
        "application_name": application_name,
        "connect_timeout": CONNECT_TIMEOUT_S,
        # Whatever the role or the environment says: texts of players know no borders.
        "client_encoding": "UTF8",
        **_WATCHED,
    }
    try:
        return defaults | conninfo_to_dict(dsn)
    except psycopg.Error:
        # The text of the error would repeat a part of the DSN, and so perhaps the password.
        raise ConfigurationError(
            "the DSN is malformed", hint="write it as postgresql://user:password@host:port/database"
        ) from None
