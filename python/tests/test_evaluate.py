"""The evaluator: GrowthBook's vectors, the rules for params, and what a turn costs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from growthbook import core as growthbook
from hypothesis import given
from hypothesis import strategies as st

from awf_pg.evaluate import (
    EMPTY_CONFIG,
    Evaluator,
    _second_round,
    apply_limits,
    bucket_ranges,
    choose_variation,
    equal_weights,
    hash_unit,
    in_namespace,
    sticky_assignments,
    sticky_variation,
    to_version_2,
)

NOW = datetime(2025, 1, 15, 12, tzinfo=UTC)
KNOBS = {
    "maxOutputTokens": {"type": "integer", "min": 1, "max": 200000},
    "maxActs": {"type": "integer", "min": 1, "max": 100},
    "temperature": {"type": "number", "min": 0, "max": 2},
    "verbose": {"type": "boolean", "min": None, "max": None},
}


def phase(start: str = "-infinity", **changes: Any) -> dict[str, Any]:
    """A row of a timeline that gives everybody the variation v."""
    return {
        "phase": 1,
        "startAt": start,
        "coverage": 1,
        "hashSeed": "x",
        "condition": {},
        "bucketVersion": 0,
        "minBucketVersion": 0,
        "ranges": [[0, 1]],
        "variations": [{"key": "v", "id": 7}],
    } | changes


def stop(start: str) -> dict[str, Any]:
    return phase(start, ranges=[], variations=[])


def experiment(key: str = "x", params: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """An experiment that gives everybody its only variation."""
    return {
        "key": key,
        "hashBasis": "session",
        "hashVersion": 2,
        "optIn": False,
        "sticky": False,
        "layer": None,
        "guardrails": {},
        "params": {"v": params or {}},
        "overrides": {},
        "phases": [phase()],
    } | changes


def evaluator(*experiments: dict[str, Any]) -> Evaluator:
    return Evaluator({"version": 2, "revision": 3, "knobs": KNOBS, "experiments": list(experiments)})


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


def test_namespace_vectors(cases: Any) -> None:
    assert len(cases["inNamespace"]) == 16
    for name, value, namespace, expected in cases["inNamespace"]:
        assert in_namespace(value, namespace) == expected, name


def test_a_layer_is_a_filter_of_the_original() -> None:
    for number, (low, high) in product(range(200), [(0, 0.3), (0.3, 1), (0.999, 1)]):
        n = growthbook.gbhash("__l", f"u{number}", 2)
        assert n is not None
        made = evaluator(experiment(layer=["l", low, high])).evaluate(f"u{number}", None, at=NOW)
        assert made.reasons == {"x": "assigned" if low <= n < high else "layer"}


def test_sticky_vectors(cases: Any) -> None:
    """Each case's one experiment as a document of ours, with the fallback where the attribute is missing."""
    assert len(cases["stickyBucket"]) == 13
    for name, context, documents, feature, expected, kept in cases["stickyBucket"]:
        (rule,) = context["features"][feature]["rules"]
        attributes = context["attributes"]
        units = [
            [attribute, attributes[attribute]]
            for attribute in (rule["fallbackAttribute"], rule["hashAttribute"])
            if attribute in attributes
        ]
        made = evaluator(sticky_experiment(feature, rule)).evaluate(
            units[-1][1], None, None, attributes, NOW, sticky=sticky_assignments(documents, units)
        )
        given = [int(one["variation"]) for one in made.exposures]
        assert given == ([] if expected is None else [expected["variationId"]]), name
        used = made.reasons[rule.get("key", feature)] in ("sticky", "blocked")
        assert used == (expected is None or expected["stickyBucketUsed"]), name
        written = sticky_assignments(documents, [units[-1]]) | made.sticky
        assert written == kept["||".join(units[-1])]["assignments"], name


def sticky_experiment(feature: str, rule: dict[str, Any]) -> dict[str, Any]:
    key, count = rule.get("key", feature), len(rule["variations"])
    names = [one["key"] for one in rule.get("meta", [])] or [str(index) for index in range(count)]
    row = phase(
        hashSeed=rule.get("seed", key),
        condition=rule.get("condition", {}),
        bucketVersion=rule.get("bucketVersion", 0),
        minBucketVersion=rule.get("minBucketVersion", 0),
        ranges=bucket_ranges(count, rule.get("coverage", 1), rule.get("weights")),
        variations=[{"key": name, "id": None} for name in names],
    )
    return experiment(
        key,
        hashVersion=rule.get("hashVersion", 1),
        sticky=not rule.get("disableStickyBucketing", False),
        params={},
        phases=[row],
    )


def test_weight_vectors(cases: Any) -> None:
    for n, expected in cases["getEqualWeights"]:
        assert [round(weight, 8) for weight in equal_weights(n)] == expected, n


