"""Assignment and turn parameters, evaluated from the configuration document without a database.

Hash, weights, ranges, layers (its filters) and sticky assignments are GrowthBook's. `Evaluator` gives the
answer of `awf.turn_params()` for every input. What does not depend on the turn is worked out once: values and
conditions when the document arrives, and the phases in force when a turn first asks about a time.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, reduce
from operator import add
from typing import Any, NamedTuple

from awf_pg.conditions import Condition

Params = dict[str, Any]
Exposure = dict[str, Any]
Invalid = dict[str, Any]
Assignments = Mapping[str, str]

EMPTY_CONFIG: Mapping[str, Any] = {"version": 2, "revision": 0, "knobs": {}, "experiments": []}

_FNV_OFFSET = 0x811C9DC5
_FNV_PRIME = 0x01000193
_WORD = 0xFFFFFFFF
_UNITS = 4096  # whose hashes are kept

_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Evaluation:
    """The parameters of a turn and where they come from.

    `exposures` are the variations that the turn counts for, `forced` those of an override, which it does not
    count for. `invalid` are the values that were not used as given. `sticky` is what its units keep, as
    {"<experiment>__<bucketVersion>": variation}. `reasons` says for each experiment what decided.
    """

    params: Params
    exposures: list[Exposure]
    invalid: list[Invalid]
    forced: list[Exposure]
    sticky: dict[str, str]
    reasons: dict[str, str]


def hash_unit(seed: str, value: str, version: int) -> float | None:
    """Where a unit falls in [0, 1), or None for an unknown version of the hash."""
    if version == 2:
        return _second_round(_fnv1a(value, _fnv1a(seed)))
    if version == 1:
        return _thousandths(seed, _fnv1a(value))
    return None


def equal_weights(n: int) -> list[float]:
    """The weights of n variations of the same share."""
    return [1 / n] * n if n > 0 else []


def bucket_ranges(
    variations: int, coverage: float = 1, weights: Sequence[float] | None = None
) -> list[tuple[float, float]]:
    """The range [lo, hi) of each variation; equal ones where the weights have a wrong number or sum."""
    coverage = min(max(coverage, 0), 1)
    # Added from the left, as SQL and JavaScript do: sum() of Python 3.12 takes another way.
    total = reduce(add, weights or (), 0.0)
    if weights is None or len(weights) != variations or not 0.99 <= total <= 1.01:
        weights = equal_weights(variations)
    ranges, start = [], 0.0
    for weight in weights:
        # To a hash of four decimals such a product is zero, and SQL refuses it.
        width = 0.0 if coverage < 1e-100 or abs(weight) < 1e-100 else coverage * weight
        ranges.append((start, start + width))
        start += weight
    return ranges


def choose_variation(n: float, ranges: Sequence[Sequence[float]]) -> int:
    """The index of the first range that holds n, or -1."""
    for index, (lo, hi) in enumerate(ranges):
        if lo <= n < hi:
            return index
    return -1


def in_namespace(value: str, namespace: Sequence[Any]) -> bool:
    """Whether a unit falls into the part [low, high) of a namespace of GrowthBook, [id, low, high]."""
    name, low, high = namespace
    return bool(low <= _thousandths(f"__{name}", _fnv1a(value)) < high)


def sticky_assignments(documents: Any, units: Iterable[Sequence[str]]) -> dict[str, str]:
    """The assignments of the sticky bucket documents of some units; those of a later unit win.

    Documents are {"attributeName", "attributeValue", "assignments"}, in a list or as the values of a mapping;
    units are (attributeName, attributeValue). A document of another unit or form is passed over.
    """
    held = documents.values() if isinstance(documents, Mapping) else documents or ()
    readable = [
        one for one in held if isinstance(one, Mapping) and isinstance(one.get("assignments"), Mapping)
    ]
    return {
        name: variation
        for attribute, value in units
        for document in readable
        if document.get("attributeName") == attribute and document.get("attributeValue") == value
        for name, variation in document["assignments"].items()
        if isinstance(variation, str)
    }


def sticky_name(experiment: str, bucket_version: int) -> str:
    """What an assignment is kept under."""
    return f"{experiment}__{bucket_version}"


def sticky_variation(
    experiment: str,
    bucket_version: int,
    min_bucket_version: int,
    variations: Container[str],
    assignments: Assignments,
) -> tuple[bool, str | None]:
    """Whether an older assignment keeps the unit out, and else the variation that it keeps, if any."""
    for version in range(min_bucket_version):
        if sticky_name(experiment, version) in assignments:
            return True, None
    kept = assignments.get(sticky_name(experiment, bucket_version))
    return False, kept if kept in variations else None


def to_version_2(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """A configuration document in the form of today; version 1 is that of a 0.1.0 database."""
    if config["version"] == 2:
        return config
    if config["version"] != 1:
        raise ValueError(f"the configuration has version {config['version']!r}, this client knows 1 and 2")
    experiments = [_from_version_1(document) for document in config["experiments"]]
    return {**config, "version": 2, "experiments": experiments}


class Evaluator:
    """Evaluates turns by one configuration document, the result of `awf.active_config()`."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        config = to_version_2(config)
        self.revision: int = config["revision"]
        # The attributes that exposures keep, to form segments by.
        self.exposure_attributes: tuple[str, ...] = tuple(config.get("exposureAttributes", ()))
        self._experiments = [_Experiment(document, config["knobs"]) for document in config["experiments"]]
        phases = [phase for experiment in self._experiments for phase in experiment.phases]
        # Whose the sticky assignments are, by their names: "session" or "player".
        self.sticky_attributes = {
            sticky_name(phase.experiment, phase.bucket_version): "player" if phase.by_player else "session"
            for phase in phases
            if phase.sticky
        }
        self._moments = sorted({phase.start for phase in phases} | {_FIRST})
        self._plans: dict[datetime, _Plan] = {}
        self._plan = self._plan_at(datetime.now(UTC))

    def evaluate(
        self,
        session_id: str | None,
        player_hash: str | None,
        defaults: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
        at: datetime | None = None,
        *,
        opted_in: bool | None = None,
        sticky: Assignments | None = None,
    ) -> Evaluation:
        """The evaluation of one turn; the conditions ask about its attributes, `at` without a zone is UTC.

        A turn that has not opted in (False) takes part in no experiment, and one that was not asked (None) in
        none that needs it. `sticky` are the assignments that its session and player had before.
        """
        at = _in_utc(at) if at is not None else datetime.now(UTC)
        plan = self._plan
        if not plan.start <= at < plan.end:
            plan = self._plan = self._plan_at(at)
        result = Evaluation(dict(defaults or {}), [], [], [], {}, plan.reasons.copy())
        if opted_in is False:
            result.reasons.update((phase.experiment, "opt_in") for phase, _ in plan.phases)
            return result
        session_states = plan.session_lanes.states(session_id) if session_id else None
        player_states = plan.player_lanes.states(player_hash) if player_hash else None
        taken: set[str] = set()
        for phase, lanes in plan.phases:
            if phase.by_player:
                unit, states = player_hash, player_states
            else:
                unit, states = session_id, session_states
            reason, variation = phase.decide(unit, states, lanes, attributes, opted_in, sticky)
            result.reasons[phase.experiment] = reason
            if variation is not None:
                _give(phase, reason, variation, result, taken)
        return result

    def _plan_at(self, at: datetime) -> _Plan:
        """The plan for the time between two changes that a moment falls into."""
        index = bisect_right(self._moments, at)
        start, end = self._moments[index - 1], (*self._moments, _LAST)[index]
        if start not in self._plans:
            self._plans[start] = _Plan(start, end, self._experiments)
        return self._plans[start]


