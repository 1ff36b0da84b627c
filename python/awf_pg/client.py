"""The client of a game: turns and their analytics."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import make_conninfo

from awf_pg.admin import Api, Notice
from awf_pg.config import ConfigCache
from awf_pg.connect import Source
from awf_pg.copy import Writer
from awf_pg.evaluate import EMPTY_CONFIG, Evaluator, Invalid, apply_limits
from awf_pg.event import Event, event_from_mapping
from awf_pg.recorder import Recorder
from awf_pg.settings import Settings, hash_player
from awf_pg.turn import Turn

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

_log = logging.getLogger("awf.experiments")

_NOBODY = bytes(32)


class Awf(Api):
    """Turns for a game, by the experiments in the database, recorded in the background.

    Three connections at most: one that writes batches, one that fetches the configuration for a moment every
    minute, and one for the SQL functions, opened when the first of them is called. One object serves all the
    threads of a game.

    A forked child may go on with its parent's object: it gets a queue, threads and connections of its own,
    none from the parent's pool. A child that ends by os._exit(), as multiprocessing's do, must call close().
    """

    def __init__(
        self,
        dsn: str | None = None,
        *,
        pool: ConnectionPool[Any] | None = None,
        settings: Settings | None = None,
        application_name: str = "awf-pg",
        on_notice: Notice | None = None,
    ) -> None:
        self.settings = settings = Settings.from_env() if settings is None else settings
        dsn = dsn or settings.database_url
        self._origin = dsn, pool, application_name
        super().__init__(dsn, pool=pool, application_name=application_name, on_notice=on_notice)
        if settings.analytics_enabled:
            settings.require_key()
        self._key = settings.require_key() if settings.player_hash_key is not None else None
        self._limits = settings.limits
        self._no_experiments = Evaluator(EMPTY_CONFIG)
        self._counting = threading.Lock()
        self._exposures = 0
        self._invalid = 0
        self._reported: set[tuple[Any, ...]] = set()
        self._config: ConfigCache | None = None
        self._recorder: Recorder | None = None
        if settings.experiments_enabled:
            self._config = ConfigCache(Source(*self._origin))
        if settings.analytics_enabled:
            self._recorder = self._new_recorder()
        self._closed = False
        self._config_is_parents = False
        self._parents: list[Any] = []
        _clients.add(self)

    def turn(
        self,
        *,
        session_id: str,
        player_id: str,
        world_ref: str,
        adventure_ref: str,
        locale: str = "en-US",
        model: str | None = None,
        defaults: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
        ts: datetime | None = None,
    ) -> Turn:
        """A turn that begins now, or at `ts` for a replay; the experiments change its `defaults`.

        Conditions see its locale, world, adventure and model, and `attributes` beside or instead of them.
        No database is asked. An argument of a wrong type is a mistake in the program and raises TypeError.
        """
        self._require_open()
        for name, value in (
            ("session_id", session_id),
            ("player_id", player_id),
            ("world_ref", world_ref),
            ("adventure_ref", adventure_ref),
            ("locale", locale),
        ):
            _require(name, value, str, "a str")
        _require("model", model, str | None, "a str")
        _require("defaults", defaults, Mapping | None, "a mapping")
        _require("attributes", attributes, Mapping | None, "a mapping")
        _require("ts", ts, datetime | None, "a datetime")
        if self._config_is_parents:
            self._renew_config()
        at = datetime.now(UTC) if ts is None else ts if ts.tzinfo is not None else ts.replace(tzinfo=UTC)
        player_hash = _NOBODY if self._key is None else hash_player(self._key, player_id)
        evaluator = self._no_experiments if self._config is None else self._config.evaluator
        unit = None if self._key is None else player_hash.hex()
        seen = {"locale": locale, "world": world_ref, "adventure": adventure_ref, "model": model}
        evaluation = evaluator.evaluate(session_id, unit, defaults, {**seen, **(attributes or {})}, at)
        apply_limits(evaluation, self._limits)
        event = Event(
            session_id=session_id,
            player_hash=player_hash,
            world_ref=world_ref,
            adventure_ref=adventure_ref,
            locale=locale,
            model=model,
            assignments=tuple(exposure["id"] for exposure in evaluation.exposures),
            ts=at,
        )
        if evaluation.invalid:
            self._report(evaluation.invalid)
        return Turn(event, evaluation, self._end)

    def record(self, event: Mapping[str, Any] | None = None, /, **fields: Any) -> str:
        """Queue an event and return its id; keys are the columns of `analytics_events`, also in camelCase.

        `player_id` may stand in place of `player_hash`; InvalidEvent says what is wrong with the event.
        """
        self._require_open()
        _require("event", event, Mapping | None, "a mapping")
        made = event_from_mapping({**(event or {}), **fields}, self.settings.hash_player)
        if self._recorder is not None:
            self._recorder.put(made)
        return made.id_text

    def flush(self, timeout: float | None = 30.0) -> bool:
        """Wait until everything recorded before this call is stored; False when the time is up first."""
        return self._recorder is None or self._recorder.flush(timeout)

    def close(self, timeout: float = 10.0) -> bool:
        """Flush, stop the threads, close the connections; False when events could not be stored in time.

        A turn that is still being played ends as usual, but is not recorded.
        """
        self._closed = True
        stored = self._recorder is None or self._recorder.close(timeout)
        if self._config is not None and not self._config_is_parents:
            self._config.close()
        super().close()
        return stored

    def refresh_config(self) -> bool:
        """Fetch the configuration now instead of within the next minute; False when that failed."""
        self._renew_config()
        return self._config is None or self._config.refresh()

    def stats(self) -> dict[str, Any]:
        """Counts since the start, and how the connection to the database does."""
        stats: dict[str, Any] = {
            "analytics_enabled": self._recorder is not None,
            "experiments_enabled": self._config is not None,
            "exposures": self._exposures,
            "invalid": self._invalid,
        }
        if self._recorder is not None:
            stats |= asdict(self._recorder.stats())
        if self._config is not None:
            stats |= self._config.stats()
        return stats

    def _new_recorder(self) -> Recorder:
        return Recorder(
            Writer(Source(*self._origin)),
            batch_ms=self.settings.analytics_batch_ms,
            batch_max=self.settings.analytics_batch_max,
        )

    def _require_open(self) -> None:
        if self._closed:
            raise RuntimeError("this Awf is closed")

    def _leave_parent(self) -> None:
        """Replace what a forked child must not share: locks, the queue, connections. Nothing starts yet."""
        # Kept, because an object that is no longer used may close its connection, which is the parent's.
        self._parents.append((self._source, self._recorder, self._config))
        _, pool, name = self._origin
        if pool is not None:
            self._origin = _dsn_of(pool), None, name
        self._source = Source(*self._origin)
        self._counting = threading.Lock()
        self._exposures = self._invalid = 0
        if self._recorder is not None:
            self._recorder.forget()
            self._recorder = None if self._closed else self._new_recorder()
        self._config_is_parents = self._config is not None

    def _renew_config(self) -> None:
        """Give a forked child a configuration of its own; it begins with the parent's document."""
        with self._counting:
            if self._config_is_parents and self._config is not None:
                self._config = _InheritedConfig(Source(*self._origin), self._config.evaluator)
                self._config_is_parents = False

    def _end(self, turn: Turn, event: Event) -> None:
        if turn.exposures or turn.invalid:
            with self._counting:
                self._exposures += len(turn.exposures)
                self._invalid += len(turn.invalid)
        if self._recorder is not None:
            self._recorder.put(event)

    def _report(self, invalid: list[Invalid]) -> None:
        """Warn of a value that was not used as given, once, not with every turn."""
        for one in invalid:
            what = (one["experiment"], one["variation"], one["knob"], one["reason"], repr(one["value"]))
            if what not in self._reported and len(self._reported) < 1000:
                self._reported.add(what)
                _log.warning("experiment %s, variation %s, %s: %s, value %s", *what)


