"""The configuration at hand: told of changes, renewed in any case, kept when the database is away."""

from __future__ import annotations

import json
import logging
import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import psycopg_pool
import pytest

from awf_pg import Api, Awf, Settings
from awf_pg import config as module
from awf_pg.config import ConfigCache
from awf_pg.connect import Source, execute
from tests import servers
from tests.conftest import Connect
from tests.test_client import in_child

TURN: dict[str, Any] = {"session_id": "s-1", "player_id": "p-1", "world_ref": "w", "adventure_ref": "a"}
DEADLINE_S = 5.0  # far below the minute after which a client asks by itself


@pytest.fixture
def start() -> Iterator[Callable[..., Awf]]:
    """Make clients that only read the configuration; they end with the test."""
    started: list[Awf] = []

    def start_client(dsn: str | None = None, *, file: Path | None = None, **options: Any) -> Awf:
        settings = Settings(analytics_enabled=False, config_file=None if file is None else str(file))
        awf = Awf(dsn, settings=settings, **options)
        started.append(awf)
        return awf

    yield start_client
    for awf in started:
        awf.close(timeout=0)


@pytest.fixture
def running(db: str) -> str:
    run_experiment(db)
    return db


@pytest.fixture
def nowhere() -> str:
    return f"host=127.0.0.1 port={servers._free_port()} dbname=game user=someone password=s3cret"


def run_experiment(dsn: str, acts: int = 8) -> None:
    """Start an experiment that gives everybody a number of acts."""
    with Api(dsn) as api:
        api.create_experiment("acts", "Acts", [{"variation": "v", "percent": 100}], start_at="2020-01-01")
        api.create_variation("acts", "v", {"maxActs": acts})
        api.start_experiment("acts")


def stop_experiment(dsn: str) -> None:
    with Api(dsn) as api:
        api.stop_experiment("acts")


def params(awf: Awf) -> dict[str, Any]:
    return awf.turn(**TURN).params


def eventually(holds: Callable[[], bool], seconds: float = DEADLINE_S) -> bool:
    """Whether it comes to hold before the deadline."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


# Hearing of changes


def test_a_stop_reaches_a_listening_client_at_once(start: Callable[..., Awf], running: str) -> None:
    awf = start(running)
    assert params(awf) == {"maxActs": 8}
    stats = awf.stats()
    assert (stats["config_loaded"], stats["config_source"], stats["config_listening"]) == (
        True,
        "database",
        True,
    )
    assert stats["config_error"] is None
    stop_experiment(running)
    assert eventually(lambda: params(awf) == {})
    assert awf.stats()["config_revision"] > stats["config_revision"]


class Counting(ConfigCache):
    loads = 0

    def _load(self) -> None:
        self.loads += 1
        super()._load()


class Deaf(ConfigCache):
    """As behind a pooler that swallows notifications."""

    def _take_in(self) -> None:
        pass

    def _hear(self, _: object) -> None:
        pass


@pytest.fixture
def cache() -> Iterator[Callable[..., ConfigCache]]:
    started: list[ConfigCache] = []

    def start_cache(dsn: str, kind: type[ConfigCache] = ConfigCache, **options: Any) -> ConfigCache:
        made = kind(Source(dsn, None, "awf-pg test"), **options)
        started.append(made)
        return made

    yield start_cache
    for made in started:
        made.close()


def set_budget(connection: psycopg.Connection[Any], value: int) -> None:
    connection.execute("select awf.set_setting('model_max_output_tokens', to_jsonb(%s::int))", [value])


def budget_of(cache: ConfigCache, connection: psycopg.Connection[Any]) -> bool:
    """Whether the cache has the database's newest revision."""
    (revision,) = connection.execute("select revision from awf.config_state").fetchone() or (None,)
    return bool(cache.evaluator.revision == revision)


def test_a_burst_of_changes_makes_few_fetches(
    cache: Callable[..., ConfigCache], db: str, connect: Connect
) -> None:
    made = cache(db, Counting)
    assert isinstance(made, Counting)
    assert made.loads == 1
    admin = connect(autocommit=True)
    began = time.monotonic()
    for number in range(100):
        set_budget(admin, 1000 + number)
    assert eventually(lambda: budget_of(made, admin))
    assert 2 <= made.loads <= 3 + (time.monotonic() - began) / module._BURST_S[0]


def test_a_deaf_client_still_asks(cache: Callable[..., ConfigCache], db: str, connect: Connect) -> None:
    made = cache(db, Deaf, refresh_s=0.2)
    admin = connect(autocommit=True)
    set_budget(admin, 1000)
    assert eventually(lambda: budget_of(made, admin))


