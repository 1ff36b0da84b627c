"""Whatever the order of ingest, refresh and backfill, the rollups equal a recount of the events."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from awf_pg import Api
from tests import recount, scale, servers

Connection = psycopg.Connection[tuple[Any, ...]]

DAYS = 3
FIRST = datetime(2025, 1, 14, tzinfo=UTC)
PLAYERS = ["aa" * 32, "bb" * 32]
EXPERIMENTS = {"by-session": "session", "by-player": "player"}
# Each experiment opens its second phase once; events arrive in any order around it.
SECOND_PHASE = {
    "by-session": FIRST + timedelta(days=1, hours=12),
    "by-player": FIRST + timedelta(days=2),
}

FIRST_EXPOSURES = """
select distinct on (1, 2, 3)
    p.id, case p.hash_basis when 'player' then encode(e.player_hash, 'hex') else e.session_id end,
    case when e.ts < s.second_phase then 1 else 2 end, v.id, e.locale_id, e.ts, e.id, e.player_hash
from awf.turn_events as e
cross join lateral unnest(e.assignments) as a (id)
inner join awf.variation_ids as v on v.id = a.id
inner join awf.experiments as p on p.id = v.experiment_id
inner join unnest(%(keys)s::text[], %(times)s::timestamptz[]) as s (key, second_phase) on s.key = p.key
order by 1, 2, 3, e.ts, e.id
"""
EXPOSURES = """
select experiment_id, unit_id, phase, variation_id, locale_id, first_ts, event_id, player_hash
from awf.exposures order by 1, 2, 3
"""

moments = st.integers(0, DAYS * 24 * 3600 - 1).map(
    lambda second: FIRST + timedelta(seconds=second)
) | st.sampled_from(
    [
        moment - timedelta(microseconds=before)
        for moment in (FIRST + timedelta(days=1), *SECOND_PHASE.values())
        for before in (0, 1)
    ]
)
events = st.fixed_dictionaries(
    {
        "id": st.uuids(version=4).map(str),
        "ts": moments.map(datetime.isoformat),
        "session_id": st.sampled_from(["s-1", "s-2", "s-3"]),
        "player_hash": st.sampled_from(PLAYERS),
        "world_ref": st.sampled_from(["w-1", "w-2"]),
        "adventure_ref": st.sampled_from(["a-1", "a-2"]),
        "locale": st.sampled_from(["en-US", "de-DE"]),
        "assignments": st.lists(st.sampled_from(sorted(EXPERIMENTS)), unique=True).flatmap(
            lambda keys: st.tuples(
                *(
                    st.fixed_dictionaries({"experiment": st.just(key), "variation": st.sampled_from("xy")})
                    for key in keys
                )
            ).map(list)
        ),
        "metrics": st.fixed_dictionaries(
            {},
            optional={
                "turnLatencyMs": st.integers(0, 2**31 - 1).map(lambda us: us / 1000),
                "outputTokens": st.integers(0, 2**31 - 1),
                "failed": st.booleans(),
                "model": st.sampled_from(["m-1", "m-2"]),
            },
        ),
    }
)
# A writer begins a batch or ends one, so that batches stay open across refreshes.
steps = st.lists(
    st.tuples(st.just("ingest"), st.integers(0, 2), st.lists(events, min_size=1, max_size=6))
    | st.tuples(st.just("again"), st.integers(0, 2))
    | st.tuples(st.just("commit"), st.integers(0, 2))
    | st.tuples(st.just("rollback"), st.integers(0, 2))
    | st.tuples(st.just("refresh"))
    | st.tuples(st.just("backfill"), st.integers(0, DAYS - 1), st.integers(0, DAYS - 1))
    | st.tuples(st.just("forget"), st.sampled_from(PLAYERS))
    | st.tuples(st.just("history"), st.integers(0, DAYS)),
    max_size=15,
)


@pytest.fixture(scope="module")
def database(server: servers.Server) -> Iterator[str]:
    """One database for all examples: making one takes longer than an example."""
    server.create_database("t_rollups", servers.TEMPLATE)
    dsn = server.dsn_of("t_rollups")
    with Api(dsn) as api:
        for key, basis in EXPERIMENTS.items():
            api.create_experiment(key, key, [{"variation": v, "percent": 50} for v in "xy"], hash_basis=basis)
            for variation in "xy":
                api.create_variation(key, variation)
    with psycopg.connect(dsn) as connection:
        for key, moment in SECOND_PHASE.items():
            at(connection, FIRST, "select awf.start_experiment(%s)", key)
            at(connection, moment, "select awf.open_phase(%s)", key)
        # A day's partition is made under a lock that lasts until the commit; here writers wait for nobody.
        for day in range(DAYS):
            connection.execute("select awf.open_batch(%s, 0)", [(FIRST + timedelta(days=day)).date()])
    yield dsn
    server.drop_database("t_rollups")


def at(connection: Connection, moment: datetime, statement: str, key: str) -> None:
    """Run a statement as if it were that moment."""
    now = "create or replace function awf._now() returns timestamptz language sql stable parallel safe return"
    connection.execute("set role awf_owner")
    connection.execute(f"{now} timestamptz '{moment.isoformat()}'".encode())
    connection.execute(statement.encode(), [key])
    connection.execute(f"{now} now()".encode())
    connection.execute("reset role")


@given(steps)
@settings(max_examples=scale.examples(500))
def test_any_interleaving_equals_a_recount(database: str, steps: list[tuple[Any, ...]]) -> None:
    with ExitStack() as stack:
        writers = [stack.enter_context(psycopg.connect(database)) for _ in range(3)]
        keeper = stack.enter_context(psycopg.connect(database, autocommit=True))
        rollups = ", ".join(f"awf.{name}" for name in recount.ROLLUPS)
        keeper.execute(
            f"truncate {rollups}, awf.turn_events, awf.ingest_log, awf.exposures,"
            " awf.rejected_events".encode()
        )
        keeper.execute("truncate awf.dimensions restart identity")
        add_dimensions(keeper)
        sent: list[list[Any]] = [[], [], []]
        for name, *arguments in steps:
            act(name, arguments, writers, keeper, sent)
        for writer in writers:
            writer.commit()
        assert_refreshed(keeper)


KNOWN = {
    "world": ["w-1", "w-2"],
    "adventure": ["a-1", "a-2"],
    "locale": ["en-US", "de-DE"],
    "model": ["m-1", "m-2"],
}


def add_dimensions(keeper: Connection) -> None:
    """Known beforehand: a new one would let a writer wait for another one's commit."""
    for kind, values in KNOWN.items():
        keeper.execute("select awf.dimension_ids(%s, %s)", [kind, values])


