"""The evaluator in SQL and the one in Python give the same answer, and both agree with the public vectors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from awf_pg import evaluate
from awf_pg.evaluate import Evaluator
from tests import scale, servers
from tests.conditions import attributes, conditions, json_values
from tests.conftest import Connect

Connection = psycopg.Connection[tuple[Any, ...]]

KNOBS = {
    "whole": {"type": "integer", "min": 1, "max": 100},
    "real": {"type": "number", "min": None, "max": 10.5},
    "flag": {"type": "boolean", "min": None, "max": None},
}
PLAYER = "ab" * 32
VARIATIONS = ["v0", "v1", "v2"]
FIRST = datetime(2025, 1, 1, tzinfo=UTC)

numbers = st.integers(-200, 200) | st.decimals(-200, 200, places=2, allow_nan=False).map(float)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
values = numbers | st.booleans() | texts | st.none() | st.sampled_from([[1], {"min": 1}])
names = st.sampled_from([*KNOBS, "unknown"])
params = st.dictionaries(names, values, max_size=4)
bounds = st.fixed_dictionaries({}, optional={"min": numbers, "max": numbers})
# A few units, so that they often have an override or an assignment from before.
units = st.sampled_from(["s1", "s2", "é"]) | texts
moments = st.integers(0, 8).map(lambda hours: FIRST + timedelta(hours=hours))
sticky_maps = st.fixed_dictionaries(
    {},
    optional={
        evaluate.sticky_name(f"e{n}", version): st.sampled_from([*VARIATIONS, "gone"])
        for n in range(3)
        for version in range(3)
    },
)


@st.composite
def phases(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A timeline: from some moments on other ranges, another seed, or nothing at all."""
    starts = [start.isoformat() for start in sorted(draw(st.sets(moments, max_size=3)))]
    if draw(st.integers(0, 3)) < 3:
        starts.insert(0, "-infinity")
    return [draw(phase(number, start)) for number, start in enumerate(starts, 1)]


@st.composite
def phase(draw: st.DrawFn, number: int, start: str) -> dict[str, Any]:
    keys = draw(st.lists(st.sampled_from(VARIATIONS), min_size=1, unique=True))
    tenths = st.integers(0, 10).map(lambda tenth: tenth / 10)
    weights = draw(st.none() | st.lists(tenths, min_size=len(keys), max_size=len(keys)))
    coverage = draw(st.just(1.0) | st.floats(0, 1))
    running = draw(st.integers(0, 7)) < 7
    bucket_version = draw(st.integers(0, 2))
    return {
        "phase": number,
        "startAt": start,
        "coverage": coverage,
        "hashSeed": draw(texts),
        "condition": draw(st.just({}) | st.just({}) | conditions | json_values),
        "bucketVersion": bucket_version,
        "minBucketVersion": draw(st.just(0) | st.integers(0, bucket_version)),
        "ranges": evaluate.bucket_ranges(len(keys), coverage, weights) if running else [],
        "variations": [{"key": key, "id": 10 * number + n} for n, key in enumerate(keys)] if running else [],
    }


@st.composite
def layers(draw: st.DrawFn) -> list[Any]:
    low, high = sorted(draw(st.tuples(st.integers(0, 1000), st.integers(0, 1000))))
    return [draw(st.sampled_from(["budgets", "é"])), low / 1000, high / 1000]


@st.composite
def experiments(draw: st.DrawFn, key: str) -> dict[str, Any]:
    forced = st.dictionaries(units | st.just(PLAYER), st.sampled_from([*VARIATIONS, "gone"]), max_size=2)
    return {
        "key": key,
        "hashBasis": draw(st.sampled_from(["session", "session", "session", "player"])),
        "hashVersion": draw(st.sampled_from([1, 2])),
        "optIn": draw(st.integers(0, 3)) == 3,
        "sticky": draw(st.booleans()),
        "layer": draw(st.none() | st.just(["budgets", 0, 1]) | layers()),
        "guardrails": draw(st.dictionaries(st.sampled_from(sorted(KNOBS)), bounds, max_size=2)),
        "params": {variation: draw(params) for variation in VARIATIONS},
        "overrides": draw(st.just({}) | forced),
        "phases": draw(phases()),
    }