def test_a_standby_is_asked(
    cache: Callable[..., ConfigCache], db: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses to listen."""

    def refuse(connection: Any, query: str) -> Any:
        if query.startswith("listen"):
            raise psycopg.errors.ReadOnlySqlTransaction("cannot execute LISTEN during recovery")
        return execute(connection, query)

    monkeypatch.setattr(module, "execute", refuse)
    made = cache(db, refresh_s=0.2)
    assert (made.stats()["config_loaded"], made.stats()["config_listening"]) == (True, False)
    admin = connect(autocommit=True)
    set_budget(admin, 1000)
    assert eventually(lambda: budget_of(made, admin))


def test_refresh_asks_now(cache: Callable[..., ConfigCache], db: str, connect: Connect) -> None:
    made = cache(db, Deaf)
    admin = connect(autocommit=True)
    set_budget(admin, 1000)
    assert made.refresh()
    assert budget_of(made, admin)


def test_one_connection_beside_a_pool(start: Callable[..., Awf], running: str) -> None:
    """The pool's only connection is in use; the configuration needs none of it."""
    with psycopg_pool.ConnectionPool(running, min_size=1, max_size=1, open=True) as pool, pool.connection():
        awf = start(pool=pool)
        assert params(awf) == {"maxActs": 8}
        stop_experiment(running)
        assert eventually(lambda: params(awf) == {})
        awf.close()


@pytest.mark.parametrize("by_pool", [False, True])
def test_parent_and_child_both_listen(start: Callable[..., Awf], running: str, by_pool: bool) -> None:
    pool = psycopg_pool.ConnectionPool(running, min_size=1, max_size=1, open=True) if by_pool else None
    awf = start(None if pool else running, pool=pool)

    def child() -> None:
        assert params(awf) == {"maxActs": 8}, "the parent's document is there at once"
        assert eventually(lambda: awf.stats()["config_listening"])
        stop_experiment(running)
        assert eventually(lambda: params(awf) == {})
        assert awf.close()

    in_child(child)
    assert eventually(lambda: params(awf) == {})
    assert awf.stats()["config_listening"]
    awf.close()
    if pool is not None:
        pool.close()


def test_closing_is_prompt(cache: Callable[..., ConfigCache], db: str, connect: Connect) -> None:
    made = cache(db)
    made.close()
    assert not made._thread.is_alive()
    left = "select 1 from pg_stat_activity where application_name = 'awf-pg test'"
    watch = connect(autocommit=True)
    assert eventually(lambda: watch.execute(left).fetchone() is None)
    began = time.monotonic()
    assert not made.refresh()
    assert time.monotonic() - began < module.ANSWER_S


# When the database is away


def test_a_lost_connection_is_opened_anew(
    start: Callable[..., Awf], running: str, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="awf.config")
    awf = start(running, application_name="the-game")
    watch = connect(autocommit=True)
    kill = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'the-game'"
    assert watch.execute(kill).fetchall() == [(True,)]
    assert eventually(lambda: not awf.stats()["config_listening"])
    assert params(awf) == {"maxActs": 8}
    assert awf.stats()["config_error"]
    assert eventually(lambda: awf.stats()["config_listening"])
    stop_experiment(running)
    assert eventually(lambda: params(awf) == {})
    assert awf.stats()["config_error"] is None
    levels = [record.levelname for record in caplog.records if record.name == "awf.config"]
    assert levels == ["INFO", "WARNING", "INFO"]


def test_the_last_document_stays_while_the_database_refuses(
    start: Callable[..., Awf], running: str, server: servers.Server, connect: Connect
) -> None:
    awf = start(running)
    name = psycopg.conninfo.conninfo_to_dict(running)["dbname"]
    with psycopg.connect(server.dsn, autocommit=True) as watch:
        watch.execute(f"alter database {name} allow_connections false")
        watch.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
        assert eventually(lambda: "not currently accepting" in (awf.stats()["config_error"] or ""))
        assert params(awf) == {"maxActs": 8}
        stats = awf.stats()
        assert (stats["config_loaded"], stats["config_source"], stats["config_listening"]) == (
            True,
            "database",
            False,
        )
        watch.execute(f"alter database {name} allow_connections true")
    stop_experiment(running)
    assert eventually(lambda: params(awf) == {}, 10)


def test_a_killed_server_disturbs_no_turn() -> None:
    """One of its processes is killed, so the server ends all sessions, recovers and is there again."""
    with servers.temporary_server(settings={"synchronous_commit": "on"}) as own:
        servers.create_template(own)
        own.create_database("game", servers.TEMPLATE)
        dsn = own.dsn_of("game")
        run_experiment(dsn)
        with Awf(dsn, settings=Settings(analytics_enabled=False)) as awf:
            victim = psycopg.connect(dsn)
            os.kill(victim.info.backend_pid, signal.SIGKILL)
            assert eventually(lambda: not awf.stats()["config_listening"])
            assert params(awf) == {"maxActs": 8}
            victim.close()
            assert eventually(lambda: awf.stats()["config_listening"], 30)
            stop_experiment(dsn)
            assert eventually(lambda: params(awf) == {})


def test_a_database_that_does_not_answer_holds_nobody_up(
    start: Callable[..., Awf], running: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.1)
    blocker = connect()
    blocker.execute("lock table awf.experiments in access exclusive mode")
    awf = start(running)
    assert params(awf) == {}
    assert not awf.refresh_config()
    assert not awf.stats()["config_loaded"]
    blocker.rollback()
    assert eventually(lambda: params(awf) == {"maxActs": 8})
    blocker.execute("lock table awf.experiments in access exclusive mode")
    assert not awf.refresh_config()
    assert params(awf) == {"maxActs": 8}
    blocker.rollback()


def test_a_document_that_cannot_be_read_changes_nothing(
    start: Callable[..., Awf], running: str, connect: Connect
) -> None:
    awf = start(running)
    admin = connect(autocommit=True)
    admin.execute(
        "create or replace function awf.active_config() returns jsonb language sql stable parallel restricted"
        """ security definer as $$ select '{"version": 9}'::jsonb $$"""
    )
    admin.execute("notify awf_config")
    assert eventually(lambda: "version 9" in (awf.stats()["config_error"] or ""))
    assert params(awf) == {"maxActs": 8}


# The copy on disk


def test_a_cold_start_from_the_file(
    start: Callable[..., Awf], running: str, server: servers.Server, tmp_path: Path
) -> None:
    file = tmp_path / "awf.json"
    first = start(running, file=file)
    revision = first.stats()["config_revision"]
    assert eventually(file.exists)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first.close()
    name = psycopg.conninfo.conninfo_to_dict(running)["dbname"]
    with psycopg.connect(server.dsn, autocommit=True) as watch:
        watch.execute(f"alter database {name} allow_connections false")
        awf = start(running, file=file)
        assert params(awf) == {"maxActs": 8}
        stats = awf.stats()
        assert (stats["config_loaded"], stats["config_source"], stats["config_revision"]) == (
            True,
            "file",
            revision,
        )
        assert stats["config_age_seconds"] >= 0
        assert "not currently accepting" in stats["config_error"]
        watch.execute(f"alter database {name} allow_connections true")
    assert eventually(lambda: awf.stats()["config_source"] == "database")


def test_the_file_follows_the_revision(start: Callable[..., Awf], running: str, tmp_path: Path) -> None:
    file = tmp_path / "awf.json"
    awf = start(running, file=file)
    stop_experiment(running)
    assert eventually(lambda: params(awf) == {})
    assert eventually(lambda: json.loads(file.read_bytes())["config"]["experiments"] == [])
    assert [path.name for path in tmp_path.iterdir()] == ["awf.json"], "no temporary file is left"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda held: b"", "Expecting value"),
        (lambda held: held[: len(held) // 2], "is not used"),
        (lambda held: b'{"version": 2}', "no copy of a configuration"),
        (lambda held: b"[]", "no copy of a configuration"),
        (lambda held: b"\xff\xfe\x00", "is not used"),
        (lambda held: held.replace(b'"version": 2', b'"version": 9'), "version 9"),
    ],
)
def test_a_damaged_file_is_ignored(
    start: Callable[..., Awf],
    nowhere: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    change: Callable[[bytes], bytes],
    message: str,
) -> None:
    caplog.set_level(logging.WARNING, logger="awf.config")
    file = tmp_path / "awf.json"
    file.write_bytes(change(kept(nowhere)))
    awf = start(nowhere, file=file)
    assert params(awf) == {}
    assert (awf.stats()["config_loaded"], awf.stats()["config_source"]) == (False, None)
    assert message in caplog.text
    assert "s3cret" not in caplog.text