@given(st.text(), st.text(), st.sampled_from([1, 2, 3]))
def test_hash_equals_the_original(seed: str, value: str, version: int) -> None:
    assert hash_unit(seed, value, version) == growthbook.gbhash(seed, value, version)


@given(st.integers(0, 2**32 - 1) | st.sampled_from([0, 9, 999_999, 1_000_000, 10_000_000, 2**32 - 1]))
def test_the_second_round_hashes_the_digits(state: int) -> None:
    assert _second_round(state) == growthbook.fnv1a32(str(state)) % 10000 / 10000


@given(st.text(), st.tuples(st.text(), st.floats(0, 1), st.floats(0, 1)))
def test_namespaces_equal_the_original(value: str, namespace: tuple[str, float, float]) -> None:
    assert in_namespace(value, namespace) == growthbook.inNamespace(value, namespace)


@given(
    st.text(min_size=1),
    st.text(min_size=1),
    st.lists(st.tuples(st.text(), st.sampled_from([1, 2, 3]), st.sampled_from(["session", "player"]))),
)
def test_assignment_uses_that_hash(session: str, player: str, given: list[tuple[str, int, str]]) -> None:
    """However many experiments share the work."""
    ranges = [[0, 0.2], [0.5, 0.9]]
    variations = [{"key": str(i), "id": i} for i in range(2)]
    experiments, expected = [], []
    for number, (seed, version, basis) in enumerate(given):
        row = phase(hashSeed=seed, ranges=ranges, variations=variations)
        key = f"e{number}"
        experiments.append(experiment(key, hashBasis=basis, hashVersion=version, phases=[row]))
        n = hash_unit(seed, player if basis == "player" else session, version)
        index = -1 if n is None else choose_variation(n, ranges)
        if index >= 0:
            expected.append({"experiment": key, "variation": str(index), "id": index})
    assert evaluator(*experiments).evaluate(session, player, at=NOW).exposures == expected


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
    ("start", "end", "inside"),
    [
        ("-infinity", None, True),
        ("2025-01-15T12:00:00+00:00", None, True),
        ("2025-01-15T12:00:00.000001+00:00", None, False),
        ("2025-01-15T14:00:00+02:00", None, True),
        ("-infinity", "2025-01-15T12:00:00+00:00", False),
        ("-infinity", "2025-01-15T12:00:00.000001+00:00", True),
        ("-infinity", "infinity", True),
        ("0044-03-15T12:00:00+00:00 BC", "20000-01-01T00:00:00+00:00", True),
        ("infinity", None, False),
    ],
)
def test_dates(start: str, end: str | None, inside: bool) -> None:
    made = evaluator(experiment(phases=[phase(start)] + ([stop(end)] if end else [])))
    for at in (NOW, NOW.replace(tzinfo=None), NOW.astimezone(timezone(timedelta(hours=5)))):
        result = made.evaluate("s", None, at=at)
        assert bool(result.exposures) == inside
        assert result.reasons == {"x": "assigned" if inside else "phase"}


DAYS = [f"2025-01-{day:02}T00:00:00+00:00" for day in range(1, 32)]


def test_every_moment_has_its_phase() -> None:
    """Two timelines that cross, asked forwards and backwards."""
    one = [
        phase(DAYS[0], variations=[{"key": "v", "id": 1}]),
        stop(DAYS[4]),
        phase(DAYS[6], phase=2, variations=[{"key": "v", "id": 2}]),
    ]
    other = [phase(DAYS[2], variations=[{"key": "v", "id": 3}]), stop(DAYS[6])]
    made = evaluator(experiment("a", phases=one), experiment("b", phases=other))
    expected = {0: [1], 1: [1], 2: [1, 3], 3: [1, 3], 4: [3], 5: [3], 6: [2], 7: [2]}
    for day in [*expected, *reversed(expected)]:
        at = datetime.fromisoformat(DAYS[day])
        assert [found["id"] for found in made.evaluate("s", None, at=at).exposures] == expected[day], day
        before = at - timedelta(microseconds=1)
        ids = [found["id"] for found in made.evaluate("s", None, at=before).exposures]
        assert ids == expected.get(day - 1, []), day


@pytest.mark.parametrize(
    ("opt_in", "opted_in", "reason"),
    [
        (False, None, "assigned"),
        (False, True, "assigned"),
        (False, False, "opt_in"),
        (True, None, "opt_in"),
        (True, True, "assigned"),
        (True, False, "opt_in"),
    ],
)
def test_opting_in(opt_in: bool, opted_in: bool | None, reason: str) -> None:
    made = evaluator(experiment(params={"maxActs": 4}, optIn=opt_in), experiment("over", phases=[]))
    result = made.evaluate("s", None, {"maxActs": 1}, at=NOW, opted_in=opted_in)
    assert result.reasons == {"x": reason, "over": "phase"}
    assert result.params == {"maxActs": 4 if reason == "assigned" else 1}


