"""The client of a game: turns and their analytics."""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from awf_pg import otel
from awf_pg.admin import Api, Notice
from awf_pg.config import ConfigCache
from awf_pg.connect import Nowhere, Source, dsn_of
from awf_pg.copy import Writer
from awf_pg.evaluate import Evaluator
from awf_pg.recorder import Recorder
from awf_pg.settings import Settings
from awf_pg.spool import Spool
from awf_pg.turns import Turns

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool


class Awf(Turns, Api):
    """Turns for a game, by the experiments in the database, recorded in the background.

    Four connections at most: one that writes batches, one for those batches that need another attempt, one
    that listens for changes of the configuration, and one for the SQL functions. Each is opened when it is
    needed. Where a pool is given, writing and the functions borrow from it. One object serves all the threads
    of a game.

    The constructor waits for the configuration, six seconds at most; without a database the game begins with
    the copy in AWF_CONFIG_FILE, or with its defaults.

    A forked child may go on with its parent's object: it gets a queue, threads and connections of its own,
    none from the parent's pool. A child that itself calls os._exit() must call close() before.
    """

    _config: ConfigCache | None
    _store: Recorder | None

    def __init__(
        self,
        dsn: str | None = None,
        *,
        pool: ConnectionPool[Any] | None = None,
        settings: Settings | None = None,
        application_name: str = "awf-pg",
        on_notice: Notice | None = None,
    ) -> None:
        settings = Settings.from_env() if settings is None else settings
        dsn = dsn or settings.database_url
        self._origin = dsn, pool, application_name
        if dsn or pool is not None or settings.analytics_enabled or settings.experiments_enabled:
            Api.__init__(self, dsn, pool=pool, application_name=application_name, on_notice=on_notice)
        else:
            self._source, self._on_notice = Nowhere(), on_notice
        Turns.__init__(self, settings)
        if settings.analytics_enabled:
            settings.require_key()
        self._config_is_parents = False
        self._parents: list[Any] = []
        self._config = self._new_config() if settings.experiments_enabled else None
        self._store = self._new_recorder() if settings.analytics_enabled else None
        if self._store is not None:
            self._store.resume()
        _clients.add(self)
        otel.watch(self)

    def close(self, timeout: float | None = None) -> bool:
        """Flush, stop the threads, close the connections; False when events could not be stored in time.

        In seconds, AWF_SHUTDOWN_MS by default. With AWF_SPOOL_FILE, what the database does not take is stored
        there. Turns go on as before, but their events are dropped and counted.
        """
        self._closed = True
        stored = self._store is None or self._store.close(timeout)
        if self._config is not None and not self._config_is_parents:
            self._config.close()
        super().close()
        otel.leave(self)
        return stored

    def refresh_config(self) -> bool:
        """Fetch the configuration now instead of within the next minute; False when that failed."""
        self._renew_config()
        return self._config is None or self._config.refresh()

    def _evaluator(self, session_id: str, unit: str | None) -> Evaluator:
        if self._config_is_parents and not self._closed:
            self._renew_config()
        return super()._evaluator(session_id, unit)

    def _new_config(self, parent: ConfigCache | None = None) -> ConfigCache:
        file = self.settings.config_file
        return ConfigCache(Source(*self._origin), file=None if file is None else Path(file), parent=parent)

    def _new_recorder(self) -> Recorder:
        settings = self.settings
        return Recorder(
            lambda: Writer(Source(*self._origin)),
            batch_ms=settings.analytics_batch_ms,
            batch_max=settings.analytics_batch_max,
            queue_max=settings.queue_max,
            spool=Spool(settings.spool_file, settings.spool_max_mb) if settings.spool_file else None,
            shutdown_s=settings.shutdown_ms / 1000,
        )

    def _leave_parent(self) -> None:
        """Replace what a forked child must not share: locks, the queue, connections. Nothing starts yet."""
        super()._leave_parent()
        # Kept, because an object that is no longer used may close its connection, which is the parent's.
        self._parents.append((self._source, self._store, self._config))
        _, pool, name = self._origin
        if pool is not None:
            self._origin = dsn_of(pool), None, name
        if not isinstance(self._source, Nowhere):
            self._source = Source(*self._origin)
        if self._store is not None:
            self._store = None if self._closed else self._new_recorder()
        self._config_is_parents = self._config is not None

    def _renew_config(self) -> None:
        """Give a forked child a configuration of its own; it begins with the parent's document."""
        with self._counting:
            if self._config_is_parents and self._config is not None:
                self._config = self._new_config(self._config)
                self._config_is_parents = False


_clients: weakref.WeakSet[Awf] = weakref.WeakSet()


def _leave_parents() -> None:
    for client in list(_clients):
        client._leave_parent()


os.register_at_fork(after_in_child=_leave_parents)
