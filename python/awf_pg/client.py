"""The client of a game: turns and their analytics."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

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
            self._config = ConfigCache(Source(dsn, pool, application_name))
        if settings.analytics_enabled:
            self._recorder = Recorder(
                Writer(Source(dsn, pool, application_name)),
                batch_ms=settings.analytics_batch_ms,
                batch_max=settings.analytics_batch_max,
            )

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
        No database is asked. An argument that is no text is a mistake in the program and raises TypeError.
        """
        for name, value in (
            ("session_id", session_id),
            ("player_id", player_id),
            ("world_ref", world_ref),
            ("adventure_ref", adventure_ref),
            ("locale", locale),
        ):
            if not isinstance(value, str):
                raise TypeError(f"{name} must be a str, not {value!r}")
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
        made = event_from_mapping({**(event or {}), **fields}, self.settings.hash_player)
        if self._recorder is not None:
            self._recorder.put(made)
        return made.id_text

    def flush(self, timeout: float | None = 30.0) -> bool:
        """Wait until everything recorded before this call is stored; False when the time is up first."""
        return self._recorder is None or self._recorder.flush(timeout)

    def close(self, timeout: float = 10.0) -> bool:
        """Flush, stop the threads, close the connections; False when events could not be stored in time."""
        stored = self._recorder is None or self._recorder.close(timeout)
        if self._config is not None:
            self._config.close()
        super().close()
        return stored

    def refresh_config(self) -> bool:
        """Fetch the configuration now instead of within the next minute; False when that failed."""
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
