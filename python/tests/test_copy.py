"""Batches of events on both paths, against a real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import psycopg
import psycopg_pool
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row, tuple_row

from awf_pg.admin import Api
from awf_pg.connect import Source
from awf_pg.copy import Refused, Writer, Written, _array, _microseconds, refuses_row
from awf_pg.event import METRICS, Event, new_id
from awf_pg.recorder import Recorder
from tests import scale
from tests.conftest import Connect

NOW = datetime.now(UTC).replace(microsecond=123_456)
HASH = bytes(range(32))


def event(number: int = 0, **changes: Any) -> Event:
    made = Event(
        session_id=f"s-{number}",
        player_hash=HASH,
        world_ref=f"world {number % 3}",
        adventure_ref="adventure",
        metrics={"outputTokens": number, "turnLatencyMs": number / 8},
        ts=NOW - timedelta(hours=number),
    )
    return replace(made, **changes)


@pytest.fixture
def writer(db: str) -> Iterator[Writer]:
    """A writer with the rights of one, no more."""
    made = Writer(Source(make_conninfo(db, user="t_writer"), None, "test"))
    yield made
    made.close()


@pytest.fixture
def query(connect: Connect) -> Any:
    connection = connect(autocommit=True)

    def run(statement: str) -> list[dict[str, Any]]:
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement.encode()).fetchall()

    return run


def test_every_column_arrives(writer: Writer, query: Any) -> None:
    metrics: dict[str, float | bool] = {name: float(place) for place, name in enumerate(METRICS)}
    extra = {"won": True, "score": 1.5}
    sent = event(locale="de-DE", model="small", assignments=(3, 9), failed=True, metrics={**metrics, **extra})
    assert writer.write([sent]) == Written("direct", 1)
    (row,) = query(
        """select e.*, w.value as world, a.value as adventure, l.value as locale, m.value as model
        from awf.turn_events as e
        join awf.dimensions as w on w.id = e.world_id join awf.dimensions as a on a.id = e.adventure_id
        join awf.dimensions as l on l.id = e.locale_id join awf.dimensions as m on m.id = e.model_id"""
    )
    assert (row["ts"], str(row["id"]), row["session_id"]) == (sent.ts, sent.id_text, "s-0")
    assert (row["player_hash"], row["failed"], row["assignments"]) == (HASH, True, [3, 9])
    assert (row["world"], row["adventure"], row["locale"], row["model"]) == (
        "world 0",
        "adventure",
        "de-DE",
        "small",
    )
    for name, column in METRICS.items():
        assert row[column] == metrics[name] * (1000 if column.endswith("_us") else 1), name
    assert row["extra"] == extra


def test_what_is_missing_stays_null(writer: Writer, query: Any) -> None:
    writer.write([event(metrics={})])
    (row,) = query("select * from awf.turn_events")
    for column in (*METRICS.values(), "model_id", "assignments", "extra"):
        assert row[column] is None, column


def test_all_days_of_a_batch_land_together(writer: Writer, query: Any) -> None:
    sent = [event(number) for number in range(100)]
    assert writer.write(sent) == Written("direct", 100)
    log = query("select day, path, rows, client, xid from awf.ingest_log order by day")
    assert [row["day"] for row in log] == sorted({one.ts.date() for one in sent})
    assert sum(row["rows"] for row in log) == 100
    assert {row["path"] for row in log} == {"direct"}
    assert {row["client"] for row in log} == {"test"}
    assert len({row["xid"] for row in log}) == 1


def test_a_batch_sent_twice_changes_nothing(writer: Writer, query: Any) -> None:
    sent = [event(number) for number in range(50)]
    writer.write(sent)
    before = query("select * from awf.turn_events order by ts, id")
    assert writer.write(sent) == Written("careful", 0, duplicate=50)
    assert writer.write([*sent, event(60)]) == Written("careful", 1, duplicate=50)
    after = query("select * from awf.turn_events where session_id <> 's-60' order by ts, id")
    assert before == after


DEEP: dict[str, Any] = {}
for _ in range(10_000):
    DEEP = {"deeper": DEEP}

BAD = {
    "NUL in a text": ({"session_id": "a\0b"}, "bad_text"),
    "half a surrogate pair": ({"world_ref": "\ud800"}, "bad_text"),
    "a text of another type": ({"session_id": 5}, "wrong_type"),
    "negative metric": ({"metrics": {"retries": -1}}, "bad_metric"),
    "metric beyond int4": ({"metrics": {"outputTokens": 2**31}}, "bad_metric"),
    "metric beyond int8": ({"metrics": {"outputTokens": 2**64}}, "bad_metric"),
    "metric beyond what Python writes out": ({"metrics": {"outputTokens": 10**5000}}, "bad_metric"),
    "latency beyond what Python writes out": ({"metrics": {"bundleMs": 10**5000}}, "bad_metric"),
    "extra beyond what Python writes out": ({"metrics": {"mood": 10**5000}}, "not_encodable"),
    "fraction of a token": ({"metrics": {"outputTokens": 1.5}}, "bad_metric"),
    "latency that is no number": ({"metrics": {"turnLatencyMs": float("nan")}}, "bad_metric"),
    "latency a little below zero": ({"metrics": {"bundleMs": -1e-6}}, "bad_metric"),
    "latency a little too long": ({"metrics": {"bundleMs": 2147483.6473}}, "bad_metric"),
    "endless latency": ({"metrics": {"modelLatencyMs": float("inf")}}, "bad_metric"),
    "extra that is no number": ({"metrics": {"mood": float("nan")}}, "bad_extra"),
    "NUL in the name of a metric": ({"metrics": {"a\0b": 1}}, "not_encodable"),
    "attributes deeper than Python writes out": ({"attributes": DEEP}, "not_encodable"),
    "unknown variation": ({"assignments": (("no-experiment", "x"),)}, "unknown_variation"),
    "NUL in a variation": ({"assignments": (("no\0experiment", "x"),)}, "unknown_variation"),
    "long ago": ({"ts": datetime(1990, 1, 1, tzinfo=UTC)}, "ts_out_of_window"),
    "first year": ({"ts": datetime(1, 1, 1, tzinfo=UTC)}, "ts_out_of_window"),
    "no session": ({"session_id": ""}, "missing_session"),
    "long session": ({"session_id": "s" * 201}, "too_long"),
    "no world": ({"world_ref": ""}, "missing_world"),
    "long world": ({"world_ref": "w" * 201}, "too_long"),
    "short hash": ({"player_hash": b"short"}, "bad_player_hash"),
}


@pytest.mark.parametrize(("changes", "reason"), BAD.values(), ids=BAD)
def test_one_bad_row_costs_the_others_nothing(
    writer: Writer, query: Any, changes: dict[str, Any], reason: str
) -> None:
    sent = [event(number) for number in range(10)]
    sent[3] = event(3, **changes)
    written = writer.write(sent)
    assert (written.path, written.accepted, written.duplicate, written.rejected) == ("careful", 9, 0, 1)
    assert [
        row["output_tokens"] for row in query("select output_tokens from awf.turn_events order by ts desc")
    ] == [number for number in range(10) if number != 3]
    (rejected,) = query("select * from awf.rejected_events")
    assert rejected["reason"] == reason
    assert rejected["detail"]
    assert rejected["event"]["id"] == sent[3].id_text


@pytest.mark.parametrize(
    "bad",
    [
        {"attributes": {"a\0b": 1}},
        {"attributes": {"\ud800": 1}},
        {"locale": "x" + "-abcdefgh" * 30},
        {"metrics": {"turnLatencyMs": 10**400}},
    ],
)
def test_whatever_is_refused_can_be_kept_aside(writer: Writer, query: Any, bad: dict[str, Any]) -> None:
    assert writer.write([event(0), event(1, **bad), event(2)]) == Written("careful", 2, 0, 1)
    assert query("select count(*) as n from awf.rejected_events") == [{"n": 1}]


@pytest.mark.parametrize("last", [{"metrics": {"mood": float("nan")}}, {"session_id": "SECRET\ud800"}])
def test_no_log_shows_a_row_that_is_refused(
    writer: Writer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], last: dict[str, Any]
) -> None:
    """The server refuses the first one, while the client finds that it cannot send the last one."""
    between = [event(1, id=new_id()) for _ in range(2000)]  # more than psycopg sends at once
    sent = [event(1, session_id="SECRET" * 50), *between, event(1, **last)]
    assert writer.write(sent) == Written("careful", 2000, 0, 2)
    assert "SECRET" not in caplog.text
    assert HASH.hex() not in caplog.text
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize("bad", ['"locale": "x%s"' % ("-abcdefgh" * 30), '"metrics": {"acts": 9e131071}'])
def test_a_bad_document_costs_the_others_nothing(connect: Connect, bad: str) -> None:
    sender = connect("writer")
    good = f'"session_id": "s", "player_hash": "{"ab" * 32}", "world_ref": "w", "adventure_ref": "a"'
    for function, text in (
        ("record_turns", f"[{{{good}}}, {{{good}, {bad}}}]"),
        ("record_lines", f"{{{good}}}\n{{{good}, {bad}}}"),
    ):
        told = sender.execute(f"select * from awf.{function}(%s)".encode(), [text]).fetchone()
        assert told == (1, 0, 1)


def test_a_rejected_variation_does_not_take_the_known_ones_along(db: str, writer: Writer, query: Any) -> None:
    with Api(db) as api:
        api.create_experiment("x", "X", [{"variation": "v", "percent": 100}])
        api.create_variation("x", "v")
    good, bad = event(1, assignments=(("x", "v"),)), event(2, assignments=(("x", "w"),), world_ref="\0")
    assert writer.write([good, bad]) == Written("careful", 1, rejected=1)
    (row,) = query("select experiment_key, variation_key from awf.analytics_events")
    assert (row["experiment_key"], row["variation_key"]) == ("x", "v")


@pytest.mark.parametrize("by_itself", [True, False])
def test_a_connection_goes_back_to_its_pool_as_it_was(
    db: str, query: Any, by_itself: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = psycopg_pool.ConnectionPool(
        make_conninfo(db, user="t_writer", application_name="game's"),
        kwargs={"autocommit": by_itself, "row_factory": dict_row},
        min_size=1,
        max_size=1,
        open=True,
    )

    def interrupted(_: Event) -> None:
        raise KeyboardInterrupt

    with opened as pool:
        writer = Writer(Source(None, pool, "it's \\ tested"))
        good, bad = event(0), event(1, metrics={"acts": -1})
        assert writer.write([good]) == Written("direct", 1)
        with pytest.raises(Refused):
            writer.direct([bad])
        assert writer.write([bad, good, event(3)]) == Written("careful", 1, 1, 1)
        monkeypatch.setattr(writer._dimensions, "direct_row", interrupted)
        with pytest.raises(KeyboardInterrupt):
            writer.direct([event(2)])
        with pool.connection() as connection:
            assert connection.autocommit is by_itself
            assert connection.info.transaction_status == TransactionStatus.IDLE
            shown = connection.cursor(row_factory=tuple_row).execute("show application_name").fetchone()
            assert shown == ("game's",)
    assert {row["client"] for row in query("select client from awf.ingest_log")} == {"it's \\ tested"}
    assert query("select count(*) from awf.turn_events") == [{"count": 2}]


def test_texts_do_not_hang_on_the_encoding_of_the_environment(
    writer: Writer, query: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    assert writer.write([event(session_id="Jürgen 😀")]) == Written("direct", 1)
    assert query("select session_id from awf.turn_events") == [{"session_id": "Jürgen 😀"}]


@pytest.mark.parametrize("style", ["SQL, DMY", "German", "Postgres, MDY"])
def test_times_do_not_hang_on_the_style_of_the_environment(
    db: str, writer: Writer, monkeypatch: pytest.MonkeyPatch, style: str
) -> None:
    monkeypatch.setenv("PGDATESTYLE", style)
    writer.write([event()])
    with Api(db) as api:
        assert {run["outcome"] for run in api.run_jobs()} == {"done"}
        assert all(run["started_at"].tzinfo for run in api.list_job_runs())


def test_a_variation_made_anew_gets_its_new_number(db: str, writer: Writer, query: Any) -> None:
    with Api(db) as api:
        for number in range(2):
            api.create_experiment("x", "X")
            api.create_variation("x", "v")
            writer.write([event(number, assignments=(("x", "v"),))])
            api.delete_experiment("x")
    assert len({row["assignments"][0] for row in query("select assignments from awf.turn_events")}) == 2


@pytest.mark.parametrize("path", ["direct", "careful"])
def test_keys_name_the_variation_of_the_phase_at_the_time(
    db: str, writer: Writer, query: Any, path: str
) -> None:
    with Api(db) as api:
        api.create_experiment("x", "X", [{"variation": "v", "percent": 100}])
        api.create_variation("x", "v")
        api.start_experiment("x")
        api.open_phase("x")
        api.create_variation("x", "w")
    (phase,) = query("select start_at from awf.experiment_phases where phase = 2")
    opened = phase["start_at"]
    before = opened - timedelta(microseconds=1)
    key = (("x", "v"),)
    sent = [event(1, ts=before, assignments=key), event(2, ts=opened, assignments=key)]
    sent.append(event(3, ts=before - timedelta(days=1), assignments=key))
    if path == "careful":
        sent.append(event(4, ts=before, assignments=(("x", "w"),)))
    written = writer.write(sent)
    assert (written.path, written.accepted, written.rejected) == (path, 3, len(sent) - 3)
    rows = query(
        """select e.session_id, v.phase from awf.turn_events as e
        join awf.variation_ids as v on v.id = e.assignments[1] and v.experiment_key = 'x' order by 1"""
    )
    assert [(row["session_id"], row["phase"]) for row in rows] == [("s-1", 1), ("s-2", 2), ("s-3", 1)]
    assert all(row["reason"] == "unknown_variation" for row in query("select * from awf.rejected_events"))


def test_numbers_of_an_earlier_phase_stay_good(db: str, writer: Writer, query: Any) -> None:
    with Api(db) as api:
        api.create_experiment("x", "X", [{"variation": "v", "percent": 100}])
        api.create_variation("x", "v")
        (first,) = query("select id from awf.variation_ids where experiment_key = 'x'")
        api.start_experiment("x")
        api.open_phase("x")
        sent = event(assignments=(first["id"],), ts=datetime.now(UTC))
        assert writer.write([sent]) == Written("direct", 1)
        assert writer.write([sent, event(1, assignments=(first["id"],))]) == Written("careful", 1, 1)
        api.refresh_rollups()
    exposed = query("select unit_id, phase, variation_id from awf.exposures order by 1")
    assert [tuple(row.values()) for row in exposed] == [("s-0", 1, first["id"]), ("s-1", 1, first["id"])]


def test_a_lost_connection_loses_and_doubles_nothing(db: str, connect: Connect, query: Any) -> None:
    """The server ends the writer's connection again and again while four threads record."""
    dsn = make_conninfo(db, user="t_writer")
    recorder = Recorder(lambda: Writer(Source(dsn, None, "victim")), batch_ms=5, batch_max=50)
    connection = connect(autocommit=True)
    per_thread = scale.examples(10_000)
    done = threading.Event()

    def disturb() -> None:
        kill = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'victim'"
        while not done.wait(0.02):
            connection.execute(kill)

    def play(thread: int) -> None:
        for number in range(per_thread):
            recorder.put(event(number % 40, session_id=f"{thread}-{number}"))

    disturber = threading.Thread(target=disturb)
    players = [threading.Thread(target=play, args=[thread]) for thread in range(4)]
    for one in (disturber, *players):
        one.start()
    for one in players:
        one.join()
    recorder.flush(2)
    done.set()
    disturber.join()
    assert recorder.close(60)
    (row,) = query("select count(*) as rows, count(distinct session_id) as sessions from awf.turn_events")
    assert (row["rows"], row["sessions"]) == (4 * per_thread, 4 * per_thread)
    assert recorder.stats().flush_fail > 0


