"""Whatever JSON an admin sends is stored or refused with an error of ours; what is stored breaks no turn."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from awf_pg.evaluate import Evaluator
from tests import scale, servers
from tests.conditions import conditions, json_values

Connection = psycopg.Connection[tuple[Any, ...]]
Call = tuple[str, tuple[Any, ...]]

PLAYER = "ab" * 32
ATTRIBUTES: dict[str, Any] = {"locale": "de-DE", "world": "a", "level": 8, "tags": ["a", "B"]}
SHIFTS = [timedelta(0), timedelta(days=-400), timedelta(days=8000)]

EXPERIMENT = """
select awf.create_experiment(
    'x', 'X', '[{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50}]'
);
select awf.create_variation('x', 'a', '{"maxOutputTokens": 1200}'), awf.create_variation('x', 'b', '{}');
"""


def nested(depth: int, opening: Any) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = opening(value)
    return value


# Values that look like nothing, and those that look like something and are not.
garbage = (
    json_values
    | st.sampled_from(
        [
            10**400,
            -(10**400),
            10**30,
            2**31,
            2**63,
            -1,
            0.1,
            1e-320,
            5e-324,
            1.5,
            1e308,
            "1",
            "",
            " ",
            "\u0001",
            "$",
        ]
    )
    | st.sampled_from(
        ["x" * 5000, "'; drop table awf.experiments; --", "%s", "\\", "\u202e", "infinity", "NaN"]
    )
    | st.just(nested(1000, lambda inner: [inner]))
    | st.just(nested(1000, lambda inner: {"a": inner}))
    | st.just([[]] * 2000)
)


def mostly(
    plausible: st.SearchStrategy[Any], other: st.SearchStrategy[Any] = garbage
) -> st.SearchStrategy[Any]:
    """Rarely the other one: many of those would have every document refused for its first fault."""
    return st.integers(0, 2**32).flatmap(lambda n: other if n % 12 == 7 else plausible)


keys = mostly(st.sampled_from(["a", "b", "c"]))
numbers = mostly(
    st.sampled_from([0, 0.0, 0.5, 1, 1.0, 10, 50, 100, 99.99999, 33.3333, 66.6667, 1000, 1500, 10**6])
)
knobs = mostly(st.sampled_from(["maxOutputTokens", "toolMaxCalls", "maxChoices", "txtSentenceCap"])).filter(
    lambda name: isinstance(name, str)
)
names = mostly(knobs, st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=3))
coverages = mostly(st.sampled_from([0, 0.1, 0.25, 0.5, 0.9, 1]))
times = mostly(
    st.none()
    | st.sampled_from(
        [
            "2025-01-01",
            "2025-01-01T00:00:00Z",
            "2040-01-01T00:00:00+02:00",
            "infinity",
            "-infinity",
            "now",
            "epoch",
        ]
    )
    | st.sampled_from(
        ["2025-13-45", "294277-01-01", "4714-11-23 BC", "4000-01-01 BC", "20400-01-01", "tomorrow", "24:00"]
    )
)

allocations = mostly(
    st.sampled_from(
        [
            [{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50}],
            [{"variation": "b", "percent": 100}],
            [{"variation": "a", "percent": 0}, {"variation": "b", "percent": 100}],
            [{"variation": "a", "percent": 33.3333}, {"variation": "b", "percent": 66.6667}],
            [],
        ]
    )
    | st.lists(
        mostly(st.fixed_dictionaries({"variation": keys, "percent": numbers}, optional={"x": garbage})),
        max_size=4,
    )
)
params = mostly(st.dictionaries(names, mostly(numbers | st.booleans()), max_size=3))
guardrails = mostly(
    st.dictionaries(
        names,
        mostly(numbers | st.fixed_dictionaries({}, optional={"min": numbers, "max": numbers})),
        max_size=3,
    )
)
slots = mostly(st.lists(mostly(st.integers(-1, 1001)), min_size=2, max_size=2).map(list))
ramps = mostly(
    st.lists(mostly(st.fixed_dictionaries({"coverage": coverages, "at": times})), max_size=4)
    | st.sampled_from(
        [
            [{"coverage": 0.1, "at": None}, {"coverage": 1, "at": None}],
            [{"coverage": 0.1, "at": "2040-01-01"}, {"coverage": 1, "at": "2041-01-01"}],
            [{"coverage": 0.1, "at": "2025-01-01"}, {"coverage": 1, "at": "2041-01-01"}],
        ]
    )
)
fields: dict[str, st.SearchStrategy[Any]] = {
    "coverage": coverages,
    "hashSeed": mostly(st.sampled_from(["", "s", "é", "\U0001f600" * 3, "x" * 3000])),
    "hashVersion": mostly(st.sampled_from([1, 2])),
    "condition": mostly(conditions),
    "layer": mostly(st.sampled_from(["sessions", "players", "none", None])),
    "slots": slots,
    "optIn": mostly(st.booleans()),
    "sticky": mostly(st.booleans()),
    "allowOverlap": mostly(st.booleans()),
    "owner": garbage,
    "hypothesis": garbage,
    "tags": mostly(st.lists(mostly(st.sampled_from(["a", "b"])), max_size=3)),
    "ramp": ramps,
}
more_fields = {
    **fields,
    "name": mostly(st.just("X")),
    "hashBasis": mostly(st.sampled_from(["session", "player"])),
    "allocations": allocations,
    "guardrails": guardrails,
    "startAt": times,
    "stopAt": times,
    "conclusion": garbage,
    "status": garbage,
    "": garbage,
}


def some_of(strategies: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """A few fields at a time: with all of them one bad value would always refuse the others."""
    return st.lists(st.sampled_from(sorted(strategies)), max_size=4, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({name: strategies[name] for name in chosen})
    )


changes = mostly(some_of(more_fields))
texts = (
    st.sampled_from(["x", "y", "a", "b", "sessions", "s-1", PLAYER, "", "é" * 100, "x" * 300, " "])
    | st.none()
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
)
experiment_keys = mostly(st.sampled_from(["x"] * 7 + ["y"]), texts)
variation_keys = mostly(st.sampled_from(["a", "b", "c"]), texts)
titles = mostly(st.none() | st.just("a title"), texts)
revisions = mostly(st.none(), st.integers(-1, 5) | st.just(2**62))
shares = st.sampled_from(["0", "0.05", "0.0005", "0.999", "1", "-1", "2", "NaN", "Infinity", "1e-300"]).map(
    Decimal
)
moments = mostly(
    st.none() | st.datetimes(datetime(2024, 1, 1), datetime(2050, 1, 1)),
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),
)


def call(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    return st.tuples(st.just(name), st.tuples(*arguments))


def json_of(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A JSON argument, or NULL now and then."""
    return mostly(strategy.map(Jsonb), st.none())


