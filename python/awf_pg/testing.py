"""A client in memory, for the test suite of a game: no database, no threads, nothing to clean up.

    from awf_pg.testing import MemoryAwf

    def test_a_large_budget_is_used():
        awf = MemoryAwf(
            [{"key": "budget", "variations": {"control": {}, "large": {"maxOutputTokens": 2000}}}]
        )
        awf.force("budget", "large")
        game = Game(awf)
        game.play_turn()
        assert awf.events[-1]["metrics"]["outputTokens"] <= 2000

A game that takes its `Awf` as an argument needs no other change. Turns are made by the same code as in
production: what a test sees is what the game would get.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any, Self

from awf_pg.errors import ExperimentNotFound, InvalidAllocations, InvalidArgument, VariationNotFound
from awf_pg.evaluate import Evaluator, bucket_ranges, to_version_2
from awf_pg.event import Event
from awf_pg.recorder import RecorderStats
from awf_pg.settings import Settings
from awf_pg.turns import Turns

SETTINGS = Settings(player_hash_key="the key of tests that need no secret")


class MemoryAwf(Turns):
    """`Awf` without a database: turn(), record(), flush(), stats(), refresh_config() and close() as there.

    `experiments` are definitions like those of templates, or `config` is a whole document of
    `awf.active_config()`. A definition needs a key and variations:

        {"key": "budget", "variations": {"control": {}, "large": {"maxOutputTokens": 2000}}}

    and may have allocations (equal shares without them), hashBasis, hashSeed, hashVersion, coverage,
    condition, guardrails, optIn, sticky, overrides, layer and slots. `knobs` are {name: {"type", "min",
    "max"}}; without them every parameter is a knob without bounds, of the type that its values have.
    """

    def __init__(
        self,
        experiments: Iterable[Mapping[str, Any]] = (),
        *,
        config: Mapping[str, Any] | None = None,
        knobs: Mapping[str, Any] | None = None,
        settings: Settings = SETTINGS,
    ) -> None:
        super().__init__(settings)
        if settings.analytics_enabled:
            settings.require_key()
        self._memory = _Memory()
        self._fixed = _Fixed(_document(list(experiments), knobs) if config is None else to_version_2(config))
        self._store = self._memory if settings.analytics_enabled else None
        self._config = self._fixed if settings.experiments_enabled else None
        self._forced: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def events(self) -> list[dict[str, Any]]:
        """What was recorded, oldest first, as `awf.record_turn()` takes it; variations by their keys.

        The database's rules for values are not applied.
        """
        return [self._fixed.readable(event.to_json()) for event in self._memory.events]

    def force(self, experiment: str, variation: str | None) -> None:
        """Give every turn from now on a variation, as an override does; None lets the hash decide again.

        The turn gets the params, and the variation stands in `turn.forced`; it is not counted for it.
        """
        if experiment not in self._fixed.variations:
            raise ExperimentNotFound(f"experiment {experiment} does not exist")
        if variation is None:
            self._forced.pop(experiment, None)
        elif variation in self._fixed.variations[experiment]:
            self._forced[experiment] = variation
        else:
            raise VariationNotFound(f"experiment {experiment} has no variation {variation}")

    def refresh_config(self) -> bool:
        return True

    def close(self, timeout: float = 10.0) -> bool:
        self._closed = self._memory.closed = True
        return True

    def _leave_out(self, name: str, why: str) -> None:
        """What a game is spared is an error in its tests."""
        raise TypeError(why)

    def _evaluator(self, session_id: str, unit: str | None) -> Evaluator:
        if self._config is None or not self._forced:
            return super()._evaluator(session_id, unit)
        return self._fixed.forcing(self._forced, [session_id, unit])


class _Memory:
    """Keeps events in a list."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = False
        self._dropped = 0

    def put(self, event: Event) -> bool:
        if self.closed:
            self._dropped += 1
        else:
            self.events.append(event)
        return not self.closed

    def flush(self, timeout: float | None) -> bool:
        return True

    def stats(self) -> RecorderStats:
        return RecorderStats(accepted=len(self.events), dropped=self._dropped)