def test_client_and_database_store_the_same(db: str, writer: Writer, query: Any) -> None:
    numbers = st.integers(0, 2**31 - 1) | st.floats(0, 2_000_000, allow_subnormal=False)
    latencies = st.dictionaries(st.sampled_from(["turnLatencyMs", "modelLatencyMs", "bundleMs"]), numbers)
    others = st.dictionaries(st.sampled_from(["won", "score"]), st.booleans() | st.integers() | numbers)
    columns = ", ".join(
        (*METRICS.values(), "extra", "ts", "player_hash", "assignments", "failed", "world_id")
    )

    @given(latencies, others, st.booleans())
    def check(latency: dict[str, Any], other: dict[str, Any], failed: bool) -> None:
        ms = {name: value for name, value in latency.items() if value <= 2_000_000}
        ours = event(0, metrics=ms | other | {"acts": 3.0}, failed=failed)
        theirs = replace(ours, id=event(0).id)
        assert writer.write([ours]).path == "direct"
        with Api(db) as api:
            api.record_turn(theirs.to_json() | {"assignments": []})
        rows = query(
            f"select {columns} from awf.turn_events where id in ('{ours.id_text}', '{theirs.id_text}')"
        )
        assert rows[0] == rows[1]

    check()


@given(st.decimals(0, 2_000_000, places=4))
def test_microseconds_are_rounded_as_decimals(ms: Decimal) -> None:
    assert _microseconds("bundleMs", float(ms)) == (ms * 1000).to_integral_value(ROUND_HALF_UP)


