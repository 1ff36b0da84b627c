"""The client as a game uses it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg_pool
import pytest
from psycopg.rows import dict_row

from awf_pg import Api, Awf, ConfigurationError, Settings
from awf_pg.errors import InvalidEvent
from awf_pg.event import event_from_mapping, kept_attributes, new_id
from tests import servers
from tests.conftest import Connect
from tests.watched import database_calls

KEY = "a key of more than sixteen bytes"
SETTINGS = Settings(player_hash_key=KEY)
TURN: dict[str, Any] = {"session_id": "s-1", "player_id": "p-1", "world_ref": "w", "adventure_ref": "a"}


@pytest.fixture
def nowhere() -> str:
    """A DSN that nobody answers."""
    return f"postgresql://someone:s3cret@127.0.0.1:{servers._free_port()}/game"


@pytest.fixture
def start() -> Iterator[Callable[..., Awf]]:
    """Make clients that end with the test."""
    started: list[Awf] = []

    def start_client(dsn: str | None = None, settings: Settings = SETTINGS, **options: Any) -> Awf:
        awf = Awf(dsn, settings=settings, **options)
        started.append(awf)
        return awf

    yield start_client
    for awf in started:
        awf.close(timeout=0)


@pytest.fixture
def running(db: str) -> str:
    """A database with an experiment that gives everybody eight acts."""
    with Api(db) as api:
        api.create_experiment("acts", "Acts", [{"variation": "eight", "percent": 100}], start_at="2020-01-01")
        api.create_variation("acts", "eight", {"maxActs": 8})
        api.start_experiment("acts")
    return db


def stored(connect: Connect) -> list[dict[str, Any]]:
    connection = connect()
    connection.autocommit = True
    cursor = connection.cursor(row_factory=dict_row)
    return cursor.execute("select * from awf.analytics_events order by ts, id").fetchall()


# Without a database


def test_no_database_means_defaults_and_says_so(start: Callable[..., Awf], nowhere: str) -> None:
    awf = start(nowhere)
    with awf.turn(**TURN, defaults={"maxActs": 3}) as turn:
        assert turn.params == {"maxActs": 3}
    stats = awf.stats()
    assert stats["config_loaded"] is False
    assert "connection" in stats["config_error"]
    assert "s3cret" not in repr(stats)
    assert stats["queue_depth"] == 1
    assert awf.flush(0.05) is False


def test_analytics_needs_a_key(nowhere: str) -> None:
    with pytest.raises(ConfigurationError, match="AWF_PLAYER_HASH_KEY"):
        Awf(nowhere, settings=Settings())


def test_a_database_must_be_named() -> None:
    with pytest.raises(ConfigurationError, match="no database"):
        Awf(settings=SETTINGS)


def test_environment_limits_hold_even_for_defaults(start: Callable[..., Awf], nowhere: str) -> None:
    awf = start(nowhere, Settings(player_hash_key=KEY, model_max_output_tokens=2000))
    with awf.turn(**TURN, defaults={"maxOutputTokens": 9000}) as turn:
        assert turn.params == {"maxOutputTokens": 2000}
        assert [one["reason"] for one in turn.invalid] == ["environment"]
    assert awf.stats()["awf.exp.invalid.count"] == 1


def test_wrong_types_raise_at_once(start: Callable[..., Awf], nowhere: str) -> None:
    awf = start(nowhere)
    with pytest.raises(TypeError, match="session_id must be a str"):
        awf.turn(**{**TURN, "session_id": uuid4()})
    for name, value, message in (
        ("model", 5, "model must be a str, not int"),
        ("ts", "2026-01-01", "ts must be a datetime, not str"),
        ("ts", date(2026, 1, 1), "ts must be a datetime, not date"),
        ("defaults", "maxActs", "defaults must be a mapping, not str"),
        ("attributes", [], "attributes must be a mapping, not list"),
        ("experiments", 1, "experiments must be a bool, not int"),
        ("sticky", "s-1", "sticky must be a list of documents, not str"),
    ):
        with pytest.raises(TypeError, match=message):
            awf.turn(**{**TURN, name: value})
    with pytest.raises(TypeError, match="named by a str, not int"):
        awf.record({1: 2})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="event must be a mapping, not str"):
        awf.record("s-1")  # type: ignore[arg-type]


def test_what_a_turn_cannot_record_is_left_out(
    start: Callable[..., Awf], nowhere: str, caplog: pytest.LogCaptureFixture
) -> None:
    awf = start(nowhere)
    with awf.turn(**TURN) as turn:
        turn["failed"] = "no"  # type: ignore[assignment]
        turn.failed = 1  # type: ignore[assignment]
        turn.model = [1]  # type: ignore[assignment]
        turn.metrics(outputTokens="many", acts=3)  # type: ignore[arg-type]
        turn["outputTokens"] = True
        turn.metrics(mood="good", price=Decimal("0.25"))  # type: ignore[arg-type]
        turn["dice"] = float("nan")
    assert (turn.failed, turn.model, turn["acts"], turn["price"]) == (False, None, 3, 0.25)
    with pytest.raises(KeyError):
        turn["outputTokens"]
    assert (awf.stats()["metrics_left_out"], awf.stats()["queue_depth"]) == (7, 1)
    assert [record.message for record in caplog.records if record.name == "awf.turn"] == [
        "left out: failed must be a bool, not str",
        "left out: model must be a str or None, not list",
        "left out: metric outputTokens takes a number, not 'many'",
        "left out: metric mood takes a number or a boolean, not 'good'",
        "left out: metric dice takes a number, not nan",
    ]


def test_metrics_of_a_turn(start: Callable[..., Awf], nowhere: str) -> None:
    turn = start(nowhere).turn(**TURN)
    turn.metrics(output_tokens=5, won=True, retries=None)
    turn["bundleTokens"] = 3
    assert (turn["outputTokens"], turn["bundleTokens"], turn["won"], turn["retries"]) == (5, 3, True, None)
    turn.model = "small"
    assert UUID(turn.id).version == 7


def test_a_turn_has_one_block(start: Callable[..., Awf], nowhere: str) -> None:
    awf = start(nowhere)
    with awf.turn(**TURN) as turn:
        turn["acts"] = 1
        with pytest.raises(RuntimeError, match="one block only"), turn:
            pass
    with pytest.raises(RuntimeError, match="one block only"), turn:
        pass
    assert awf.stats()["queue_depth"] == 1


def test_nothing_is_set_after_the_end_of_a_turn(start: Callable[..., Awf], nowhere: str) -> None:
    awf = start(nowhere)
    with awf.turn(**TURN) as turn:
        turn.metrics(acts=1, failed=False)
    turn["acts"] = 2
    turn.metrics(failed=True)
    turn.failed = True
    turn.model = "small"
    assert (turn["acts"], turn.failed, str(turn.model)) == (1, False, "None")
    assert awf.stats()["metrics_left_out"] == 4


def test_a_closed_client_goes_on_and_drops(start: Callable[..., Awf], nowhere: str) -> None:
    awf = start(nowhere)
    with awf.turn(**TURN):
        awf.close(timeout=0)
    assert awf.stats()["dropped"] == 1, "the turn that was being played ends as usual"
    with awf.turn(**TURN, defaults={"maxActs": 3}) as turn:
        assert turn.params == {"maxActs": 3}
    awf.record({**TURN})
    assert (awf.stats()["dropped"], awf.stats()["queue_depth"]) == (3, 0)


def test_what_is_in_memory_at_the_end_counts_as_dropped(start: Callable[..., Awf], nowhere: str) -> None:
    awf = start(nowhere)
    for _ in range(3):
        with awf.turn(**TURN):
            pass
    assert not awf.close(timeout=0.2)
    assert (awf.stats()["dropped"], awf.stats()["queue_depth"]) == (3, 0)


def test_a_game_that_uses_nothing_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWF_DATABASE_URL", raising=False)
    with Awf(settings=Settings(analytics_enabled=False, experiments_enabled=False)) as awf:
        with awf.turn(**TURN, defaults={"maxActs": 3}) as turn:
            assert turn.params == {"maxActs": 3}
        assert awf.record({**TURN})
        assert (awf.stats()["config_loaded"], awf.stats()["config_source"]) == (False, None)
        with pytest.raises(ConfigurationError, match="no database given"):
            awf.version()


def test_stats_have_the_same_names_with_and_without_experiments(start: Callable[..., Awf], db: str) -> None:
    on, off = (
        start(db, Settings(player_hash_key=KEY)),
        start(db, Settings(experiments_enabled=False, analytics_enabled=False)),
    )
    assert set(off.stats()) == set(on.stats())


def test_analytics_off_is_no_operation(start: Callable[..., Awf], nowhere: str) -> None:
    awf = start(nowhere, Settings(analytics_enabled=False))
    with awf.turn(**TURN) as turn:
        turn["outputTokens"] = 5
    awf.record({"session_id": "s", "player_hash": "0" * 64, "world_ref": "w", "adventure_ref": "a"})
    assert awf.flush(0)
    assert awf.stats()["analytics_enabled"] is False
    assert awf.stats()["accepted"] == awf.stats()["queue_depth"] == 0


# Events given as mappings


def hashed(player_id: str) -> bytes:
    return SETTINGS.hash_player(player_id)


def test_event_in_either_spelling() -> None:
    snake = {
        "id": "0194a0c0-0000-7000-8000-000000000001", "ts": "2025-01-15T12:00:00.5Z", "session_id": "s",
        "player_hash": "Ab" * 32, "world_ref": "w", "adventure_ref": "a", "locale": "de-DE", "model": "m",
        "experiment_key": "e", "variation_key": "v",
        "metrics": {"outputTokens": 5, "failed": True, "won": False},
    }  # fmt: skip
    camel = {
        "id": UUID("0194a0c0-0000-7000-8000-000000000001"), "ts": datetime(2025, 1, 15, 12, 0, 0, 500_000),
        "sessionId": "s", "playerHash": "aB" * 32, "worldRef": "w", "adventureRef": "a", "locale": "de-DE",
        "model": "m", "assignments": [{"experiment": "e", "variation": "v", "id": 3}],
        "metrics": {"output_tokens": 5, "failed": True, "won": False, "acts": None},
    }  # fmt: skip
    event = event_from_mapping(snake, hashed)
    assert event == event_from_mapping(camel, hashed)
    assert event.ts == datetime(2025, 1, 15, 12, 0, 0, 500_000, tzinfo=UTC)
    assert (event.failed, event.metrics) == (True, {"outputTokens": 5, "won": False})
    assert event.assignments == (("e", "v"),)


def test_player_id_is_hashed() -> None:
    event = event_from_mapping(
        {"session_id": "s", "playerId": "p", "world_ref": "w", "adventure_ref": "a"}, hashed
    )
    assert event.player_hash == hashed("p")
    assert event.locale == "en-US"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"session_id": None}, "session_id is missing"),
        ({"session_id": 5}, "session_id must be a text"),
        ({"player_id": None}, "player_hash is missing"),
        ({"player_hash": "player-1"}, "64 hex digits"),
        ({"ts": "yesterday"}, "ts must be a timestamp"),
        ({"ts": 5}, "ts must be a timestamp"),
        ({"id": "x"}, "id must be a UUID"),
        ({"metrics": []}, "metrics must be an object"),
        ({"metrics": {"mood": "good"}}, "mood takes a number or a boolean"),
        ({"metrics": {"failed": 1}}, "failed must be true or false"),
        ({"experiment_key": "e"}, "variation_key is missing"),
        ({"assignments": ["e"]}, "assignments must be a list"),
        ({"wrld": "x"}, "unknown field 'wrld'"),
    ],
)
def test_what_is_wrong_with_an_event_is_said(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidEvent, match=message):
        event_from_mapping({**TURN, **changes}, hashed)


def test_a_raw_player_id_in_the_wrong_field_is_not_repeated() -> None:
    with pytest.raises(InvalidEvent) as caught:
        event_from_mapping({**TURN, "player_hash": "jane@example.org"}, hashed)
    assert "jane" not in str(caught.value)


def test_ids_follow_time() -> None:
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 1000


# With a database


def test_turns_are_stored(start: Callable[..., Awf], running: str, connect: Connect) -> None:
    awf = start(running)
    at = datetime.now(UTC) - timedelta(hours=1)
    with awf.turn(**TURN, locale="de-DE", model="small", defaults={"maxActs": 3}, ts=at) as turn:
        assert turn.params == {"maxActs": 8}
        turn.metrics(outputTokens=512, modelLatencyMs=12.5, won=True)
    assert awf.flush()
    (row,) = stored(connect)
    assert str(row["id"]) == turn.id
    assert row["ts"] == at
    assert row["player_hash"] == SETTINGS.hash_player("p-1").hex()
    assert (row["session_id"], row["world_ref"], row["adventure_ref"], row["locale"]) == (
        "s-1",
        "w",
        "a",
        "de-DE",
    )
    assert (row["experiment_key"], row["variation_key"]) == ("acts", "eight")
    assert row["metrics"].pop("turnLatencyMs") >= 0
    assert row["metrics"] == {"outputTokens": 512, "modelLatencyMs": 12.5, "won": True, "model": "small"}
    stats = awf.stats()
    assert (stats["accepted"], stats["awf.exp.exposures.count"], stats["batches"]) == (
        1,
        1,
        {"direct": 1, "careful": 0},
    )
    assert stats["config_loaded"]


def test_an_exception_records_a_failed_turn(start: Callable[..., Awf], db: str, connect: Connect) -> None:
    awf = start(db)

    def play() -> None:
        with awf.turn(**TURN) as turn:
            turn["turnLatencyMs"] = 7
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        play()
    assert awf.flush()
    (row,) = stored(connect)
    assert row["metrics"] == {"failed": True, "turnLatencyMs": 7}


def test_a_bad_value_is_rejected_and_breaks_no_turn(
    start: Callable[..., Awf], db: str, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="awf.flush")
    awf = start(db)
    for tokens in (5, 3.7, -1, float("nan"), 2**70):
        with awf.turn(**TURN) as turn:
            turn["outputTokens"] = tokens
    with awf.turn(**TURN | {"player_id": ""}):
        pass
    assert awf.flush()
    assert [row["metrics"].get("outputTokens") for row in stored(connect)] == [5, None], "nan is left out"
    stats = awf.stats()
    assert (stats["accepted"], stats["rejected"], stats["batches"]) == (2, 4, {"direct": 0, "careful": 1})
    assert "4 of 6 events were rejected" in caplog.text


def test_recorded_events_are_stored_once(start: Callable[..., Awf], running: str, connect: Connect) -> None:
    awf = start(running)
    event = {
        **TURN, "id": str(uuid4()), "ts": datetime.now(UTC), "experimentKey": "acts", "variationKey": "eight",
        "metrics": {"acts": 2},
    }  # fmt: skip
    for _ in range(2):
        awf.record(event)
        assert awf.flush()
    (row,) = stored(connect)
    assert (row["experiment_key"], row["variation_key"]) == ("acts", "eight")
    assert (awf.stats()["accepted"], awf.stats()["duplicate"]) == (1, 1)


def test_experiments_off_means_defaults(start: Callable[..., Awf], running: str) -> None:
    awf = start(running, Settings(player_hash_key=KEY, experiments_enabled=False))
    with awf.turn(**TURN, defaults={"maxActs": 3}) as turn:
        assert turn.params == {"maxActs": 3}
        assert turn.exposures == []


def test_analytics_off_keeps_the_experiments(
    start: Callable[..., Awf], running: str, connect: Connect
) -> None:
    awf = start(running, Settings(analytics_enabled=False))
    with awf.turn(**TURN) as turn:
        assert turn.params == {"maxActs": 8}
    assert awf.flush()
    assert stored(connect) == []


def test_no_database_call_on_the_turn_path(start: Callable[..., Awf], running: str) -> None:
    awf = start(running, Settings(player_hash_key=KEY, analytics_batch_max=10))
    with database_calls() as calls:
        for _ in range(100):
            with awf.turn(**TURN) as turn:
                turn["acts"] = 3
        assert awf.flush()
        assert threading.get_ident() not in calls
        assert sum(calls.values()) >= 10
        awf.analytics_stats()
        assert threading.get_ident() in calls, "the count can count"


def test_exposures_keep_the_allowed_attributes(
    start: Callable[..., Awf], running: str, connect: Connect
) -> None:
    with Api(running) as api:
        api.set_setting("exposure_attributes", ["country", "level", "beta", "odd"])
    awf = start(running)
    given = {"country": "NL", "level": 7, "beta": True, "secret": "x", "odd": {"a": 1}}
    with awf.turn(**TURN, attributes=given):
        pass
    assert awf.flush()
    with Api(running) as api:
        api.refresh_rollups()
    kept = {"country": "NL", "level": 7, "beta": True}
    connection = connect()
    assert connection.execute("select attributes from awf.turn_events").fetchall() == [(kept,)]
    assert connection.execute("select attributes from awf.exposures").fetchall() == [(kept,)]


@pytest.mark.parametrize(
    "value", ["x" * 101, "a\0b", "\ud800", "a\nb", float("nan"), float("inf"), 10**400, None, [1], b"x"]
)
def test_an_attribute_never_costs_the_event(value: Any) -> None:
    assert kept_attributes({"a": value, "b": 1}, ["a", "b", "c"]) == {"b": 1}


def test_attributes_have_a_bound() -> None:
    names = [f"name-{number}" for number in range(100)]
    kept = kept_attributes(dict.fromkeys(names, "é" * 100), names)
    assert 0 < len(kept) < 100
    assert len(json.dumps(kept, ensure_ascii=False).encode()) <= 2048


# asyncio


def test_turns_of_asyncio(start: Callable[..., Awf], running: str, connect: Connect) -> None:
    awf = start(running)

    async def play(number: int) -> None:
        async with awf.turn(**{**TURN, "session_id": f"s-{number}"}) as turn:
            assert turn.params == {"maxActs": 8}
            await asyncio.sleep(0.01)
            turn["acts"] = number
            if number == 3:
                raise ValueError("of the game")

    async def game() -> list[BaseException | None]:
        return await asyncio.gather(*(play(number) for number in range(5)), return_exceptions=True)

    raised = asyncio.run(game())
    assert [str(error) for error in raised if error] == ["of the game"]
    assert awf.flush()
    events = stored(connect)
    assert sorted(event["metrics"]["acts"] for event in events) == [0, 1, 2, 3, 4]
    assert [event["session_id"] for event in events if event["metrics"].get("failed")] == ["s-3"]
    assert all(event["metrics"]["turnLatencyMs"] >= 10 for event in events)


def test_configuration_is_renewed(start: Callable[..., Awf], db: str) -> None:
    awf = start(db)
    assert awf.turn(**TURN).params == {}
    awf.create_experiment("acts", "Acts", [{"variation": "eight", "percent": 100}])
    awf.create_variation("acts", "eight", {"maxActs": 8})
    awf.start_experiment("acts")
    assert awf.refresh_config()
    assert awf.turn(**TURN).params == {"maxActs": 8}


def test_client_and_database_give_the_same_params(start: Callable[..., Awf], running: str) -> None:
    awf = start(running)
    turn = awf.turn(**TURN, defaults={"maxActs": 3, "other": 1})
    assert awf.turn_params("s-1", None, {"maxActs": 3, "other": 1}) == {
        "params": turn.params,
        "exposures": turn.exposures,
        "forced": turn.forced,
        "invalid": turn.invalid,
        "sticky": {},
    }


def test_conditions_see_the_turn(start: Callable[..., Awf], db: str) -> None:
    condition = {"locale": "de-DE", "world": "w", "adventure": "a", "model": "m", "level": {"$gte": 5}}
    with Api(db) as api:
        api.create_experiment(
            "german", "German", [{"variation": "v", "percent": 100}], settings={"condition": condition}
        )
        api.create_variation("german", "v", {"maxActs": 4})
        api.start_experiment("german")
    awf = start(db)

    def exposed(**changes: Any) -> bool:
        given = {"locale": "de-DE", "model": "m", "attributes": {"level": 5}} | changes
        return bool(awf.turn(**TURN, **given).exposures)

    assert exposed()
    assert not exposed(locale="fr-FR")
    assert not exposed(model=None)
    assert not exposed(attributes=None)
    assert not exposed(attributes={"level": 4})
    assert exposed(locale="fr-FR", attributes={"level": 5, "locale": "de-DE"})


def test_a_player_may_stay_out(start: Callable[..., Awf], running: str, connect: Connect) -> None:
    awf = start(running)
    with awf.turn(**TURN, defaults={"maxActs": 3}, experiments=False) as turn:
        assert (turn.params, turn.exposures) == ({"maxActs": 3}, [])
    assert awf.flush()
    (row,) = stored(connect)
    assert row["experiment_key"] is None
    assert awf.turn(**TURN, experiments=True).params == {"maxActs": 8}


def test_an_override_is_played_and_not_counted(
    start: Callable[..., Awf], running: str, connect: Connect
) -> None:
    with Api(running) as api:
        api.set_override("acts", "s-1", "eight", "tried out before the release")
    awf = start(running)
    with awf.turn(**TURN) as turn:
        assert turn.params == {"maxActs": 8}
        assert turn.exposures == []
        assert [one["variation"] for one in turn.forced] == ["eight"]
    assert awf.flush()
    (row,) = stored(connect)
    assert row["experiment_key"] is None
    assert awf.stats()["awf.exp.exposures.count"] == 0
    assert awf.turn_params("s-1", None)["forced"] == turn.forced


def test_a_sticky_unit_keeps_its_variation(start: Callable[..., Awf], db: str) -> None:
    """Through a new phase: by this process's memory, by the documents that the game keeps, and in SQL."""
    first, then = [
        [{"variation": "a", "percent": p}, {"variation": "b", "percent": 100 - p}] for p in (100, 0)
    ]
    with Api(db) as api:
        api.create_experiment("kept", "Kept", first, settings={"sticky": True})
        for variation, acts in (("a", 4), ("b", 6)):
            api.create_variation("kept", variation, {"maxActs": acts})
        api.start_experiment("kept")
        awf = start(db)
        with awf.turn(**TURN) as turn:
            assert turn.params == {"maxActs": 4}
        documents = [{"attributeName": "session", "attributeValue": "s-1", "assignments": {"kept__0": "a"}}]
        assert turn.sticky == documents
        assert awf.flush()
        api.open_phase("kept", {"allocations": then})
    assert awf.refresh_config()
    assert awf.turn(**TURN).params == {"maxActs": 4}
    assert awf.turn(**{**TURN, "session_id": "s-2"}).params == {"maxActs": 6}
    other = start(db)
    assert other.turn(**TURN, sticky=documents).params == {"maxActs": 4}
    assert start(db).turn(**TURN).params == {"maxActs": 6}, "nothing is known here"
    assert awf.turn_params("s-1", None)["params"] == {"maxActs": 4}