def act(
    name: str, arguments: list[Any], writers: list[Connection], keeper: Connection, sent: list[list[Any]]
) -> None:
    match name, arguments:
        case "ingest", [number, batch]:
            sent[number] = batch
            writers[number].execute("select awf.record_turns(%s)", [Jsonb(batch)])
        case "again", [number]:
            writers[number].execute("select awf.record_turns(%s)", [Jsonb(sent[number])])
        case "commit", [number]:
            writers[number].commit()
        case "rollback", [number]:
            writers[number].rollback()
        case "refresh", []:
            keeper.execute("select awf.refresh_rollups()")
        case "backfill", days:
            first, last = (FIRST + timedelta(days=day) for day in sorted(days))
            keeper.execute("select awf.backfill(%s, %s)", [first.date(), last.date()])
        case "forget", [player]:
            keeper.execute("select awf.forget_player(%s)", [player])
        case "history", [days]:
            keeper.execute("select awf.set_setting('history_days', %s)", [Jsonb(days)])


def assert_refreshed(keeper: Connection) -> None:
    while keeper.execute("select batches from awf.refresh_rollups()").fetchone() != (0,):
        pass
    recount.assert_equal(keeper)
    times = {"keys": list(SECOND_PHASE), "times": list(SECOND_PHASE.values())}
    assert keeper.execute(EXPOSURES).fetchall() == keeper.execute(FIRST_EXPOSURES, times).fetchall()
    keeper.execute("select awf.backfill(%s, %s)", [FIRST.date(), (FIRST + timedelta(days=DAYS)).date()])
    recount.assert_equal(keeper)


def test_a_refresh_takes_days_far_apart_and_batches_far_behind(server: servers.Server) -> None:
    days = [0, 1, 3, 40, 41, 400, *range(1000, 1140), 3000]
    server.create_database("t_far_apart", servers.TEMPLATE)
    dsn = server.dsn_of("t_far_apart")
    with psycopg.connect(dsn, autocommit=True) as keeper, psycopg.connect(dsn) as late:
        add_dimensions(keeper)
        with Api(dsn) as api:
            api.start_experiment("awf-default-test")
        # Beforehand: a new partition would let a writer wait for another one's commit.
        for place in days:
            keeper.execute("select awf.open_batch(%s::timestamptz::date, 0)", [turn(place, 0)["ts"]])
        for connection, places in ((late, days[::3]), (keeper, days), (keeper, days[::2])):
            turns = [turn(place, number) for number, place in enumerate(places)]
            connection.execute("select awf.record_turns(%s)", [Jsonb(turns)])
            keeper.execute("select nextval('awf.ingest_log_batch_id_seq') from generate_series(1, 700)")
        keeper.execute("select awf.refresh_rollups(50)")
        keeper.execute("select awf.refresh_rollups()")
        late.commit()
        keeper.execute("select awf.record_turns(%s)", [Jsonb([turn(place, 7) for place in days])])
        refreshed = keeper.execute("select days from awf.refresh_rollups()").fetchone()
        assert refreshed == (len(days),)
        recount.assert_equal(keeper)
    server.drop_database("t_far_apart")