def test_nothing_is_sent_for_no_events(writer: Writer, query: Any) -> None:
    assert writer.write([]) == writer.direct([]) == Written("direct", 0)
    assert query("select * from awf.ingest_log") == []


REFUSALS = {
    "21000": True, "22001": True, "22P05": True, "23505": True, "23514": True, "54000": True, "54001": True,
    "WF201": True, "WF203": True, "08006": False, "25006": False, "40001": False, "40P01": False,
    "42501": False, "42P01": False, "53100": False, "55P03": False, "57014": False, "57P01": False,
    "WF202": False, "WF207": False, "WF401": False,
}  # fmt: skip


@pytest.mark.parametrize(("code", "refused"), REFUSALS.items())
def test_what_a_batch_is_refused_for(code: str, refused: bool) -> None:
    """Whatever else goes wrong may pass, and the batch is sent again."""

    class Raised(psycopg.Error):
        sqlstate = code

    assert refuses_row(Raised()) is refused


def test_a_connection_that_cannot_be_made_refuses_nothing() -> None:
    assert not refuses_row(psycopg.OperationalError("connection refused"))


def overtaken(writer: Writer, connect: Connect, level: str) -> psycopg.Connection[Any]:
    """A transaction that has staged two events, of which another has stored the first meanwhile."""
    known = event(1)
    connection = connect("writer")
    connection.execute(f"set transaction isolation level {level}".encode())
    connection.execute("select awf.open_stage()")
    connection.execute(
        "insert into pg_temp.awf_stage (id, ts, session_id, player_hash, world_ref, adventure_ref, locale) "
        "select u.id, %s, 's', %s, 'w', 'a', 'en' from unnest(%s::uuid[]) as u (id)",
        [known.ts, HASH, [known.id_text, event().id_text]],
    )
    assert writer.write([known]).accepted == 1
    return connection


def test_events_that_were_stored_meanwhile_are_duplicates(
    writer: Writer, connect: Connect, query: Any
) -> None:
    connection = overtaken(writer, connect, "read committed")
    assert connection.execute("select * from awf.ingest_batch()").fetchone() == (1, 1, 0)
    connection.commit()
    assert len(query("select * from awf.turn_events")) == 2


def test_a_transaction_that_cannot_see_them_has_to_come_again(writer: Writer, connect: Connect) -> None:
    connection = overtaken(writer, connect, "repeatable read")
    with pytest.raises(psycopg.Error) as caught:
        connection.execute("select * from awf.ingest_batch()")
    assert caught.value.sqlstate == "WF207"


def test_array_on_the_wire(connect: Connect) -> None:
    with connect().cursor(binary=True) as cursor:
        (expected,) = cursor.execute("select array_send(array[3, -1, 2147483647])").fetchone() or (b"",)
    assert _array((3, -1, 2**31 - 1)) == expected
