"""The evaluator: GrowthBook's vectors, the rules for params, and what a turn costs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from growthbook import core as growthbook
from hypothesis import given
from hypothesis import strategies as st

from awf_pg.evaluate import (
    EMPTY_CONFIG,
    Evaluator,
    apply_limits,
    bucket_ranges,
    choose_variation,
    equal_weights,
    hash_unit,
)

NOW = datetime(2025, 1, 15, 12, tzinfo=UTC)
KNOBS = {
    "maxOutputTokens": {"type": "integer", "min": 1, "max": 200000},
    "maxActs": {"type": "integer", "min": 1, "max": 100},
    "temperature": {"type": "number", "min": 0, "max": 2},
    "verbose": {"type": "boolean", "min": None, "max": None},
}


def experiment(key: str = "x", params: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """An experiment that gives everybody its only variation."""
    return {
        "key": key,
        "hashBasis": "session",
        "hashSeed": key,
        "hashVersion": 2,
        "startAt": None,
        "stopAt": None,
        "ranges": [[0, 1]],
        "variations": [{"key": "v", "id": 7, "params": params or {}}],
        "guardrails": {},
    } | changes


def evaluator(*experiments: dict[str, Any]) -> Evaluator:
    return Evaluator({"version": 1, "revision": 3, "knobs": KNOBS, "experiments": list(experiments)})


@pytest.fixture(scope="module")
def cases(reference_dir: Path) -> Any:
    return json.loads((reference_dir / "growthbook_cases.json").read_text())


def rounded(ranges: Any) -> Any:
    return [[round(bound, 8) for bound in pair] for pair in ranges]


def test_hash_vectors(cases: Any) -> None:
    for seed, value, version, expected in cases["hash"]:
        assert hash_unit(seed, value, version) == expected, (seed, value, version)


def test_range_vectors(cases: Any) -> None:
    for name, (variations, coverage, weights), expected in cases["getBucketRange"]:
        assert rounded(bucket_ranges(variations, coverage, weights)) == rounded(expected), name


def test_choice_vectors(cases: Any) -> None:
    for name, n, ranges, expected in cases["chooseVariation"]:
        assert choose_variation(n, ranges) == expected, name


def test_weight_vectors(cases: Any) -> None:
    for n, expected in cases["getEqualWeights"]:
        assert [round(weight, 8) for weight in equal_weights(n)] == expected, n


@given(st.text(), st.text(), st.sampled_from([1, 2, 3]))
def test_hash_equals_the_original(seed: str, value: str, version: int) -> None:
    assert hash_unit(seed, value, version) == growthbook.gbhash(seed, value, version)


@given(st.text(min_size=1), st.text(), st.sampled_from([1, 2, 3]))
def test_assignment_uses_that_hash(unit: str, seed: str, version: int) -> None:
    ranges = [[0, 0.2], [0.5, 0.9]]
    variations = [{"key": str(i), "id": i, "params": {}} for i in range(2)]
    made = evaluator(experiment(hashSeed=seed, hashVersion=version, ranges=ranges, variations=variations))
    n = hash_unit(seed, unit, version)
    index = -1 if n is None else choose_variation(n, ranges)
    expected = [] if index < 0 else [{"experiment": "x", "variation": str(index), "id": index}]
    assert made.evaluate(unit, None, at=NOW).exposures == expected


def test_no_experiments_give_the_defaults_untouched() -> None:
    defaults = {"maxActs": 3}
    result = Evaluator(EMPTY_CONFIG).evaluate("s", None, defaults)
    assert result.params == defaults
    assert result.params is not defaults
    assert (result.exposures, result.invalid) == ([], [])


def test_params_are_laid_over_the_defaults() -> None:
    result = evaluator(experiment(params={"maxActs": 8, "verbose": True})).evaluate(
        "s", None, {"maxActs": 3, "other": "kept"}, at=NOW
    )
    assert result.params == {"maxActs": 8, "verbose": True, "other": "kept"}
    assert result.exposures == [{"experiment": "x", "variation": "v", "id": 7}]
    assert result.invalid == []


@pytest.mark.parametrize(
    ("given", "used", "reason"),
    [
        ({"maxActs": 5}, 5, None),
        ({"maxActs": 5.0}, 5, None),
        ({"maxActs": 9}, 8, "out_of_range"),
        ({"maxActs": 0}, 2, "out_of_range"),
        ({"maxActs": 5.5}, 3, "wrong_type"),
        ({"maxActs": True}, 3, "wrong_type"),
        ({"maxActs": "5"}, 3, "wrong_type"),
        ({"maxActs": None}, 3, "wrong_type"),
        ({"temperature": 0.5}, 0.5, None),
        ({"temperature": 3}, 2, "out_of_range"),
        ({"temperature": False}, None, "wrong_type"),
        ({"verbose": False}, False, None),
        ({"verbose": 1}, None, "wrong_type"),
        ({"unknown": 1}, None, "unknown_knob"),
    ],
)
def test_one_value(given: dict[str, Any], used: Any, reason: str | None) -> None:
    made = evaluator(experiment(params=given, guardrails={"maxActs": {"min": 2, "max": 8}}))
    result = made.evaluate("s", None, {"maxActs": 3}, at=NOW)
    ((knob, value),) = given.items()
    assert result.params.get(knob) == used
    refusal = {
        "experiment": "x",
        "variation": "v",
        "knob": knob,
        "value": value,
        "reason": reason,
        "used": used,
    }
    assert result.invalid == ([] if reason is None else [refusal])


def test_the_earlier_experiment_keeps_the_knob() -> None:
    first = experiment("a", {"maxActs": 4})
    second = experiment("b", {"maxActs": 6, "maxOutputTokens": 10})
    result = evaluator(first, second).evaluate("s", None, at=NOW)
    assert result.params == {"maxActs": 4, "maxOutputTokens": 10}
    assert [one["experiment"] for one in result.exposures] == ["a", "b"]
    assert [(one["knob"], one["reason"], one["used"]) for one in result.invalid] == [
        ("maxActs", "overlap", 4)
    ]


def test_a_refused_value_does_not_take_the_knob() -> None:
    result = evaluator(experiment("a", {"maxActs": "x"}), experiment("b", {"maxActs": 6})).evaluate(
        "s", None, at=NOW
    )
    assert result.params == {"maxActs": 6}
    assert [one["reason"] for one in result.invalid] == ["wrong_type"]


def test_knobs_go_in_the_order_of_their_bytes() -> None:
    names = ["z", "a", "Z", "é", "\U0001f600", "\uffff"]
    result = evaluator(experiment(params=dict.fromkeys(names, 1))).evaluate("s", None, at=NOW)
    assert [one["knob"] for one in result.invalid] == sorted(names, key=str.encode)


def test_the_upper_bound_wins_where_bounds_cross() -> None:
    made = evaluator(experiment(params={"maxActs": 50}, guardrails={"maxActs": {"min": 40, "max": 8}}))
    assert made.evaluate("s", None, at=NOW).params == {"maxActs": 8}


@pytest.mark.parametrize(
    ("start", "stop", "inside"),
    [
        (None, None, True),
        ("2025-01-15T12:00:00+00:00", None, True),
        ("2025-01-15T12:00:00.000001+00:00", None, False),
        ("2025-01-15T14:00:00+02:00", None, True),
        (None, "2025-01-15T12:00:00+00:00", False),
        (None, "2025-01-15T12:00:00.000001+00:00", True),
        ("-infinity", "infinity", True),
        ("infinity", None, False),
    ],
)
def test_dates(start: str | None, stop: str | None, inside: bool) -> None:
    made = evaluator(experiment(startAt=start, stopAt=stop))
    assert bool(made.evaluate("s", None, at=NOW).exposures) == inside
    assert bool(made.evaluate("s", None, at=NOW.replace(tzinfo=None)).exposures) == inside
    assert bool(made.evaluate("s", None, at=NOW.astimezone(tz=None) + timedelta(0)).exposures) == inside


@pytest.mark.parametrize(
    ("basis", "session", "player", "inside"),
    [
        ("session", "s", None, True),
        ("session", "", "p", False),
        ("session", None, "p", False),
        ("player", None, "p", True),
        ("player", "s", None, False),
        ("player", "s", "", False),
    ],
)
def test_missing_unit(basis: str, session: str | None, player: str | None, inside: bool) -> None:
    made = evaluator(experiment(hashBasis=basis))
    assert bool(made.evaluate(session, player, at=NOW).exposures) == inside


def test_unknown_document_version() -> None:
    with pytest.raises(ValueError, match="version 2"):
        Evaluator({**EMPTY_CONFIG, "version": 2})


def test_environment_limits() -> None:
    result = evaluator(experiment(params={"maxOutputTokens": 4000})).evaluate(
        "s", None, {"toolMaxCalls": 5}, at=NOW
    )
    apply_limits(result, {"maxOutputTokens": 2000, "toolMaxCalls": 10})
    assert result.params == {"maxOutputTokens": 2000, "toolMaxCalls": 5}
    (clamped,) = result.invalid
    assert (clamped["reason"], clamped["value"], clamped["used"]) == ("environment", 4000, 2000)