def test_a_pool_will_do(start: Callable[..., Awf], running: str, connect: Connect) -> None:
    with psycopg_pool.ConnectionPool(running, min_size=1, max_size=2, open=True) as pool:
        awf = start(pool=pool, application_name="the-game")
        with awf.turn(**TURN) as turn:
            assert turn.params == {"maxActs": 8}
        assert awf.flush()
        assert awf.version()
        awf.close()
        with pool.connection() as connection:
            (name,) = connection.execute("show application_name").fetchone() or ("?",)
            assert name != "the-game"
    assert len(stored(connect)) == 1
    clients = connect().execute("select client from awf.ingest_log").fetchall()
    assert clients == [("the-game",)]


@pytest.mark.parametrize("pool", ["postgresql://game", psycopg_pool.AsyncConnectionPool(open=False)])
def test_what_lends_no_connection_to_a_thread_is_refused_at_once(pool: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"pool is of type {type(pool).__name__}") as caught:
        Awf(pool=pool, settings=Settings(player_hash_key="k" * 32))
    assert "ConnectionPool" in str(caught.value.hint)


def in_child(work: Callable[[], None]) -> None:
    """Run in a forked process, which ends at once, without the clean-up of pytest; fail if that fails."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("by_pool", [False, True])
def test_a_forked_child_records_its_own_turns(
    start: Callable[..., Awf], running: str, connect: Connect, by_pool: bool
) -> None:
    pool = psycopg_pool.ConnectionPool(running, min_size=1, max_size=2, open=True) if by_pool else None
    awf = start(None if pool else running, pool=pool)

    def play(session: str) -> None:
        with awf.turn(**{**TURN, "session_id": session}) as turn:
            assert turn.params == {"maxActs": 8}

    def child() -> None:
        assert awf.stats()["queue_depth"] == 0, "the parent's turns are the parent's"
        play("child")
        assert awf.flush(20)
        assert awf.stats()["accepted"] == 1
        in_child(grandchild)
        awf.version()
        assert awf.refresh_config() or awf.refresh_config()
        assert awf.stats()["config_loaded"]
        assert awf.close()

    def grandchild() -> None:
        play("grandchild")
        assert awf.close()

    play("before")
    assert awf.flush()
    assert awf.version()
    backends = "select pid from pg_stat_activity where datname = current_database()"
    watch = connect(autocommit=True)
    before = set(watch.execute(backends))
    assert before
    play("waiting")
    in_child(child)
    # Those of the child may take a moment to go.
    assert before <= set(watch.execute(backends)), "the parent keeps its connections"
    play("after")
    assert awf.version()
    assert awf.flush()
    assert sorted(row["session_id"] for row in stored(connect)) == sorted(
        ["before", "waiting", "child", "grandchild", "after"]
    )
    awf.close()
    if pool is not None:
        pool.close()


def test_application_name_is_set(db: str, connect: Connect) -> None:
    with Api(db, application_name="the-game") as api:
        api.version()
        names = connect().execute("select application_name from pg_stat_activity").fetchall()
        assert ("the-game",) in names


def test_threads_share_a_client(db: str) -> None:
    with Api(db) as api, ThreadPoolExecutor(8) as threads:
        versions = list(threads.map(lambda _: api.version(), range(100)))
    assert len(set(versions)) == 1


def test_a_writer_needs_no_other_right(start: Callable[..., Awf], running: str, connect: Connect) -> None:
    awf = start(running.replace("user=postgres", "user=t_writer"))
    with awf.turn(**TURN) as turn:
        assert turn.params == {"maxActs": 8}
    assert awf.flush(5), awf.stats()
    assert awf.stats()["batches"] == {"direct": 1, "careful": 0}
    assert len(stored(connect)) == 1


def test_notices_are_passed_on(running: str) -> None:
    notices: list[str] = []
    with Api(running, on_notice=notices.append) as api:
        assert api.experiment_report("acts", "2020-01-01", "2020-01-02") == []
    assert len(notices) == 1
