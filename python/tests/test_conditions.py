"""Conditions: the public vectors, SQL and Python in agreement, and what saving refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from growthbook import core as growthbook
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from awf_pg.conditions import Condition, matches
from tests import scale, servers
from tests.conditions import (
    attributes,
    conditions,
    conditions_of,
    groups,
    json_values,
    patterns,
    shared_operators,
)
from tests.conftest import Connect

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="module")
def connection(server: servers.Server) -> Iterator[Connection]:
    server.create_database("t_conditions", servers.TEMPLATE)
    with psycopg.connect(server.dsn_of("t_conditions"), autocommit=True) as opened:
        yield opened
    server.drop_database("t_conditions")


@pytest.fixture(scope="module")
def cases(reference_dir: Path) -> list[list[Any]]:
    vectors: dict[str, list[list[Any]]] = json.loads((reference_dir / "growthbook_cases.json").read_text())
    return vectors["evalCondition"]


def test_vectors(cases: list[list[Any]]) -> None:
    assert len(cases) > 200
    for name, condition, given_attributes, expected, *saved in cases:
        assert matches(condition, given_attributes, *saved) == expected, name


def test_vectors_in_sql(connect: Connect, cases: list[list[Any]]) -> None:
    connection = connect("reader")
    for name, condition, given_attributes, expected, *saved in cases:
        row = connection.execute(
            "select awf.matches(%s, %s, %s)",
            [Jsonb(condition), Jsonb(given_attributes), Jsonb(saved[0] if saved else {})],
        ).fetchone()
        assert row == (expected,), name


def agree(connection: Connection, condition: Any, given_attributes: Any, members: Any) -> None:
    row = connection.execute(
        "select awf.matches(%s, %s, %s), awf._condition_fault(%s)",
        [Jsonb(condition), Jsonb(given_attributes), Jsonb(members), Jsonb(condition)],
    ).fetchone()
    ours = Condition(condition, members)
    assert row == (ours.matches(given_attributes), ours.fault)


@given(conditions, attributes, groups)
@settings(max_examples=scale.examples(5000))
def test_sql_and_python_match_alike(
    connection: Connection, condition: Any, given_attributes: Any, members: Any
) -> None:
    agree(connection, condition, given_attributes, members)


@given(json_values, json_values)
@settings(max_examples=scale.examples(5000))
@example({"a": "x", "$not": {"$or": [{"a": {"$in": "x"}}]}}, {"a": "x"})
def test_any_document_is_evaluated_alike(
    connection: Connection, condition: Any, given_attributes: Any
) -> None:
    agree(connection, condition, given_attributes, {})


letters = st.text(st.sampled_from("aAbBzZ-1. \n_éÉ\u017fKk&|~"), max_size=8)
any_pattern = patterns | st.text(st.sampled_from("aB-1.\\dwsb[]^$|()?*+{},:2é&~"), max_size=12)


@given(any_pattern, letters, st.sampled_from(["$regex", "$regexi", "$notRegex", "$notRegexi"]))
@settings(max_examples=scale.examples(5000))
def test_regular_expressions_mean_the_same(
    connection: Connection, pattern: str, text: str, operator: str
) -> None:
    agree(connection, {"x": {operator: pattern}}, {"x": text}, {})


def is_ascii(*documents: Any) -> bool:
    return all(json.dumps(document, ensure_ascii=False).isascii() for document in documents)


# Their package orders values of one type only and sees no number larger than a double; those are left out.
simple_members = st.fixed_dictionaries({"one": st.lists(st.sampled_from(["a", "A", 1, 8]), max_size=3)})


@given(conditions_of(shared_operators), attributes, simple_members)
@settings(max_examples=scale.examples(5000))
def test_growthbook_matches_alike(condition: Any, given_attributes: Any, members: Any) -> None:
    ours = Condition(condition, members)
    if ours.fault is None and is_ascii(condition, given_attributes):
        theirs = growthbook.evalCondition(given_attributes, condition, members)
        assert ours.matches(given_attributes) == theirs


@pytest.mark.parametrize("other", [(1, 2), {3}, b"x", object(), float("nan"), "\ud800"])
@given(condition=conditions)
def test_attributes_from_python_never_raise(condition: Any, other: Any) -> None:
    names = ("locale", "world", "player", "level", "tags", "v")
    Condition(condition).matches(dict.fromkeys(names, other))


@pytest.mark.parametrize("depth", [32, 33, 500])
def test_depth(connection: Connection, depth: int) -> None:
    condition: Any = {}
    for _ in range(depth):
        condition = {"$not": condition}
    agree(connection, condition, {}, {})
    assert (Condition(condition).fault is None) == (depth <= 32)


@given(json_values | conditions)
@settings(max_examples=scale.examples(1000))
def test_saving_takes_a_condition_or_names_the_fault(connection: Connection, condition: Any) -> None:
    fault = Condition(condition).fault
    with connection.transaction(force_rollback=True):
        statement = "select awf.create_experiment('x', 'X', p_settings => %s) -> 'condition'"
        try:
            row = connection.execute(statement, [Jsonb({"condition": condition})]).fetchone()
            refusal = None
        except psycopg.errors.DatabaseError as error:
            row, refusal = None, error
    if fault is None:
        assert refusal is None
        assert row is not None
        assert Condition(row[0]).fault is None
    else:
        assert refusal is not None
        assert refusal.sqlstate == "WF113"
        assert refusal.diag.message_primary == f'condition of experiment "x" is malformed at {fault}'


@given(json_values, attributes)
@settings(max_examples=scale.examples(1000))
def test_a_condition_behind_the_functions_back_never_raises(
    connection: Connection, condition: Any, given_attributes: Any
) -> None:
    """Whatever object stands in the table, assign() and turn_params() answer, and answer the same."""
    with connection.transaction(force_rollback=True):
        connection.execute("update awf.experiments set status = 'running', start_at = '2025-01-01'")
        connection.execute("update awf.experiments set condition = %s", [Jsonb({"a": condition})])
        connection.execute("select awf._write_timeline(id, start_at) from awf.experiments")
        row = connection.execute(
            "select awf.assign('awf-default-test', 's', p_attributes => %s),"
            " awf.turn_params('s', null, p_attributes => %s) #>> '{exposures,0,variation}'",
            [Jsonb(given_attributes), Jsonb(given_attributes)],
        ).fetchone()
    assert row is not None
    assert row[0] == row[1]
    assert (row[0] is not None) == matches({"a": condition}, given_attributes)