def apply_limits(evaluation: Evaluation, limits: Mapping[str, int]) -> None:
    """Clamp parameters to the budgets of this process's environment, whatever the database allows."""
    for knob, limit in limits.items():
        value = evaluation.params.get(knob)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > limit:
            evaluation.params[knob] = limit
            evaluation.invalid.append(_invalid({}, knob, value, "environment", limit))


class _Step(NamedTuple):
    """One parameter of a variation: the value to use, or the reason why there is none."""

    knob: str
    given: Any
    value: Any
    reason: str | None


class _Variation(NamedTuple):
    key: str
    id: int | None
    steps: tuple[_Step, ...]


class _Phase:
    """An experiment from one row of its timeline to the next, made ready.

    What is malformed raises here: a document is refused as a whole, and no turn stumbles over it.
    """

    def __init__(
        self, document: Mapping[str, Any], phase: Mapping[str, Any], steps: Mapping[str, tuple[_Step, ...]]
    ) -> None:
        self.start = _instant(phase["startAt"])
        self.experiment: str = document["key"]
        self.by_player = document["hashBasis"] == "player"
        self.hash_version: int = document["hashVersion"]
        self.hash_seed: str = phase["hashSeed"]
        self.seed_state = _fnv1a(self.hash_seed)
        self.opt_in: bool = document["optIn"]
        self.layer = None if document["layer"] is None else _layer(document["layer"])
        variations = [
            _Variation(one["key"], one["id"], steps.get(one["key"], ())) for one in phase["variations"]
        ]
        self.variations = {variation.key: variation for variation in variations}
        self.ranges = [
            (float(low), float(high), one)
            for (low, high), one in zip(phase["ranges"], variations, strict=False)
        ]
        self.overrides = {
            unit: self.variations[key]
            for unit, key in document["overrides"].items()
            if key in self.variations
        }
        self.sticky: bool = document["sticky"]
        self.bucket_version = int(phase["bucketVersion"])
        self.min_bucket_version = int(phase["minBucketVersion"])
        # {} lets everybody in, and is the usual one.
        self.condition = Condition(phase["condition"]) if phase["condition"] != {} else None

    def decide(
        self,
        unit: str | None,
        states: Sequence[int] | None,
        lanes: tuple[int, int],
        attributes: Mapping[str, Any] | None,
        opted_in: bool | None,
        sticky: Assignments | None,
    ) -> tuple[str, _Variation | None]:
        """What decides, and the variation if the unit is in; the twin of `awf._decide()`.

        `states` are the unit's hashes by lane: 0 has the unit alone, the two `lanes` begin with the seed and
        with that of the layer.
        """
        if self.opt_in and not opted_in:
            return "opt_in", None
        if not unit or states is None:
            return "unit", None
        if unit in self.overrides:
            return "override", self.overrides[unit]
        if self.layer is not None and not self.layer.low <= _second_round(states[lanes[1]]) < self.layer.high:
            return "layer", None
        if self.sticky and sticky:
            blocked, kept = sticky_variation(
                self.experiment, self.bucket_version, self.min_bucket_version, self.variations, sticky
            )
            if blocked:
                return "blocked", None
            if kept is not None:
                return "sticky", self.variations[kept]
        if self.condition is not None and not self.condition.matches(attributes):
            return "condition", None
        if self.hash_version == 2:
            n = _second_round(states[lanes[0]])
        elif self.hash_version == 1:
            n = _thousandths(self.hash_seed, states[0])
        else:
            return "coverage", None
        for low, high, variation in self.ranges:
            if low <= n < high:
                return "assigned", variation
        return "coverage", None


