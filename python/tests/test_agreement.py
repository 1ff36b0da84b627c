"""The evaluator in SQL and the one in Python give the same answer, and both agree with the public vectors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from awf_pg import evaluate
from awf_pg.evaluate import Evaluator
from tests import scale, servers
from tests.conditions import attributes, conditions, json_values
from tests.conftest import Connect

KNOBS = {
    "whole": {"type": "integer", "min": 1, "max": 100},
    "real": {"type": "number", "min": None, "max": 10.5},
    "flag": {"type": "boolean", "min": None, "max": None},
}
PLAYER = "ab" * 32

numbers = st.integers(-200, 200) | st.decimals(-200, 200, places=2, allow_nan=False).map(float)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
values = numbers | st.booleans() | texts | st.none() | st.just([1])
names = st.sampled_from([*KNOBS, "unknown"])
params = st.dictionaries(names, values, max_size=4)
bounds = st.fixed_dictionaries({}, optional={"min": numbers, "max": numbers})
edges = st.none() | st.sampled_from(
    ["2025-01-01T00:00:00+00:00", "2025-01-02T00:00:00+00:00", "2025-01-03T01:30:00+01:30"]
)


@st.composite
def experiments(draw: st.DrawFn, key: str) -> dict[str, Any]:
    count = draw(st.integers(1, 4))
    weights = draw(
        st.none() | st.lists(st.integers(0, 10).map(lambda tenth: tenth / 10), min_size=count, max_size=count)
    )
    return {
        "key": key,
        "hashBasis": draw(st.sampled_from(["session", "player"])),
        "hashSeed": draw(texts),
        "hashVersion": draw(st.sampled_from([1, 2])),
        "condition": draw(st.just({}) | conditions | json_values),
        "startAt": draw(edges),
        "stopAt": draw(edges),
        "ranges": evaluate.bucket_ranges(count, draw(st.floats(0, 1)), weights),
        "variations": [{"key": f"v{n}", "id": n, "params": draw(params)} for n in range(count)],
        "guardrails": draw(st.dictionaries(st.sampled_from(sorted(KNOBS)), bounds, max_size=2)),
    }


configs = st.integers(0, 3).flatmap(lambda count: st.tuples(*(experiments(f"e{n}") for n in range(count))))
moments = st.sampled_from(
    [datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 2, tzinfo=UTC), datetime(2025, 1, 5, tzinfo=UTC)]
)


@pytest.fixture(scope="module")
def connection(server: servers.Server) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    server.create_database("t_agreement", servers.TEMPLATE)
    with psycopg.connect(server.dsn_of("t_agreement"), autocommit=True) as opened:
        yield opened
    server.drop_database("t_agreement")


@given(configs, st.none() | texts, st.none() | st.just(PLAYER), params, attributes, moments)
@settings(max_examples=scale.examples(5000))
def test_sql_and_python_evaluate_alike(
    connection: psycopg.Connection[tuple[Any, ...]],
    config: tuple[dict[str, Any], ...],
    session: str | None,
    player: str | None,
    defaults: dict[str, Any],
    attributes: dict[str, Any],
    at: datetime,
) -> None:
    document = {"version": 1, "revision": 1, "knobs": KNOBS, "experiments": list(config)}
    ours = Evaluator(document).evaluate(session, player, defaults, attributes, at)
    row = connection.execute(
        "select awf._evaluate(%s, %s, %s, %s, %s, %s)",
        [Jsonb(document), session, player, Jsonb(defaults), Jsonb(attributes), at],
    ).fetchone()
    assert row == ({"params": ours.params, "exposures": ours.exposures, "invalid": ours.invalid},)


@given(texts, texts, st.sampled_from([0, 1, 2, 3]))
@settings(max_examples=scale.examples(5000))
def test_sql_and_python_hash_alike(
    connection: psycopg.Connection[tuple[Any, ...]], seed: str, value: str, version: int
) -> None:
    row = connection.execute("select awf.hash_unit(%s, %s, %s)", [seed, value, version]).fetchone()
    assert row == (evaluate.hash_unit(seed, value, version),)


@given(st.integers(0, 6), st.floats(-0.5, 1.5), st.none() | st.lists(st.floats(0, 1), max_size=6))
@settings(max_examples=scale.examples(5000))
def test_sql_and_python_cut_the_same_ranges(
    connection: psycopg.Connection[tuple[Any, ...]], count: int, coverage: float, weights: list[float] | None
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
