"""Assignment and turn parameters, evaluated from the configuration document without a database.

The hash, the weights and the ranges are GrowthBook's. `Evaluator` gives the answer of `awf.turn_params()` for
every input. What does not depend on the turn (types, ranges, guardrails, conditions, dates, the hash of the
seed) is worked out once when the document arrives.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import add
from typing import Any, NamedTuple

from awf_pg.conditions import Condition

Params = dict[str, Any]
Exposure = dict[str, Any]
Invalid = dict[str, Any]

EMPTY_CONFIG: Mapping[str, Any] = {"version": 1, "revision": 0, "knobs": {}, "experiments": []}

_FNV_OFFSET = 0x811C9DC5
_FNV_PRIME = 0x01000193
_WORD = 0xFFFFFFFF

_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The parameters of a turn, the variations it is exposed to, and the values not used as given."""

    params: Params
    exposures: list[Exposure]
    invalid: list[Invalid]


def hash_unit(seed: str, value: str, version: int) -> float | None:
    """Where a unit falls in [0, 1), or None for an unknown version of the hash."""
    if version == 2:
        return _second_round(_fnv1a(value, _fnv1a(seed)))
    if version == 1:
        return _fnv1a(seed, _fnv1a(value)) % 1000 / 1000
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


class Evaluator:
    """Evaluates turns by one configuration document, the result of `awf.active_config()`."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        if config["version"] != 1:
            raise ValueError(f"the configuration has version {config['version']!r}, this client knows 1")
        self.revision: int = config["revision"]
        self._experiments = [_Experiment(document, config["knobs"]) for document in config["experiments"]]

    def evaluate(
        self,
        session_id: str | None,
        player_hash: str | None,
        defaults: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
        at: datetime | None = None,
    ) -> Evaluation:
        """The evaluation of one turn; the conditions ask about its attributes, `at` without a zone is UTC."""
        at = _in_utc(at) if at is not None else datetime.now(UTC)
        result = Evaluation(dict(defaults or {}), [], [])
        taken: set[str] = set()
        for experiment in self._experiments:
            variation = experiment.assign(session_id, player_hash, attributes, at)
            if variation is not None:
                exposure = {"experiment": experiment.key, "variation": variation.key, "id": variation.id}
                result.exposures.append(exposure)
                for step in variation.steps:
                    step.apply(exposure, result, taken)
        return result


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

    def apply(self, exposure: Exposure, result: Evaluation, taken: set[str]) -> None:
        knob, given, value, reason = self
        if reason is None or reason == "out_of_range":
            if knob in taken:
                reason = "overlap"
            else:
                taken.add(knob)
                result.params[knob] = value
        if reason is not None:
            result.invalid.append(_invalid(exposure, knob, given, reason, result.params.get(knob)))


class _Variation(NamedTuple):
    key: str
    id: int
    steps: tuple[_Step, ...]


class _Experiment:
    """An experiment of the document, made ready."""

    def __init__(self, document: Mapping[str, Any], knobs: Mapping[str, Any]) -> None:
        self.key: str = document["key"]
        self._by_player = document["hashBasis"] == "player"
        self._seed: str = document["hashSeed"]
        self._version: int = document["hashVersion"]
        self._seed_state = _fnv1a(self._seed)
        self._start = _instant(document["startAt"], _FIRST)
        self._stop = _instant(document["stopAt"], _LAST)
        # A document of an older database has no conditions.
        condition = document.get("condition", {})
        self._condition = None if condition == {} else Condition(condition)
        self._ranges = [(lo, hi) for lo, hi in document["ranges"]]
        self._variations = [
            _Variation(item["key"], item["id"], _steps(item["params"], knobs, document["guardrails"]))
            for item in document["variations"]
        ]

    def assign(
        self,
        session_id: str | None,
        player_hash: str | None,
        attributes: Mapping[str, Any] | None,
        at: datetime,
    ) -> _Variation | None:
        unit = player_hash if self._by_player else session_id
        if not unit or not self._start <= at < self._stop:
            return None
        if self._condition is not None and not self._condition.matches(attributes):
            return None
        if self._version == 2:
            n: float | None = _second_round(_fnv1a(unit, self._seed_state))
        else:
            n = hash_unit(self._seed, unit, self._version)
        index = -1 if n is None else choose_variation(n, self._ranges)
        return self._variations[index] if index >= 0 else None


def _fnv1a(text: str, state: int = _FNV_OFFSET) -> int:
    """FNV-1a of 32 bits over UTF-16 code units, carried on from a state."""
    if text.isascii():
        units: Sequence[int] = text.encode()
    else:
        raw = text.encode("utf-16-le", "surrogatepass")
        units = struct.unpack(f"<{len(raw) // 2}H", raw)
    for unit in units:
        state = (state ^ unit) * _FNV_PRIME & _WORD
    return state


def _second_round(state: int) -> float:
    return _fnv1a(str(state)) % 10000 / 10000


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


def _instant(text: str | None, missing: datetime) -> datetime:
    """A timestamp of the document; PostgreSQL also knows the two infinities."""
    if text is None:
        return missing
    if text in ("infinity", "-infinity"):
        return _LAST if text == "infinity" else _FIRST
    return _in_utc(datetime.fromisoformat(text))


def _in_utc(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