calls = st.one_of(
    call(
        "create_experiment",
        mostly(st.just("y"), texts),
        titles,
        json_of(allocations),
        mostly(st.sampled_from(["session", "player", None]), texts),
        json_of(guardrails),
        moments,
        moments,
        json_of(mostly(some_of(fields))),
    ),
    call("update_experiment", experiment_keys, json_of(changes), revisions),
    call("update_experiment", st.just("x"), json_of(some_of(more_fields)), st.none()),
    call("create_variation", experiment_keys, variation_keys, json_of(params), revisions),
    call("update_variation", experiment_keys, variation_keys, json_of(params), revisions),
    call("delete_variation", experiment_keys, variation_keys),
    call("start_experiment", experiment_keys, revisions),
    call("stop_experiment", experiment_keys, titles),
    call(
        "open_phase",
        experiment_keys,
        json_of(changes),
        mostly(st.sampled_from([None, "keep", "reassign", "exclude"]), texts),
        revisions,
    ),
    call("set_ramp", experiment_keys, json_of(ramps), revisions),
    call("advance_ramp", experiment_keys),
    call(
        "set_override",
        experiment_keys,
        mostly(st.sampled_from(["s-1", PLAYER]), texts),
        variation_keys,
        titles,
    ),
    call("create_layer", mostly(st.just("third"), texts), mostly(st.just("session"), texts), titles, shares),
    call("set_holdout", mostly(st.just("sessions"), texts), shares),
    call("delete_layer", mostly(st.sampled_from(["third", "sessions"]), texts)),
    call(
        "create_from_template",
        mostly(st.sampled_from(["token-budget", "choice-count", "mine"]), texts),
        mostly(st.just("y"), texts),
        titles,
        json_of(
            mostly(some_of({**more_fields, "variations": mostly(st.dictionaries(names, params, max_size=2))}))
        ),
    ),
    call("save_template", mostly(st.just("mine"), texts), experiment_keys, titles),
    call("delete_template", mostly(st.just("mine"), texts)),
    call(
        "set_setting",
        mostly(st.sampled_from(["hash_basis", "model_max_output_tokens", "tool_max_calls_per_turn"]), texts),
        json_of(mostly(st.sampled_from(["player", 0, 1, 1000]))),
    ),
)


@pytest.fixture(scope="module")
def connection(server: servers.Server) -> Iterator[Connection]:
    server.create_database("t_fuzz", servers.TEMPLATE)
    with psycopg.connect(server.dsn_of("t_fuzz"), autocommit=True) as opened:
        opened.execute(
            "select awf.create_layer('sessions', 'session'), awf.create_layer('players', 'player')"
        )
        yield opened
    server.drop_database("t_fuzz")