class _Experiment:
    """An experiment of the document: its phases in the order of time."""

    def __init__(self, document: Mapping[str, Any], knobs: Mapping[str, Any]) -> None:
        self.key: str = document["key"]
        guardrails = document["guardrails"]
        steps = {key: _steps(params, knobs, guardrails) for key, params in document["params"].items()}
        phases = [_Phase(document, phase, steps) for phase in document["phases"]]
        self.phases = sorted(phases, key=lambda phase: phase.start)

    def phase_at(self, at: datetime) -> _Phase | None:
        """The phase in force, if it assigns anybody."""
        index = bisect_right(self.phases, at, key=lambda phase: phase.start)
        phase = self.phases[index - 1] if index > 0 else None
        return phase if phase is not None and phase.variations else None


class _Plan:
    """The phases in force between two moments, in the order of the document, and the hashes they need."""

    def __init__(self, start: datetime, end: datetime, experiments: Iterable[_Experiment]) -> None:
        self.start, self.end = start, end
        self.phases: list[tuple[_Phase, tuple[int, int]]] = []
        self.reasons: dict[str, str] = {}
        session_seeds, player_seeds = [_FNV_OFFSET], [_FNV_OFFSET]
        for experiment in experiments:
            phase = experiment.phase_at(start)
            if phase is None:
                self.reasons[experiment.key] = "phase"
                continue
            seeds = player_seeds if phase.by_player else session_seeds
            lanes = len(seeds), len(seeds) + 1
            seeds.append(phase.seed_state)
            if phase.layer is not None:
                seeds.append(phase.layer.seed_state)
            self.phases.append((phase, lanes))
        self.session_lanes, self.player_lanes = _Lanes(session_seeds), _Lanes(player_seeds)


