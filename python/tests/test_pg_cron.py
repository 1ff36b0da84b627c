"""pg_cron for real: it runs the jobs of two databases, logs them, and a failing one stops no other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from awf_pg.cli import main
from tests import servers
from tests.conftest import Connect

pytestmark = pytest.mark.skipif(
    servers.choose_kind() != "debian", reason=f"the embedded server has no pg_cron. {servers.why_embedded()}"
)

# pg_cron lives in "home"; the jobs of "away" are scheduled from there.
SETTINGS = {
    "shared_preload_libraries": "pg_cron",
    "cron.database_name": "home",
    "cron.use_background_workers": "on",
}
JOBS = ["experiments", "refresh", "partitions", "views", "broken", "retention"]
HASH = "0123456789abcdef" * 4

# A job is a row and a function. This one fails, and its message names a player.
BROKEN = f"""
insert into awf.jobs (name, place, schedule, every, description)
values ('broken', 40, '* * * * *', '1 minute', 'Fails.');
create function awf._job_broken() returns bigint language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into awf.locks (name) values ('a trace of the job');
    raise exception 'player {HASH} is odd';
end;
$$;
alter function awf._job_broken() owner to awf_owner;
"""

TURN = """
select awf.record_turn(jsonb_build_object('session_id', 's-1', 'player_hash', repeat('ab', 32),
    'world_ref', 'w', 'adventure_ref', 'a'))
"""
ENDED = """
select awf.create_experiment('short', 'Short', '[{"variation": "a", "percent": 100}]',
    p_stop_at => now() + interval '1 s');