def attempt(connection: Connection, name: str, arguments: tuple[Any, ...]) -> bool:
    """Whether the call was accepted; an error that is not ours fails the test."""
    places = ", ".join(["%s"] * len(arguments))
    try:
        with connection.transaction():
            connection.execute(f"select awf.{name}({places})".encode(), arguments)
    except psycopg.Error as error:
        if not (error.sqlstate or "").startswith("WF"):
            raise
        return False
    return True


def check_turns(connection: Connection) -> None:
    """Every way to ask for an assignment answers, and the client's agrees with SQL's."""
    row = connection.execute("select awf.active_config(), now()").fetchone()
    assert row is not None
    document, now = row
    evaluator = Evaluator(document)
    units = ("s-1", PLAYER)
    for shift in SHIFTS:
        at = now + shift
        ours = evaluator.evaluate(*units, {"maxOutputTokens": 1}, ATTRIBUTES, at)
        asked = [document, *units, {"maxOutputTokens": 1}, ATTRIBUTES, at]
        found = connection.execute(
            "select awf._evaluate(%s, %s, %s, %s, %s, %s), awf.turn_params(%s, %s, '{}', %s, %s)",
            [*map(as_json, asked), *map(as_json, [*units, ATTRIBUTES, at])],
        ).fetchone()
        assert found is not None
        theirs = found[0]
        assert {name: getattr(ours, name) for name in theirs} == theirs
    connection.execute(
        "select awf.turn_params('s-1', null), awf.turn_params('s-1', null, '{}', '{}', 'infinity')"
    )
    for key, basis, status in connection.execute(
        "select e.key, e.hash_basis, e.status from awf.experiments as e"
    ).fetchall():
        unit = "s-1" if basis == "session" else PLAYER
        for at in [None, *(now + shift for shift in SHIFTS), "infinity", "-infinity"]:
            answers = connection.execute(
                """
                select
                    awf.assign(%(key)s, 's-1', %(player)s, %(seen)s, %(at)s),
                    (select a.variation_key from awf.assign_many(%(key)s, %(units)s, %(seen)s, %(at)s) as a),
                    (
                        select count(*)
                        from awf.explain_assignment(%(key)s, 's-1', %(player)s, %(seen)s, %(at)s)
                    )
                """,
                {
                    "key": key,
                    "player": PLAYER,
                    "seen": Jsonb(ATTRIBUTES),
                    "at": at,
                    "units": [unit],
                },
            ).fetchone()
            assert answers is not None
            assert answers[0] == answers[1]
        connection.execute(
            "select awf.get_experiment(%(key)s), "
            "(select count(*) from awf.simulate_assignment(%(key)s, 10)), "
            "(select count(*) from awf.list_phases(%(key)s)), "
            "(select count(*) from awf.list_overrides(%(key)s)), "
            "(select count(*) from awf.verify_assignments(%(key)s)), "
            "(select count(*) from awf.experiment_report(%(key)s))",
            {"key": key},
        )
        assert status in ("draft", "running", "stopped")
    connection.execute(
        "select (select count(*) from awf.list_experiments()), (select count(*) from awf.list_layers()), "
        "(select count(*) from awf.layers as l cross join lateral awf.layer_map(l.key))"
    )


def as_json(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, dict) else value


@given(st.lists(calls, min_size=1, max_size=6), st.booleans())
@settings(max_examples=scale.examples(3000))
def test_nothing_breaks_a_turn(connection: Connection, made: list[Call], first_started: bool) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute(EXPERIMENT)
        if first_started:
            assert attempt(connection, "start_experiment", ("x",))
        for name, arguments in made:
            attempt(connection, name, arguments)
        for key in ("x", "y"):
            attempt(connection, "start_experiment", (key,))
        check_turns(connection)


@pytest.mark.parametrize("name", sorted(more_fields))
@given(data=st.data())
@settings(max_examples=scale.examples(200))
def test_every_field_alone(connection: Connection, name: str, data: st.DataObject) -> None:
    """One field at a time gets further than several, any of which may be refused."""
    value = data.draw(more_fields[name])
    with connection.transaction(force_rollback=True):
        connection.execute(EXPERIMENT)
        more: dict[str, Any] = {}
        if name in ("layer", "slots"):
            more = {"layer": "sessions", "slots": [0, 500]}
        attempt(connection, "update_experiment", ("x", Jsonb({**more, name: value})))
        if attempt(connection, "start_experiment", ("x",)):
            attempt(connection, "open_phase", ("x", Jsonb({name: value})))
            attempt(connection, "update_experiment", ("x", Jsonb({name: value})))
        check_turns(connection)


def test_an_error_that_is_not_ours_is_found(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.UndefinedFunction):
        attempt(connection, "no_such_function", ())
    assert not attempt(connection, "start_experiment", ("none",))