def test_a_shared_session_of_which_no_event_is_left_is_no_unit(server: servers.Server) -> None:
    server.create_database("t_shared", servers.TEMPLATE)
    with psycopg.connect(server.dsn_of("t_shared"), autocommit=True) as keeper, keeper.cursor() as cursor:
        cursor.execute("select awf.start_experiment('awf-default-test')")
        # Session s-0: first one player, then the other; and s-3, the second one's own.
        turns = [turn(0, number) for number in (0, 3, 5)]
        cursor.execute("select awf.record_turns(%s)", [Jsonb(turns)])
        cursor.execute("select awf.refresh_rollups()")
        cursor.execute("drop table awf.turn_events_20170101")
        cursor.execute("select awf.forget_player(%s)", [turns[0]["player_hash"]])
        units = "select unit_id from awf.{} order by 1"
        kept = [cursor.execute(units.format(table)).fetchall() for table in ("exposures", "unit_totals")]
        assert kept == [[("s-3",)]] * 2
        # It comes back with the next turn, and with that one alone.
        cursor.execute("select awf.record_turn(%s)", [Jsonb(turn(1, 5))])
        cursor.execute("select awf.refresh_rollups()")
        cursor.execute("select unit_id, sum(turns)::integer from awf.unit_totals group by 1 order by 1")
        assert cursor.fetchall() == [("s-0", 1), ("s-3", 1)]
        cursor.execute(
            "select sum(units)::integer, sum(sum_d) from awf.experiment_moments where metric_id = 0"
        )
        assert cursor.fetchall() == [(2, 2)]
    server.drop_database("t_shared")


def turn(place: int, number: int) -> dict[str, Any]:
    """A turn of the day at that place, of one of five sessions that go on for ever."""
    return {
        "ts": (datetime(2017, 1, 1, 12, tzinfo=UTC) + timedelta(days=place, seconds=number)).isoformat(),
        "session_id": f"s-{number % 5}",
        "player_hash": PLAYERS[number % 2],
        "world_ref": KNOWN["world"][number % 2],
        "adventure_ref": "a-1",
        "experiment_key": "awf-default-test",
        "variation_key": ("control", "treatment")[number % 3 % 2],
        "metrics": {"turnLatencyMs": number, "outputTokens": number * number},
    }


def test_two_refreshes_at_once_count_nothing_twice(database: str) -> None:
    with psycopg.connect(database) as one, psycopg.connect(database, autocommit=True) as other:
        said: list[str | None] = []
        other.add_notice_handler(lambda notice: said.append(notice.message_primary))
        event = {"session_id": "s", "player_hash": "cc" * 32, "world_ref": "w-1", "adventure_ref": "a"}
        other.execute("select awf.record_turns(%s)", [Jsonb([{**event, "ts": FIRST.isoformat()}])])
        assert one.execute("select events from awf.refresh_rollups()").fetchone() == (1,)
        # The first holds the lock until it commits; the second leaves at once and empty-handed.
        assert other.execute("select batches, events from awf.refresh_rollups()").fetchone() == (0, 0)
        assert said == ["another refresh is at work"]
        one.commit()
        assert other.execute("select batches, events from awf.refresh_rollups()").fetchone() == (0, 0)


def test_opening_a_phase_waits_for_the_refresh_at_work(database: str) -> None:
    """Sticky units are known by their exposures, so none may be missing when the phase begins."""
    with (
        psycopg.connect(database) as refresher,
        psycopg.connect(database, autocommit=True) as other,
        ThreadPoolExecutor() as pool,
    ):
        other.execute("select awf.create_experiment('w', 'W', '[{\"variation\": \"a\", \"percent\": 100}]')")
        other.execute("select awf.create_variation('w', 'a')")
        other.execute("select awf.start_experiment('w')")
        event = {"player_hash": "cc" * 32, "world_ref": "w-1", "adventure_ref": "a"}
        carried = {"experiment_key": "w", "variation_key": "a"}
        other.execute("select awf.record_turn(%s)", [Jsonb({**event, **carried, "session_id": "claimed"})])
        refresher.execute("select awf.refresh_rollups()")
        other.execute("select awf.record_turn(%s)", [Jsonb({**event, **carried, "session_id": "waiting"})])
        opening = pool.submit(other.execute, "select awf.open_phase('w')")
        with pytest.raises(TimeoutError):
            opening.result(0.2)
        refresher.commit()
        opening.result(30)
        exposed = other.execute(
            "select unit_id, x.phase from awf.exposures as x"
            " inner join awf.experiments as e on e.id = x.experiment_id where e.key = 'w' order by 1"
        )
        assert exposed.fetchall() == [("claimed", 1), ("waiting", 1)]


def test_a_refresh_that_is_killed_leaves_its_batches_to_the_next(database: str) -> None:
    with psycopg.connect(database) as killed, psycopg.connect(database, autocommit=True) as other:
        event = {"session_id": "s", "player_hash": "cc" * 32, "world_ref": "w-1", "adventure_ref": "a"}
        other.execute("select awf.record_turns(%s)", [Jsonb([{**event, "ts": FIRST.isoformat()}])])
        assert killed.execute("select events from awf.refresh_rollups()").fetchone() == (1,)
        other.execute("select pg_terminate_backend(%s)", [killed.info.backend_pid])
        with pytest.raises(psycopg.OperationalError):
            killed.execute("select 1")
        assert other.execute("select events from awf.refresh_rollups()").fetchone() == (1,)