select awf.create_variation('short', 'a', '{"maxActs": 3}');
select awf.start_experiment('short');
"""


@pytest.fixture(scope="module")
def cron() -> Iterator[servers.Server]:
    with servers.temporary_server("debian", SETTINGS) as server:
        servers.create_template(server)
        for name in ("home", "away"):
            server.create_database(name, servers.TEMPLATE)
            with psycopg.connect(server.dsn_of(name)) as connection:
                connection.execute(BROKEN)
                connection.execute(TURN)
        with psycopg.connect(server.dsn_of("home"), autocommit=True) as connection:
            connection.execute("create extension pg_cron")
            connection.execute("create role t_second login in role awf_admin")
        yield server


def rows(dsn: str, query: str) -> list[Any]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query).fetchall()


def run(dsn: str, statements: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(statements)


def scheduled(cron: servers.Server) -> list[Any]:
    return rows(
        cron.dsn_of("home"),
        "select jobname, schedule, database, username from cron.job order by username, jobid",
    )


def awf_pg(dsn: str, *arguments: str) -> str:
    done = CliRunner().invoke(main, ["--dsn", dsn, "jobs", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def wait_for(query: str, dsn: str, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not rows(dsn, query)[0][0]:
        assert time.monotonic() < until, query
        time.sleep(0.5)


def test_an_admin_without_rights_on_cron_is_told_what_to_do(cron: servers.Server) -> None:
    with psycopg.connect(cron.dsn_of("home", "t_admin")) as admin:
        for call in ("awf.schedule_jobs()", "awf.unschedule_jobs()"):
            with pytest.raises(psycopg.Error) as refused:
                admin.execute(f"select * from {call}")
            assert refused.value.sqlstate == "WF406"
            assert refused.value.diag.message_hint == (
                "As a superuser: GRANT USAGE ON SCHEMA cron TO t_admin;"
            )
            admin.rollback()
    assert scheduled(cron) == []


def test_pg_cron_runs_the_jobs(cron: servers.Server) -> None:
    home, away = cron.dsn_of("home", "t_admin"), cron.dsn_of("away", "t_admin")
    run(cron.dsn_of("home"), "grant usage on schema cron to t_admin, t_second")
    run(home, ENDED)
    # The minute may turn before the end has come, and the first run would have nothing to stop.
    wait_for("select stop_at < now() from awf.experiments where key = 'short'", home, 10)
    every_minute = dict.fromkeys(("partitions", "views", "retention"), "* * * * *")
    for dsn in (home, away):
        for job, schedule in every_minute.items():
            awf_pg(dsn, "set", job, "--schedule", schedule)
    # Twice, to the same effect; in the place of a job that was made by hand, and beside one that is not ours.
    run(home, "select cron.schedule('awf refresh', '0 0 1 1 *', 'SELECT awf.refresh_rollups()')")
    run(home, "select cron.schedule('awf tea', '0 0 1 1 *', 'SELECT 1')")
    for _ in range(2):
        awf_pg(home, "schedule")
        awf_pg(away, "schedule", "--cron-dsn", cron.dsn_of("home"))
    assert sorted(scheduled(cron)) == sorted(
        [(f"awf {job}", "* * * * *", "home", "t_admin") for job in JOBS]
        + [(f"awf {job} (away)", "* * * * *", "away", "t_admin") for job in JOBS]
        + [("awf tea", "0 0 1 1 *", "home", "t_admin")]
    )

    for dsn in (cron.dsn_of("home"), cron.dsn_of("away")):
        wait_for("select count(distinct job) = 6 from awf.job_runs", dsn, 150)
        runs = {
            row[0]: row[1:]
            for row in rows(
                dsn,
                "select distinct on (job) job, rows, code, error, scheduler "
                "from awf.job_runs order by job, id",
            )
        }
        assert runs == {
            "experiments": (1 if "home" in dsn else 0, None, None, "pg_cron"),
            "refresh": (1, None, None, "pg_cron"),
            "partitions": (7, None, None, "pg_cron"),
            "views": (runs["views"][0], None, None, "pg_cron"),  # before or after the first refresh
            "broken": (None, "P0001", "player ... is odd", "pg_cron"),
            "retention": (0, None, None, "pg_cron"),
        }
        assert rows(dsn, "select count(*) from awf.locks where name like 'a trace%'") == [(0,)]
        assert rows(dsn, "select count(*) from awf.daily_totals where variation_id = 0") == [(1,)]
        stats = rows(dsn, "select awf.analytics_stats() -> 'jobs'")[0][0]
        assert {job: state["failing"] for job, state in stats.items()} == {
            job: job == "broken" for job in JOBS
        }
    assert rows(home, "select status, stop_at < now() from awf.experiments where key = 'short'") == [
        ("stopped", True)
    ]
    # What pg_cron itself says: run_job() returned a row, also for the job that failed.
    wait_for(
        "select count(*) >= 10 from cron.job_run_details where status = 'succeeded'", cron.dsn_of("home"), 20
    )
    details = rows(
        cron.dsn_of("home"),
        "select distinct database, username, status from cron.job_run_details order by 1, 2, 3",
    )
    assert details == [("away", "t_admin", "succeeded"), ("home", "t_admin", "succeeded")]

    # A disabled job stops at once for all, and is scheduled no more by the next schedule_jobs().
    awf_pg(home, "set", "broken", "--disable")
    assert rows(home, "select outcome from awf.run_job('broken')") == [("disabled",)]
    assert "broken" not in awf_pg(home, "schedule")
    assert [row[0] for row in scheduled(cron) if row[2] == "home"] == [
        "awf tea",
        *[f"awf {job}" for job in JOBS if job != "broken"],
    ]
    # Everybody takes back what is his own.
    second = cron.dsn_of("home", "t_second")
    assert awf_pg(second, "unschedule") == ""
    awf_pg(second, "schedule")
    assert awf_pg(home, "unschedule").count("no more") == 5
    awf_pg(away, "unschedule", "--cron-dsn", cron.dsn_of("home"), "--role", "t_admin")
    assert {row[3] for row in scheduled(cron)} == {"t_admin", "t_second"}
    assert [row[0] for row in scheduled(cron) if row[3] == "t_admin"] == ["awf tea"]


def test_without_pg_cron_there_is_a_hint(connect: Connect) -> None:
    admin = connect("admin")
    for call in ("awf.schedule_jobs()", "awf.unschedule_jobs()"):
        with pytest.raises(psycopg.Error) as refused:
            admin.execute(f"select * from {call}")
        assert refused.value.sqlstate == "WF406"
        assert "awf-pg jobs run" in (refused.value.diag.message_hint or "")
        admin.rollback()


def test_a_schema_that_is_only_called_cron_is_not_used(connect: Connect) -> None:
    """Whoever may make schemas could else have an admin run what he wrote."""
    superuser = connect(autocommit=True)
    superuser.execute("create schema cron authorization t_none; grant usage on schema cron to t_admin")
    superuser.execute("set role t_none")
    superuser.execute("""create function cron.schedule(text, text, text) returns bigint language plpgsql as $$
        begin raise exception 'a trap'; end $$""")
    with pytest.raises(psycopg.Error) as refused:
        connect("admin").execute("select * from awf.schedule_jobs()")
    assert refused.value.sqlstate == "WF406"