VARIATIONS = [{"key": "v", "id": 7}, {"key": "w", "id": 8}]
OUT = phase(ranges=[[0, 0], [0, 0]], variations=VARIATIONS)


def test_an_override_forces_and_does_not_count() -> None:
    made = evaluator(
        experiment(
            params={"maxActs": 4},
            layer=["l", 0, 0],
            overrides={"qa": "v", "other": "gone", "late": "v"},
            phases=[phase(condition={"never": 1}, ranges=[[0, 0]]), stop(DAYS[30])],
        )
    )
    result = made.evaluate("qa", None, at=NOW)
    assert (result.params, result.reasons) == ({"maxActs": 4}, {"x": "override"})
    assert (result.exposures, result.forced) == ([], [{"experiment": "x", "variation": "v", "id": 7}])
    assert result.sticky == {}
    assert made.evaluate("other", None, at=NOW).reasons == {"x": "layer"}, "the phase lacks the variation"
    stopped = datetime(2025, 2, 1, tzinfo=UTC)
    assert made.evaluate("qa", None, at=stopped).reasons == {"x": "phase"}
    assert made.evaluate("qa", None, at=NOW, opted_in=False).forced == []


def test_invalid_values_of_an_override_are_reported() -> None:
    made = evaluator(experiment(params={"maxActs": 400}, overrides={"qa": "v"}, phases=[OUT]))
    result = made.evaluate("qa", None, at=NOW)
    assert result.params == {"maxActs": 100}
    assert [one["reason"] for one in result.invalid] == ["out_of_range"]


@pytest.mark.parametrize(
    ("held", "reason", "given"),
    [
        ({}, "coverage", []),
        ({"x__1": "w"}, "sticky", ["w"]),
        ({"x__1": "gone"}, "coverage", []),
        ({"x__0": "w"}, "coverage", []),
        ({"y__1": "w"}, "coverage", []),
        ({"x__1": "w", "x__0": "v"}, "sticky", ["w"]),
    ],
)
def test_sticky_assignments_are_kept(held: dict[str, str], reason: str, given: list[str]) -> None:
    row = OUT | {"bucketVersion": 1, "condition": {"never": 1} if given else {}}
    made = evaluator(experiment(sticky=True, phases=[row]))
    result = made.evaluate("s", None, at=NOW, sticky=held)
    assert result.reasons == {"x": reason}
    assert [one["variation"] for one in result.exposures] == given
    assert result.sticky == ({"x__1": "w"} if given else {})
    plain = evaluator(experiment(sticky=False, phases=[OUT | {"bucketVersion": 1}]))
    assert plain.evaluate("s", None, at=NOW, sticky=held).reasons == {"x": "coverage"}


@pytest.mark.parametrize(
    ("held", "reason"),
    [({"x__0": "v"}, "blocked"), ({"x__1": "v"}, "blocked"), ({"x__2": "v"}, "sticky"), ({}, "assigned")],
)
def test_older_sticky_assignments_may_keep_out(held: dict[str, str], reason: str) -> None:
    row = phase(bucketVersion=2, minBucketVersion=2)
    made = evaluator(experiment(sticky=True, phases=[row]))
    assert made.evaluate("s", None, at=NOW, sticky=held).reasons == {"x": reason}


def test_a_sticky_unit_leaves_with_its_layer() -> None:
    made = evaluator(experiment(sticky=True, layer=["l", 0, 0]))
    assert made.evaluate("s", None, at=NOW, sticky={"x__0": "v"}).reasons == {"x": "layer"}


def test_sticky_variation() -> None:
    assert sticky_variation("x", 1, 1, ["v"], {"x__0": "v", "x__1": "v"}) == (True, None)
    assert sticky_variation("x", 1, 0, ["v"], {"x__0": "v", "x__1": "v"}) == (False, "v")
    assert sticky_variation("x", 1, 0, ["w"], {"x__1": "v"}) == (False, None)


def test_sticky_documents_are_those_of_the_units() -> None:
    documents: list[Any] = [
        {"attributeName": "session", "attributeValue": "s", "assignments": {"a__0": "1", "b__0": "1"}},
        {"attributeName": "player", "attributeValue": "p", "assignments": {"b__0": "2", "c__0": 3}},
        {"attributeName": "player", "attributeValue": "q", "assignments": {"d__0": "4"}},
        {"attributeName": "session", "attributeValue": "s"},
        {"attributeName": ["session"], "attributeValue": {}, "assignments": {"e__0": "5"}},
        "nonsense",
    ]
    both = [["session", "s"], ["player", "p"]]
    assert sticky_assignments(documents, both) == {"a__0": "1", "b__0": "2"}
    assert sticky_assignments(documents, reversed(both)) == {"a__0": "1", "b__0": "1"}
    assert sticky_assignments(dict(enumerate(documents)), both) == {"a__0": "1", "b__0": "2"}
    assert sticky_assignments(None, both) == sticky_assignments([], both) == {}