class _Lanes:
    """Carries several hashes on with the same text, all at once: they lie side by side in one large number.

    A step makes at most 57 bits of a state, so in 64 bits each none reaches its neighbour; and Python takes
    for a few of them hardly longer than for one. A unit plays many turns, so its hashes are kept for a while.
    """

    def __init__(self, states: Sequence[int]) -> None:
        self._first = sum(state << 64 * lane for lane, state in enumerate(states))
        self._ones = sum(1 << 64 * lane for lane in range(len(states)))
        self._words = self._ones * _WORD
        self._ascii = [self._ones * unit for unit in range(128)]
        self._size = 8 * len(states)
        self._unpack = struct.Struct(f"<{len(states)}Q").unpack
        # The first is that of the unit alone, which nobody asks for where there is no experiment.
        self.states: Callable[[str], tuple[int, ...]] = (
            lru_cache(_UNITS)(self._states) if len(states) > 1 else lambda _: ()
        )

    def _states(self, text: str) -> tuple[int, ...]:
        state, words, prime = self._first, self._words, _FNV_PRIME
        if text.isascii():
            wide = self._ascii
            for unit in text.encode():
                state = (state ^ wide[unit]) * prime & words
        else:
            for unit in _code_units(text):
                state = (state ^ self._ones * unit) * prime & words
        return self._unpack(state.to_bytes(self._size, "little"))


def _give(phase: _Phase, reason: str, variation: _Variation, result: Evaluation, taken: set[str]) -> None:
    """Lay the parameters of a variation over those of the turn, and note where they come from."""
    exposure = {"experiment": phase.experiment, "variation": variation.key, "id": variation.id}
    if reason == "override":
        result.forced.append(exposure)
    else:
        result.exposures.append(exposure)
        if phase.sticky:
            result.sticky[sticky_name(phase.experiment, phase.bucket_version)] = variation.key
    for knob, given, value, fault in variation.steps:
        if fault is None or fault == "out_of_range":
            if knob in taken:
                fault = "overlap"
            else:
                taken.add(knob)
                result.params[knob] = value
        if fault is not None:
            result.invalid.append(_invalid(exposure, knob, given, fault, result.params.get(knob)))


def _from_version_1(document: Mapping[str, Any]) -> dict[str, Any]:
    """An experiment of a 0.1.0 database in the form of version 2: one phase, and its end."""
    start, stop = document["startAt"] or "-infinity", document["stopAt"] or "infinity"
    phase = {
        "phase": 1,
        "startAt": start,
        "hashSeed": document["hashSeed"],
        "condition": document.get("condition", {}),
        "bucketVersion": 0,
        "minBucketVersion": 0,
        "ranges": document["ranges"],
        "variations": document["variations"],
    }
    end = phase | {"startAt": stop, "ranges": [], "variations": []}
    return {
        "key": document["key"],
        "hashBasis": document["hashBasis"],
        "hashVersion": document["hashVersion"],
        "optIn": False,
        "sticky": False,
        "layer": None,
        "guardrails": document["guardrails"],
        "params": {variation["key"]: variation["params"] for variation in document["variations"]},
        "overrides": {},
        "phases": [phase, end] if _instant(start) < _instant(stop) else [],
    }