configs = st.integers(0, 3).flatmap(lambda count: st.tuples(*(experiments(f"e{n}") for n in range(count))))


@pytest.fixture(scope="module")
def connection(server: servers.Server) -> Iterator[Connection]:
    server.create_database("t_agreement", servers.TEMPLATE)
    with psycopg.connect(server.dsn_of("t_agreement"), autocommit=True) as opened:
        yield opened
    server.drop_database("t_agreement")


EVALUATE = """
with turn as (
    select
        %(config)s::jsonb as config, %(session)s::text as session, %(player)s::text as player,
        %(attributes)s::jsonb as attributes, %(at)s::timestamptz as at, %(opted_in)s::boolean as opted_in,
        %(sticky)s::jsonb as sticky
)
select
    awf._evaluate(t.config, t.session, t.player, %(defaults)s, t.attributes, t.at, t.opted_in, t.sticky),
    (
        select coalesce(jsonb_object_agg(e.value ->> 'key', awf._decide(
            e.value, t.session, t.player, t.attributes, t.at, t.opted_in, t.sticky
        ) -> 'reason'), '{}')
        from jsonb_array_elements(t.config -> 'experiments') as e
    )
from turn as t
"""


@given(
    config=configs,
    session=units | st.sampled_from([None, "", "s1", "s2"]),
    player=st.none() | st.just(PLAYER),
    defaults=params,
    attributes=attributes,
    at=moments,
    opted_in=st.sampled_from([None, None, None, True, True, True, True, False]),
    sticky=sticky_maps,
)
@settings(max_examples=scale.examples(20000))
def test_sql_and_python_evaluate_alike(connection: Connection, config: Any, **turn: Any) -> None:
    document = {"version": 2, "revision": 1, "knobs": KNOBS, "experiments": list(config)}
    ours = Evaluator(document).evaluate(**turn_arguments(turn))
    row = connection.execute(EVALUATE, as_json({"config": document, **turn})).fetchone()
    assert row is not None
    for reason in ours.reasons.values():
        event(reason)
    assert row[0] == document_of(ours)
    # Who declined is asked nothing else, so there may be another reason as well.
    assert turn["opted_in"] is False or row[1] == ours.reasons


def turn_arguments(turn: Mapping[str, Any]) -> dict[str, Any]:
    renamed = {"session": "session_id", "player": "player_hash"}
    return {renamed.get(name, name): value for name, value in turn.items()}


def as_json(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: Jsonb(value) if isinstance(value, dict) else value for name, value in arguments.items()}


def document_of(evaluation: evaluate.Evaluation) -> dict[str, Any]:
    return {
        "params": evaluation.params,
        "exposures": evaluation.exposures,
        "forced": evaluation.forced,
        "invalid": evaluation.invalid,
        "sticky": evaluation.sticky,
    }


@given(texts, texts, st.sampled_from([0, 1, 2, 3]))
@settings(max_examples=scale.examples(5000))
def test_sql_and_python_hash_alike(connection: Connection, seed: str, value: str, version: int) -> None:
    row = connection.execute("select awf.hash_unit(%s, %s, %s)", [seed, value, version]).fetchone()
    assert row == (evaluate.hash_unit(seed, value, version),)


@given(texts, st.lists(st.none() | texts, max_size=5), st.sampled_from([1, 2]))
@settings(max_examples=scale.examples(5000))
def test_many_units_hash_as_one(
    connection: Connection, seed: str, values: list[str | None], version: int
) -> None:
    row = connection.execute("select awf._hash_units(%s, %s::text[], %s)", [seed, values, version]).fetchone()
    expected = [None if value is None else evaluate.hash_unit(seed, value, version) for value in values]
    assert row == (expected,)


@pytest.fixture(scope="module")
def remembered(connection: Connection) -> int:
    """The id of a sticky experiment with four phases, whose exposures each example chooses."""
    row = connection.execute(
        "update awf.experiments set sticky = true where key = 'awf-default-test' returning id"
    ).fetchone()
    assert row is not None
    connection.execute(
        """
        insert into awf.experiment_phases
        select %s, timestamptz '2024-01-01' + p * interval '1 day', p, true, 1, '[]', '[]', '', '{}',
            (p - 1) / 2, 0
        from generate_series(1, 4) as p
        """,
        row,
    )
    connection.execute(
        """
        insert into awf.variation_ids (experiment_id, experiment_key, variation_key, phase)
        select %s, 'awf-default-test', v, p from unnest(%s::text[]) as v cross join generate_series(1, 4) as p
        """,
        [row[0], VARIATIONS],
    )
    return int(row[0])