def kept(dsn: str, **changes: Any) -> bytes:
    """A file as a client writes it."""
    held = {
        "format": "awf-pg configuration 1",
        "database": Source(dsn, None, "").database(),
        "savedAt": time.time() - 100,
        "config": {"version": 2, "revision": 5, "knobs": {}, "experiments": []},
    }
    return json.dumps(held | changes).encode()


def test_the_file_of_another_database_is_ignored(
    start: Callable[..., Awf], nowhere: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "awf.json"
    file.write_bytes(kept(nowhere))
    good = start(nowhere, file=file).stats()
    assert (good["config_source"], good["config_revision"]) == ("file", 5)
    assert good["config_age_seconds"] >= 100
    assert "is not used" not in caplog.text
    assert start(nowhere.replace("game", "staging"), file=file).stats()["config_source"] is None
    assert "database game, not from" in caplog.text


def test_without_a_file_nothing_is_said(
    start: Callable[..., Awf], nowhere: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert start(nowhere, file=tmp_path / "awf.json").stats()["config_loaded"] is False
    assert "is not used" not in caplog.text


def test_a_file_that_cannot_be_written_is_only_a_warning(
    start: Callable[..., Awf], running: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    awf = start(running, file=tmp_path / "missing" / "awf.json")
    assert params(awf) == {"maxActs": 8}
    assert awf.stats()["config_error"] is None
    assert eventually(lambda: "was not saved to" in caplog.text)


# The log


def test_revisions_and_failures_are_logged(
    start: Callable[..., Awf], running: str, nowhere: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="awf.config")
    awf = start(running)
    revision = awf.stats()["config_revision"]
    assert awf.refresh_config()
    assert caplog.messages == [f"configuration revision {revision}, 1 running experiments"]
    stop_experiment(running)
    assert eventually(lambda: params(awf) == {})
    assert eventually(lambda: "0 running experiments" in caplog.text)
    caplog.clear()
    start(nowhere)
    assert [record.levelname for record in caplog.records][:1] == ["WARNING"]
    assert "s3cret" not in caplog.text
