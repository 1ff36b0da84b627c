"""Where the client's connections come from: a DSN, or a pool that the application already has."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import psycopg.conninfo

from awf_pg.errors import ConfigurationError

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

Connection = psycopg.Connection[Any]

CONNECT_TIMEOUT_S = 5


class Source:
    """Lends a connection for a transaction at a time: its own one, kept open, or one of the pool.

    Nothing is prepared and search_path never matters, so pgbouncer in transaction mode may stand in between.
    """

    def __init__(self, dsn: str | None, pool: ConnectionPool[Any] | None, application_name: str) -> None:
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

    def close(self) -> None:
        """Close the own connection; the next use opens another."""
        with self._turn:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    @contextmanager
    def _own(self) -> Iterator[Connection]:
        with self._turn:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(
                    **self._parameters, autocommit=True, prepare_threshold=None
                )
            with self._connection.transaction():
                yield self._connection

    @contextmanager
    def _borrowed(self, pool: ConnectionPool[Any]) -> Iterator[Connection]:
        with pool.connection(timeout=CONNECT_TIMEOUT_S) as connection, connection.transaction():
            # Local to this transaction: the connection belongs to the application.
            if connection.info.parameter_status("application_name") != self._application_name:
                execute(
                    connection,
                    "select pg_catalog.set_config('application_name', %s, true)",
                    [self._application_name],
                )
            yield connection


def execute(connection: Connection, query: Any, arguments: Any = None) -> psycopg.Cursor[tuple[Any, ...]]:
    """Run a statement, whatever cursors and rows the application's pool is set up for."""
    cursor: psycopg.Cursor[tuple[Any, ...]] = psycopg.Cursor(connection, row_factory=psycopg.rows.tuple_row)
    return cursor.execute(query, arguments, prepare=False)


def describe(parameters: dict[str, Any]) -> str:
    """Host, port and database of a connection, without its secrets."""
    host = parameters.get("host") or parameters.get("hostaddr") or "the default host"
    port, database = parameters.get("port") or "default", parameters.get("dbname") or "default"
    return f"{host}, port {port}, database {database}"


def _parameters(dsn: str | None, application_name: str) -> dict[str, Any]:
    if not dsn:
        raise ConfigurationError(
            "no database given",
            hint="set AWF_DATABASE_URL, for example postgresql://user@localhost:5432/game",
        )
    defaults = {"application_name": application_name, "connect_timeout": CONNECT_TIMEOUT_S}
    try:
        return defaults | psycopg.conninfo.conninfo_to_dict(dsn)
    except psycopg.Error:
        # The text of the error would repeat a part of the DSN, and so perhaps the password.
        raise ConfigurationError(
            "the DSN is malformed", hint="write it as postgresql://user:password@host:port/database"
        ) from None