EXPOSE = """
insert into awf.exposures
    (experiment_id, unit_id, variation_id, locale_id, first_ts, event_id, player_hash, phase)
select v.experiment_id, %s, v.id, 1, %s, gen_random_uuid(), '', v.phase
from awf.variation_ids as v
where v.experiment_id = %s and v.phase = %s and v.variation_key = %s
on conflict do nothing
"""
ONE_BY_ONE = """
select u.unit_id, awf._decide(
    d.experiment, u.unit_id, u.unit_id, d.attributes, d.at, d.opted_in,
    awf._sticky_of(u.unit_id, u.unit_id, d.at, d.id)
) #>> '{variation,key}'
from (select %s::jsonb, %s::bigint, %s::text[], %s::jsonb, %s::timestamptz, %s::boolean)
    as d (experiment, id, units, attributes, at, opted_in)
cross join unnest(d.units) with ordinality as u (unit_id, place)
order by u.place
"""


@given(
    experiments("awf-default-test"),
    st.lists(st.none() | units, max_size=6),
    attributes,
    moments,
    st.sampled_from([None, True, False]),
    st.lists(st.tuples(units, moments, st.integers(1, 4), st.sampled_from(VARIATIONS)), max_size=6),
)
@settings(max_examples=scale.examples(5000))
def test_many_units_are_assigned_as_one(
    connection: Connection,
    remembered: int,
    experiment: dict[str, Any],
    units: list[str | None],
    attributes: dict[str, Any],
    at: datetime,
    opted_in: bool | None,
    exposed: list[tuple[str, datetime, int, str]],
) -> None:
    arguments = [Jsonb(experiment), remembered, units, Jsonb(attributes), at, opted_in]
    with connection.transaction(force_rollback=True):
        for unit, first_ts, phase, variation in exposed:
            connection.execute(EXPOSE, [unit, first_ts, remembered, phase, variation])
        one_by_one = connection.execute(ONE_BY_ONE, arguments).fetchall()
        at_once = connection.execute("select * from awf._assign_units(%s, %s, %s, %s, %s, %s)", arguments)
        assert at_once.fetchall() == one_by_one


plausible = {
    "allocations": st.sampled_from(
        [[{"variation": "v0", "percent": 100}], [{"variation": v, "percent": 50} for v in ("v0", "v1")]]
    ),
    "guardrails": st.sampled_from([{}, {"maxActs": 5}, {"maxActs": {"min": 2, "max": 8}}]),
    "params": st.sampled_from([{}, {"maxActs": 4}, {"maxActs": 4.0, "maxChoices": 3}]),
    "coverage": st.floats(0, 1),
    "hashSeed": texts,
    "hashVersion": st.sampled_from([1, 2]),
    "condition": conditions,
    "optIn": st.booleans(),
    "sticky": st.booleans(),
    "allowOverlap": st.booleans(),
    "tags": st.just(["one"]),
    "ramp": st.just([{"coverage": 1, "at": None}]),
}
settings_names = [name for name in plausible if name not in ("allocations", "guardrails", "params")]


def odd_or(name: str) -> st.SearchStrategy[Any]:
    return st.integers(0, 7).flatmap(lambda one: json_values if one == 7 else plausible[name])