def _code_units(text: str) -> Sequence[int]:
    """The UTF-16 code units of a text, by which JavaScript hashes it."""
    if text.isascii():
        return text.encode()
    raw = text.encode("utf-16-le", "surrogatepass")
    return struct.unpack(f"<{len(raw) // 2}H", raw)


def _fnv1a(text: str, state: int = _FNV_OFFSET) -> int:
    """FNV-1a of 32 bits over UTF-16 code units, carried on from a state."""
    for unit in _code_units(text):
        state = (state ^ unit) * _FNV_PRIME & _WORD
    return state


@lru_cache(4 * _UNITS)
def _second_round(state: int) -> float:
    """Version 2 of the hash, after seed and unit: its digits are hashed once more."""
    if state < 1_000_000:
        return _fnv1a(str(state)) % 10000 / 10000
    result, prime, word = _LEADING[state // 1_000_000], _FNV_PRIME, _WORD
    for digit in str(state)[-6:].encode():
        result = (result ^ digit) * prime & word
    return result % 10000 / 10000


def _hash_leading_digits() -> list[int]:
    """The hash of every number that may stand before the last six digits of a state."""
    hashes = [_FNV_OFFSET]
    for number in range(1, _WORD // 1_000_000 + 1):
        hashes.append(_fnv1a(str(number % 10), hashes[number // 10]))
    return hashes


_LEADING = _hash_leading_digits()


def _thousandths(seed: str, state: int) -> float:
    """Version 1 of the hash, after the unit."""
    return _fnv1a(seed, state) % 1000 / 1000


class _Layer(NamedTuple):
    seed_state: int
    low: float
    high: float


def _layer(layer: Sequence[Any]) -> _Layer:
    key, low, high = layer
    return _Layer(_fnv1a(f"__{key}"), float(low), float(high))


def _steps(params: Params, knobs: Mapping[str, Any], guardrails: Mapping[str, Any]) -> tuple[_Step, ...]:
    ordered = sorted(params.items(), key=lambda item: item[0].encode("utf-8", "surrogatepass"))
    return tuple(_step(knob, value, knobs.get(knob), guardrails.get(knob, {})) for knob, value in ordered)


def _step(name: str, given: Any, knob: Mapping[str, Any] | None, guardrail: Mapping[str, Any]) -> _Step:
    if knob is None:
        return _Step(name, given, None, "unknown_knob")
    if not _has_type(given, knob["type"]):
        return _Step(name, given, None, "wrong_type")
    if knob["type"] == "boolean":
        return _Step(name, given, given, None)
    value = int(given) if knob["type"] == "integer" else given
    # The maximum comes last: where the two cross, the budget wins.
    for low in (knob.get("min"), guardrail.get("min")):
        value = value if low is None else max(value, low)
    for high in (knob.get("max"), guardrail.get("max")):
        value = value if high is None else min(value, high)
    return _Step(name, given, value, None if value == given else "out_of_range")


def _has_type(value: Any, kind: str) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    return _is_number(value) and (kind == "number" or isinstance(value, int) or value.is_integer())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _invalid(exposure: Mapping[str, Any], knob: str, value: Any, reason: str, used: Any) -> Invalid:
    return {
        "experiment": exposure.get("experiment"),
        "variation": exposure.get("variation"),
        "knob": knob,
        "value": value,
        "reason": reason,
        "used": used,
    }


def _instant(text: str) -> datetime:
    """A timestamp of the document; PostgreSQL also knows two infinities, and years that Python does not."""
    if text == "-infinity" or text.endswith(" BC"):
        return _FIRST
    if text == "infinity" or text.index("-") > 4:
        return _LAST
    return _in_utc(datetime.fromisoformat(text))


def _in_utc(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
