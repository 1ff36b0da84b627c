"""What every client of a game does: make turns by the configuration at hand, and collect their events."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import NoneType
from typing import Any, Protocol

from awf_pg.evaluate import EMPTY_CONFIG, Evaluation, Evaluator, Invalid, apply_limits
from awf_pg.event import Event, event_from_mapping, kept_attributes
from awf_pg.recorder import RecorderStats
from awf_pg.settings import Settings, hash_player
from awf_pg.sticky import Keeper, StickyCache, Unit
from awf_pg.turn import Turn

_assign_log = logging.getLogger("awf.assign")
_params_log = logging.getLogger("awf.params")
_turn_log = logging.getLogger("awf.turn")

_NOBODY = bytes(32)

_NO_CONFIG_STATS = {
    "config_loaded": False,
    "config_revision": None,
    "config_age_seconds": None,
    "config_error": None,
    "config_source": None,
    "config_listening": False,
}

# What Turns.turn() takes; the usual types first, where there are several.
_ARGUMENTS: tuple[tuple[str, tuple[type, ...], str], ...] = (
    ("session_id", (str,), "a str"),
    ("player_id", (str,), "a str"),
    ("world_ref", (str,), "a str"),
    ("adventure_ref", (str,), "a str"),
    ("locale", (str,), "a str"),
    ("model", (str, NoneType), "a str"),
    ("defaults", (dict, NoneType, Mapping), "a mapping"),
    ("attributes", (NoneType, dict, Mapping), "a mapping"),
    ("ts", (NoneType, datetime), "a datetime"),
    ("experiments", (NoneType, bool), "a bool"),
    ("sticky", (NoneType, list, tuple, Mapping), "a list of documents"),
)


class Config(Protocol):
    """Where the evaluator comes from."""

    @property
    def evaluator(self) -> Evaluator: ...

    def stats(self) -> dict[str, Any]: ...


class Store(Protocol):
    """Where the events go."""

    def put(self, event: Event) -> bool: ...

    def flush(self, timeout: float | None) -> bool: ...

    def stats(self) -> RecorderStats: ...


class Turns:
    """Makes turns and takes their events; `_config` and `_store` are the subclass's, None where switched off.

    One object serves all the threads of a game.
    """

    _config: Config | None
    _store: Store | None

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._key = settings.require_key() if settings.player_hash_key is not None else None
        self._limits = settings.limits
        self._no_experiments = Evaluator(EMPTY_CONFIG)
        self._counting = threading.Lock()
        self._exposures = 0
        self._invalid = 0
        self._metrics_left_out = 0
        self._warnings = _Warnings()
        self._sticky = StickyCache()
        self._closed = False

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
        experiments: bool | None = None,
        sticky: Any = None,
    ) -> Turn:
        """A turn that begins now, or at `ts` for a replay; the experiments change its `defaults`.

        Conditions see its locale, world, adventure and model, and `attributes` beside or instead of them.
        Those that the setting exposure_attributes names are recorded with the turn's exposures, no others.
        `experiments` says whether the player has opted in: with False the turn is in no experiment, with None
        (nobody asked) in those that do not need it. `sticky` are the documents of an earlier `turn.sticky`, a
        list or the values of a mapping; those of other sessions and players are passed over.

        No database is asked. An argument of a wrong type is a mistake in the program and raises TypeError.
        After close() a turn is played as before, and its event is dropped.
        """
        given = (
            session_id, player_id, world_ref, adventure_ref, locale, model,
            defaults, attributes, ts, experiments, sticky,
        )  # fmt: skip
        for (name, types, expected), value in zip(_ARGUMENTS, given, strict=True):
            if not isinstance(value, types):
                raise _mistyped(name, value, expected)
        at = datetime.now(UTC) if ts is None else ts if ts.tzinfo is not None else ts.replace(tzinfo=UTC)
        if self._key is None:
            player_hash, unit = _NOBODY, None
        elif player_id:
            player_hash = hash_player(self._key, player_id)
            unit = player_hash.hex()
        else:
            player_hash, unit = b"", None  # Nobody: the database refuses the event and says why.
        seen: dict[str, Any] = {
            "locale": locale,
            "world": world_ref,
            "adventure": adventure_ref,
            "model": model,
        }
        seen.update(attributes or {})
        evaluator = self._evaluator(session_id, unit)
        evaluation, kept = self._evaluate(
            evaluator, session_id, unit, defaults, seen, at, experiments, sticky
        )
        event = Event(
            session_id=session_id,
            player_hash=player_hash,
            world_ref=world_ref,
            adventure_ref=adventure_ref,
            locale=locale,
            model=model,
            assignments=tuple([exposure["id"] for exposure in evaluation.exposures]),
            ts=at,
        )
        if evaluation.exposures and evaluator.exposure_attributes:
            event.attributes = kept_attributes(seen, evaluator.exposure_attributes)
        return Turn(event, evaluation, kept, self._end, self._leave_out)

    def record(self, event: Mapping[str, Any] | None = None, /, **fields: Any) -> str:
        """Queue an event and return its id; keys are the columns of `analytics_events`, also in camelCase.

        `player_id` may stand in place of `player_hash`; InvalidEvent says what is wrong with the event. Of
        its attributes those are kept that a turn would keep. After close() the event is dropped.
        """
        if not isinstance(event, Mapping | None):
            raise _mistyped("event", event, "a mapping")
        # Nothing is recorded without analytics, and so nothing hashed: a game may have no key then.
        hash_player = self._nobody if self._store is None else self.settings.hash_player
        made = event_from_mapping({**(event or {}), **fields}, hash_player)
        if made.attributes:
            names = self._evaluator(made.session_id, None).exposure_attributes if made.assignments else ()
            made.attributes = kept_attributes(made.attributes, names)
        if self._store is not None:
            self._store.put(made)
        return made.id_text

    def flush(self, timeout: float | None = 30.0) -> bool:
        """Wait until everything recorded before this call is stored; False when the time is up first."""
        return self._store is None or self._store.flush(timeout)

    def stats(self) -> dict[str, Any]:
        """Counts since the start, and how the connection to the database does."""
        stats: dict[str, Any] = {
            "analytics_enabled": self._store is not None,
            "experiments_enabled": self._config is not None,
            "awf.exp.exposures.count": self._exposures,
            "awf.exp.invalid.count": self._invalid,
            "metrics_left_out": self._metrics_left_out,
        }
        # With both switched off whoever reads them finds the same names.
        stats |= (RecorderStats() if self._store is None else self._store.stats()).as_dict()
        stats |= _NO_CONFIG_STATS if self._config is None else self._config.stats()
        return stats

    def _evaluator(self, session_id: str, unit: str | None) -> Evaluator:
        """The evaluator for a turn of these units."""
        return self._no_experiments if self._config is None else self._config.evaluator

    def _evaluate(
        self,
        evaluator: Evaluator,
        session_id: str,
        unit: str | None,
        defaults: Mapping[str, Any] | None,
        attributes: Mapping[str, Any],
        at: datetime,
        opted_in: bool | None,
        sticky: Any,
    ) -> tuple[Evaluation, list[dict[str, Any]]]:
        """The evaluation, within the limits of the environment, and the sticky documents to keep."""
        if evaluator.sticky_attributes or sticky:
            units: list[Unit] = (
                [("session", session_id)] if unit is None else [("session", session_id), ("player", unit)]
            )
            keeper = Keeper(self._sticky, units, sticky)
            evaluation = evaluator.evaluate(
                session_id, unit, defaults, attributes, at, opted_in=opted_in, sticky=keeper.earlier
            )
            kept = keeper.keep(evaluator, evaluation)
        else:
            evaluation = evaluator.evaluate(session_id, unit, defaults, attributes, at, opted_in=opted_in)
            kept = []
        apply_limits(evaluation, self._limits)
        if evaluation.invalid:
            self._warnings.report(evaluation.invalid)
        if _assign_log.isEnabledFor(logging.DEBUG):
            _assign_log.debug("%s", _outcome(evaluation))
        return evaluation, kept

    def _end(self, turn: Turn, event: Event) -> None:
        if turn.exposures or turn.invalid:
            with self._counting:
                self._exposures += len(turn.exposures)
                self._invalid += len(turn.invalid)
        if self._store is not None:
            self._store.put(event)

    def _leave_out(self, name: str, why: str) -> None:
        with self._counting:
            self._metrics_left_out += 1
        if self._warnings.due((None, name)):
            _turn_log.warning("left out: %s", why)

    @staticmethod
    def _nobody(_player_id: str) -> bytes:
        return _NOBODY

    def _leave_parent(self) -> None:
        """In a forked child: count from zero, and take no lock that a thread of the parent may have held."""
        self._counting = threading.Lock()
        self._exposures = self._invalid = self._metrics_left_out = 0
        self._warnings.leave_parent()
        self._sticky.leave_parent()


class _Warnings:
    """Warns of what was not used as given, once a minute for each experiment and knob, or metric."""

    MEMORY = 1000

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[tuple[str | None, str], float] = {}
        self._lock = threading.Lock()

    def report(self, invalid: list[Invalid]) -> None:
        for one in invalid:
            if self.due((one["experiment"], one["knob"])):
                what = one["experiment"], one["variation"], one["knob"], one["reason"], one["value"]
                _params_log.warning("experiment %s, variation %s, %s: %s, value %r", *what)

    def leave_parent(self) -> None:
        self._lock = threading.Lock()

    def due(self, what: tuple[str | None, str]) -> bool:
        now = self._clock()
        with self._lock:
            if now - self._last.get(what, -60.0) < 60:
                return False
            if len(self._last) >= self.MEMORY:
                self._last.clear()
            self._last[what] = now
            return True


def _outcome(evaluation: Evaluation) -> str:
    """What every experiment decided, without a word about who plays."""
    given = {one["experiment"]: one["variation"] for one in evaluation.exposures + evaluation.forced}
    return (
        ", ".join(
            f"{experiment}={given[experiment]} ({reason})"
            if experiment in given
            else f"{experiment} out ({reason})"
            for experiment, reason in evaluation.reasons.items()
        )
        or "no experiments"
    )


def _mistyped(name: str, value: object, expected: str) -> TypeError:
    # The value is not repeated: it may be a player's id.
    return TypeError(f"{name} must be {expected}, not {type(value).__name__}")