@given(
    odd_or("allocations"),
    odd_or("guardrails"),
    st.lists(odd_or("params"), min_size=2, max_size=2),
    st.fixed_dictionaries(
        {}, optional={"bogus": json_values} | {name: odd_or(name) for name in settings_names}
    ),
    st.sampled_from([{}, {"v0": "v1"}, {"s1": "v0"}]),
    attributes,
)
@settings(max_examples=scale.examples(5000))
def test_any_definition_is_refused_or_works(
    connection: Connection,
    allocations: Any,
    guardrails: Any,
    variations: list[Any],
    changes: dict[str, Any],
    overrides: dict[str, str],
    attributes: dict[str, Any],
) -> None:
    with connection.transaction(force_rollback=True):
        made = saved(
            connection,
            "awf.create_experiment('e', 'E', %s, p_guardrails => %s)",
            Jsonb(allocations),
            Jsonb(guardrails),
        )
        for name, value in changes.items() if made else ():
            saved(connection, "awf.update_experiment('e', %s)", Jsonb({name: value}))
        for key, given_params in zip(VARIATIONS, variations, strict=False) if made else ():
            saved(connection, "awf.create_variation('e', %s, %s)", key, Jsonb(given_params))
        for unit, variation in overrides.items() if made else ():
            saved(connection, "awf.set_override('e', %s, %s)", unit, variation)
        event("started" if made and saved(connection, "awf.start_experiment('e')") else "refused")
        row = connection.execute(
            """
            select
                awf._now(), awf.active_config(), awf.turn_params('s1', %(player)s, '{}', %(attributes)s),
                case when %(made)s then awf.assign('e', 's1', %(player)s, %(attributes)s) end
            """,
            {"player": PLAYER, "attributes": Jsonb(attributes), "made": made},
        ).fetchone()
    assert row is not None
    now, config, turn, variation = row
    ours = Evaluator(config).evaluate("s1", PLAYER, {}, attributes, now)
    assert turn == document_of(ours)
    assert [one["variation"] for one in ours.exposures + ours.forced] == ([variation] if variation else [])


def saved(connection: Connection, call: str, *arguments: Any) -> bool:
    """Whether the call was accepted; a refusal has to be one of ours."""
    try:
        with connection.transaction():
            connection.execute(f"select {call}", arguments)
    except psycopg.Error as error:
        if not str(error.sqlstate).startswith("WF"):
            raise
        return False
    return True


@given(st.integers(0, 6), st.floats(-0.5, 1.5), st.none() | st.lists(st.floats(0, 1), max_size=6))
@settings(max_examples=scale.examples(5000))
def test_sql_and_python_cut_the_same_ranges(
    connection: Connection, count: int, coverage: float, weights: list[float] | None
) -> None:
    row = connection.execute(
        "select awf.bucket_ranges(%s, %s, %s::float8[])", [count, coverage, weights]
    ).fetchone()
    assert row == ([list(pair) for pair in evaluate.bucket_ranges(count, coverage, weights)],)


@given(texts, st.floats(0, 1), st.floats(0, 1), st.lists(st.integers(1, 9), min_size=2, max_size=4))
@settings(max_examples=scale.examples(5000))
def test_more_coverage_moves_nobody(unit: str, one: float, other: float, shares: list[int]) -> None:
    weights = [share / sum(shares) for share in shares]
    low, high = sorted([one, other])
    n = evaluate.hash_unit("seed", unit, 2)
    assert n is not None
    before = evaluate.choose_variation(n, evaluate.bucket_ranges(len(weights), low, weights))
    after = evaluate.choose_variation(n, evaluate.bucket_ranges(len(weights), high, weights))
    assert before in (-1, after)


@pytest.fixture(scope="module")
def vectors(reference_dir: Path) -> dict[str, list[list[Any]]]:
    cases: dict[str, list[list[Any]]] = json.loads((reference_dir / "growthbook_cases.json").read_text())
    return cases


def test_hash_vectors_in_sql(connect: Connect, vectors: dict[str, list[list[Any]]]) -> None:
    connection = connect()
    for seed, value, version, expected in vectors["hash"]:
        row = connection.execute("select awf.hash_unit(%s, %s, %s)", [seed, value, version]).fetchone()
        assert row == (expected,)


def test_weight_vectors_in_sql(connect: Connect, vectors: dict[str, list[list[Any]]]) -> None:
    connection = connect()
    for n, expected in vectors["getEqualWeights"]:
        row = connection.execute("select awf.equal_weights(%s)", [n]).fetchone()
        assert row == (pytest.approx(expected),)


def test_range_vectors_in_sql(connect: Connect, vectors: dict[str, list[list[Any]]]) -> None:
    connection = connect()
    for name, (count, coverage, weights), expected in vectors["getBucketRange"]:
        row = connection.execute(
            "select awf.bucket_ranges(%s, %s, %s::float8[])", [count, coverage, weights]
        ).fetchone()
        assert row is not None
        assert [bound for pair in row[0] for bound in pair] == pytest.approx(
            [bound for pair in expected for bound in pair]
        ), name