def test_the_first_check_that_decides_wins() -> None:
    """Each check in its order, with all the later ones failing too."""
    failing = phase(condition={"never": 1}, ranges=[[0, 0]], minBucketVersion=1, bucketVersion=1)
    all_failing = experiment(
        optIn=True, sticky=True, layer=["l", 0, 0], overrides={"qa": "v"}, phases=[failing]
    )
    held = {"x__0": "v"}

    def reason(session: str | None, opted_in: bool | None, **changes: Any) -> str:
        made = evaluator(all_failing | changes)
        return made.evaluate(session, None, at=NOW, opted_in=opted_in, sticky=held).reasons["x"]

    everywhere: dict[str, Any] = {"layer": None}
    fresh = {**everywhere, "phases": [failing | {"minBucketVersion": 0}]}
    met = {**everywhere, "phases": [failing | {"minBucketVersion": 0, "condition": {}}]}
    assert reason("", None, phases=[]) == "phase"
    assert reason("", None) == "opt_in"
    assert reason("", True) == "unit"
    assert reason("qa", True) == "override"
    assert reason("s", True) == "layer"
    assert reason("s", True, **everywhere) == "blocked"
    assert reason("s", True, **fresh) == "condition"
    assert reason("s", True, **met) == "coverage"


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
    with pytest.raises(ValueError, match="version 3"):
        Evaluator({**EMPTY_CONFIG, "version": 3})


@pytest.mark.parametrize(
    ("start", "end", "inside"),
    [
        (None, None, True),
        ("2025-01-15T12:00:00+00:00", None, True),
        ("2025-01-15T12:00:00.000001+00:00", None, False),
        (None, "2025-01-15T12:00:00+00:00", False),
        (None, "2025-01-15T12:00:00.000001+00:00", True),
        ("2025-01-14T12:00:00+00:00", "2025-01-13T12:00:00+00:00", False),
        ("infinity", None, False),
    ],
)
def test_version_1_is_read(start: str | None, end: str | None, inside: bool) -> None:
    """A document of a 0.1.0 database; the first of its kind had no condition."""
    old: dict[str, Any] = {
        "key": "x",
        "hashBasis": "player",
        "hashSeed": "other",
        "hashVersion": 1,
        "startAt": start,
        "stopAt": end,
        "ranges": [[0, 0.5], [0.5, 1]],
        "variations": [
            {"key": "v", "id": 7, "params": {"maxActs": 4}},
            {"key": "w", "id": 8, "params": {"maxActs": 90}},
        ],
        "guardrails": {"maxActs": {"max": 8}},
    }
    document = {"version": 1, "revision": 3, "knobs": KNOBS, "experiments": [old]}
    n = hash_unit("other", "p", 1)
    assert n is not None
    expected = [{"maxActs": 4}, {"maxActs": 8}][choose_variation(n, old["ranges"])] if inside else {}
    assert Evaluator(document).evaluate(None, "p", at=NOW).params == expected
    assert Evaluator(to_version_2(document)).evaluate(None, "p", at=NOW).params == expected
    unmet = {**document, "experiments": [{**old, "condition": {"locale": "de-DE"}}]}
    assert Evaluator(unmet).evaluate(None, "p", at=NOW).params == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"layer": ["l", "low", 1]},
        {"layer": "layer"},
        {"phases": [phase("yesterday")]},
        {"phases": [phase(ranges=[[0, "one"]])]},
        {"phases": [phase(hashSeed=None)]},
        {"phases": [phase(minBucketVersion="x")]},
        {"overrides": []},
        {"params": {"v": {"maxActs": 1}}, "guardrails": {"maxActs": {"min": "x"}}},
    ],
)
def test_a_malformed_document_is_refused_as_a_whole(changes: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError, KeyError)):
        evaluator(experiment() | changes)


def test_environment_limits() -> None:
    result = evaluator(experiment(params={"maxOutputTokens": 4000})).evaluate(
        "s", None, {"toolMaxCalls": 5}, at=NOW
    )
    apply_limits(result, {"maxOutputTokens": 2000, "toolMaxCalls": 10})
    assert result.params == {"maxOutputTokens": 2000, "toolMaxCalls": 5}
    (clamped,) = result.invalid
    assert (clamped["reason"], clamped["value"], clamped["used"]) == ("environment", 4000, 2000)