class _Fixed:
    """A configuration that does not change."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.evaluator = Evaluator(document)
        self._document = document
        self.variations = {one["key"]: set(one["params"]) for one in document["experiments"]}
        self._keys = {
            variation["id"]: {"experiment": experiment["key"], "variation": variation["key"]}
            for experiment in document["experiments"]
            for phase in experiment["phases"]
            for variation in phase["variations"]
        }

    def stats(self) -> dict[str, Any]:
        return {
            "config_loaded": True,
            "config_revision": self.evaluator.revision,
            "config_age_seconds": 0.0,
            "config_error": None,
            "config_source": "memory",
            "config_listening": False,
        }

    def forcing(self, forced: Mapping[str, str], units: Iterable[str | None]) -> Evaluator:
        """An evaluator that has overrides for these units."""
        experiments = []
        for one in self._document["experiments"]:
            if one["key"] in forced:
                one = {**one, "overrides": dict.fromkeys(filter(None, units), forced[one["key"]])}
            experiments.append(one)
        return Evaluator({**self._document, "experiments": experiments})

    def readable(self, event: dict[str, Any]) -> dict[str, Any]:
        event["assignments"] = [self._keys.get(one.get("id"), one) for one in event["assignments"]]
        return event


_DEFAULTS: dict[str, Any] = {
    "hashBasis": "session",
    "hashVersion": 2,
    "coverage": 1,
    "condition": {},
    "guardrails": {},
    "optIn": False,
    "sticky": False,
    "overrides": {},
}
_OWN = {"key", "variations", "allocations", "hashSeed", "layer", "slots"}


def _document(definitions: list[Mapping[str, Any]], knobs: Mapping[str, Any] | None) -> dict[str, Any]:
    ids = count(1)
    return {
        "version": 2,
        "revision": 1,
        "knobs": _knobs(definitions) if knobs is None else knobs,
        "experiments": [_experiment(definition, ids) for definition in definitions],
    }


def _experiment(definition: Mapping[str, Any], ids: Iterator[int]) -> dict[str, Any]:
    """A definition as an experiment of the configuration document, running since ever."""
    for name in ("key", "variations"):
        if name not in definition:
            raise InvalidArgument(f"an experiment without {name}")
    key, variations = definition["key"], definition["variations"]
    if unknown := set(definition) - set(_DEFAULTS) - _OWN:
        raise InvalidArgument(
            f"experiment {key} has unknown fields: {', '.join(sorted(unknown))}",
            hint=f"known fields: {', '.join(sorted({*_DEFAULTS, *_OWN}))}",
        )
    made = {**_DEFAULTS, **definition}
    shares = {one["variation"]: one["percent"] / 100 for one in definition.get("allocations") or ()}
    for variation in shares:
        if variation not in variations:
            raise VariationNotFound(f"experiment {key} has no variation {variation}")
    if shares and not 0.99 <= sum(shares.values()) <= 1.01:
        raise InvalidAllocations(f"the allocations of experiment {key} do not sum to 100")
    allocated = list(shares or variations)
    phase = {
        "phase": 1,
        "startAt": "-infinity",
        "coverage": made["coverage"],
        "hashSeed": definition.get("hashSeed", key),
        "condition": made["condition"],
        "bucketVersion": 0,
        "minBucketVersion": 0,
        "ranges": bucket_ranges(len(allocated), made["coverage"], list(shares.values()) or None),
        "variations": [{"key": variation, "id": next(ids)} for variation in allocated],
    }
    low, high = definition.get("slots", (0, 1000))
    return {
        "key": key,
        "layer": [definition["layer"], low / 1000, high / 1000] if "layer" in definition else None,
        "guardrails": {
            knob: bound if isinstance(bound, Mapping) else {"max": bound}
            for knob, bound in made["guardrails"].items()
        },
        "params": variations,
        "phases": [phase],
        **{name: made[name] for name in ("hashBasis", "hashVersion", "optIn", "sticky", "overrides")},
    }


def _knobs(definitions: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Every parameter as a knob of the type that its values have."""
    knobs: dict[str, Any] = {}
    for definition in definitions:
        for params in definition.get("variations", {}).values():
            for name, value in params.items():
                kind = (
                    "boolean"
                    if isinstance(value, bool)
                    else "integer"
                    if isinstance(value, int)
                    else "number"
                )
                known = knobs.setdefault(name, {"type": kind, "min": None, "max": None})
                if known["type"] == "integer" and kind == "number":
                    known["type"] = "number"
    return knobs