def test_choice_vectors_in_sql(connect: Connect, vectors: dict[str, list[list[Any]]]) -> None:
    connection = connect()
    for name, n, ranges, expected in vectors["chooseVariation"]:
        row = connection.execute("select awf.choose_variation(%s, %s)", [n, Jsonb(ranges)]).fetchone()
        assert row == (expected,), name


def test_namespace_vectors(connect: Connect, vectors: dict[str, list[list[Any]]]) -> None:
    connection = connect()
    for name, value, namespace, expected in vectors["inNamespace"]:
        row = connection.execute("select awf.in_namespace(%s, %s)", [value, Jsonb(namespace)]).fetchone()
        assert row == (expected,), name
        assert evaluate.in_namespace(value, namespace) == expected, name


def test_sticky_vectors(connection: Connection, vectors: dict[str, list[list[Any]]]) -> None:
    for name, context, documents, feature, expected, kept in vectors["stickyBucket"]:
        rule = context["features"][feature]["rules"][0]
        known = context["attributes"]
        names = [rule["hashAttribute"], rule.get("fallbackAttribute", rule["hashAttribute"])]
        unit = next([one, known[one]] for one in names if one in known)
        # The attribute that comes first counts most, so it goes last.
        units = [[one, known[one]] for one in reversed(names) if one in known]
        turn = {
            "session": unit[1],
            "player": None,
            "defaults": {},
            "attributes": known,
            "at": FIRST,
            "opted_in": None,
            "sticky": evaluate.sticky_assignments(documents, units),
        }
        row = connection.execute(
            "select awf.sticky_assignments(%s, %s)", [Jsonb(documents), Jsonb(units)]
        ).fetchone()
        assert row == (turn["sticky"],), name
        config = {"version": 2, "revision": 1, "knobs": {}, "experiments": [from_rule(feature, rule)]}
        ours = Evaluator(config).evaluate(**turn_arguments(turn))
        row = connection.execute(EVALUATE, as_json({"config": config, **turn})).fetchone()
        assert row == (document_of(ours), ours.reasons), name
        (reason,) = ours.reasons.values()
        if expected is None:
            assert (ours.exposures, reason) == ([], "blocked"), name
        else:
            (exposure,) = ours.exposures
            assert (exposure["variation"], exposure["id"]) == (expected["key"], expected["variationId"]), name
            assert (reason == "sticky") == expected["stickyBucketUsed"], name
        assert kept_documents(documents, units, unit, ours.sticky) == kept, name


def from_rule(feature: str, rule: Mapping[str, Any]) -> dict[str, Any]:
    """An experiment of our configuration for a rule of GrowthBook's."""
    count = len(rule["variations"])
    key = rule.get("key", feature)
    only_phase = {
        "phase": 1,
        "startAt": "-infinity",
        "hashSeed": rule.get("seed", key),
        "condition": rule.get("condition", {}),
        "bucketVersion": rule.get("bucketVersion", 0),
        "minBucketVersion": rule.get("minBucketVersion", 0),
        "ranges": evaluate.bucket_ranges(count, rule.get("coverage", 1), rule.get("weights")),
        "variations": [{"key": str(n), "id": n} for n in range(count)],
    }
    return {
        "key": key,
        "hashBasis": "session",
        "hashVersion": rule.get("hashVersion", 1),
        "optIn": False,
        "sticky": not rule.get("disableStickyBucketing", False),
        "layer": None,
        "guardrails": {},
        "params": {},
        "overrides": {},
        "phases": [only_phase],
    }


def kept_documents(
    documents: Any, units: list[list[str]], unit: list[str], sticky: Mapping[str, str]
) -> dict[str, Any]:
    """The documents of the units after the turn, as GrowthBook's service has them."""
    kept = {
        f"{one['attributeName']}||{one['attributeValue']}": one
        for one in documents
        if [one["attributeName"], one["attributeValue"]] in units
    }
    name, value = unit
    known = kept.get(f"{name}||{value}", {"attributeName": name, "attributeValue": value, "assignments": {}})
    if sticky:
        kept[f"{name}||{value}"] = known | {"assignments": known["assignments"] | sticky}
    return kept