class _InheritedConfig(ConfigCache):
    """The configuration of a forked child: its own document is fetched in the background, soon."""

    def __init__(self, source: Source, evaluator: Evaluator) -> None:
        self._inherited: Evaluator | None = evaluator
        super().__init__(source)

    def refresh(self) -> bool:
        inherited, self._inherited = self._inherited, None
        if inherited is None:
            return super().refresh()
        # Not loaded yet counts as a failure, so the thread tries in a second instead of in a minute.
        self.evaluator, self._failures = inherited, 1
        return False


def _require(name: str, value: object, kind: Any, expected: str) -> None:
    # The value is not repeated: it may be a player's id.
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {expected}, not {type(value).__name__}")


def _dsn_of(pool: ConnectionPool[Any]) -> str:
    """How the connections of a pool are opened."""
    keywords = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    conninfo: Any = pool.conninfo
    given: Any = pool.kwargs
    parameters = (given() if callable(given) else given) or {}
    return make_conninfo(
        conninfo() if callable(conninfo) else conninfo,
        **{name: value for name, value in parameters.items() if name in keywords},
    )


_clients: weakref.WeakSet[Awf] = weakref.WeakSet()


def _leave_parents() -> None:
    for client in list(_clients):
        client._leave_parent()


os.register_at_fork(after_in_child=_leave_parents)
