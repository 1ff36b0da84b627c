"""The loop that runs the jobs: beside another one, through failures, kills and signals."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg.conninfo import make_conninfo

from awf_pg.admin import Api
from awf_pg.cli import main
from awf_pg.errors import JobNotFound, NoScheduler
from awf_pg.jobs import Bell, Jobs, Run, Runner
from tests import scale, servers
from tests.conftest import Connect

JOBS = ["experiments", "refresh", "partitions", "views", "retention"]
AWF_PG = str(Path(sys.executable).with_name("awf-pg"))

# A job is a row and a function. The text behind "begin" is what it does.
JOB = """
insert into awf.jobs (name, place, schedule, every, description)
values ('extra', 15, '* * * * *', '1 hour', 'Extra.');
create function awf._job_extra() returns bigint language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into awf.locks (name) values ('trace ' || clock_timestamp());
    {};
    return 1;
end;
$$;
alter function awf._job_extra() owner to awf_owner;
"""
# Nothing else runs in the tests that wait for this job.
ALONE = "update awf.jobs set enabled = false where name <> 'extra'"
TRACES = "select count(*) from awf.locks where name like 'trace%'"

Start = Callable[..., subprocess.Popen[str]]


def add_job(dsn: str, does: str, *, alone: bool = False) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(JOB.format(does))
        if alone:
            connection.execute(ALONE)


def query(dsn: str, statement: str) -> list[Any]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(statement).fetchall()


def wait_until(true: Callable[[], Any], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.05)


SLEEPING = "from pg_stat_activity where query like '%run_job%' and wait_event = 'PgSleep'"


def is_running(dsn: str) -> bool:
    return bool(query(dsn, f"select pid {SLEEPING}"))


def admin(dsn: str, role: str = "admin") -> str:
    return make_conninfo(dsn, user=f"t_{role}")


def awf_pg(dsn: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--dsn", dsn, "jobs", *arguments])


@pytest.fixture
def start(db: str) -> Iterator[Start]:
    """Start `awf-pg jobs run` as a process; what it says comes by its pipes."""
    with ExitStack() as started:

        def start_loop(*arguments: str, dsn: str | None = None) -> subprocess.Popen[str]:
            command = [AWF_PG, "--dsn", dsn or admin(db), "jobs", "run", *arguments]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            started.enter_context(process)
            started.callback(process.kill)
            return process

        yield start_loop


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_two_loops_at_once_run_each_job_once(db: str) -> None:
    for _ in range(scale.examples(50)):
        query(db, "with gone as (delete from awf.job_runs returning 1) select count(*) from gone")
        together = threading.Barrier(2)
        runs: list[Run] = []

        def loop(together: threading.Barrier = together, runs: list[Run] = runs) -> None:
            with Api(admin(db)) as api:
                api.version()
                together.wait(20)
                Runner([Jobs(api)], Bell(), runs.append, lambda _: None).round()

        threads = [threading.Thread(target=loop) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(run.job for run in runs if run.outcome != "busy") == sorted(JOBS)
        assert {run.outcome for run in runs} <= {"done", "busy"}
        assert sorted(query(db, "select job, code from awf.job_runs")) == [
            (job, None) for job in sorted(JOBS)
        ]


def test_a_job_that_runs_elsewhere_is_left_alone(db: str, connect: Connect) -> None:
    first, second = connect("admin"), connect("admin", autocommit=True)
    # It would wait for the first one, a minute at most: days go only when no refresh is at work.
    second.execute("select awf.set_job('retention', false)")
    assert first.execute("select outcome from awf.run_job('refresh')").fetchone() == ("done",)
    began = time.monotonic()
    assert second.execute("select outcome from awf.run_job('refresh')").fetchone() == ("busy",)
    assert ("refresh", "busy") in second.execute("select job, outcome from awf.run_jobs()").fetchall()
    assert time.monotonic() - began < 5
    first.rollback()
    assert second.execute("select outcome from awf.run_job('refresh', true)").fetchone() == ("done",)
    assert second.execute("select count(*) from awf.job_runs where job = 'refresh'").fetchone() == (1,)


@pytest.mark.parametrize("role", ["none", "reader", "analyst", "writer", "admin"])
def test_no_role_can_keep_a_job_from_running(connect: Connect, role: str) -> None:
    stranger = connect(role)
    for table in ("jobs", "job_runs", "locks"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            stranger.execute(f"select from awf.{table} for share")
        stranger.rollback()
    stranger.execute(
        "select pg_advisory_xact_lock(hashtext(name)) from unnest(array['awf.jobs', 'awf']) as name"
    )
    runner = connect("admin")
    assert runner.execute("select outcome from awf.run_job('refresh')").fetchone() == ("done",)
    held = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
    assert runner.execute(held).fetchone() == (0,)


def test_a_failing_job_is_told_and_stops_no_other(db: str) -> None:
    add_job(db, "raise exception using errcode = 'WF203', message = E'two\\nlines'")
    done = awf_pg(admin(db), "run", "--once")
    assert done.exit_code == 1
    said = [entry.partition(" ")[2] for entry in done.stdout.splitlines()]
    assert [entry.partition(":")[0] for entry in said] == [
        "experiments",
        "extra",
        "refresh",
        "partitions",
        "views",
        "retention",
    ]
    assert said[1].startswith("extra: failed, WF203: two lines, ")
    assert query(db, TRACES) == [(0,)]
    assert query(db, "select job, code, scheduler from awf.job_runs where code is not null") == [
        ("extra", "WF203", "awf-pg")
    ]
    # Not due again before the next hour.
    assert awf_pg(admin(db), "run", "--once").exit_code == 0
    listed = awf_pg(admin(db, "reader"), "list")
    assert "two" in listed.stdout
    assert awf_pg(admin(db, "reader"), "log", "--job", "extra", "--limit", "1").stdout.count("WF203") == 1
    assert query(db, "select awf.analytics_stats() #>> '{jobs,extra,lastError}'") == [("WF203: two\nlines",)]


def test_another_task_of_a_round(db: str) -> None:
    """The loop takes a list of tasks; the jobs of the database are one."""
    runs: list[Run] = []
    with Api(admin(db)) as api:
        bell = Bell()
        Runner([Jobs(api), lambda: [Run("mine", "done", rows=1)]], bell, runs.append, lambda _: None).round()
        bell.close()
    assert [run.job for run in runs] == [*JOBS, "mine"]


def test_a_killed_runner_leaves_nothing(db: str, start: Start) -> None:
    add_job(db, "perform pg_sleep(2)", alone=True)
    process = start("--once")
    wait_until(lambda: is_running(db))
    process.kill()
    process.wait(20)
    # Its session goes on to the end of the statement, holds the job till then, and is rolled back.
    assert query(db, "select outcome from awf.run_job('extra')") == [("busy",)]
    assert query(db, "select due from awf.list_jobs() where name = 'extra'") == [(True,)]
    wait_until(lambda: not is_running(db))
    wait_until(lambda: awf_pg(admin(db), "run", "--once").stdout.count("extra: done, 1 rows") == 1)
    assert query(db, TRACES) == [(1,)]
    assert query(db, "select code from awf.job_runs") == [(None,)]


def test_a_loop_whose_session_is_ended_goes_on(db: str, start: Start) -> None:
    add_job(
        db,
        "perform pg_sleep(30) from awf.settings where name = 'job_log_keep_days' and value = '30'",
        alone=True,
    )
    process = start("--every", "0.2")
    wait_until(lambda: is_running(db))
    query(db, "update awf.settings set value = '29' where name = 'job_log_keep_days' returning 1")
    query(db, f"select pg_terminate_backend(pid) {SLEEPING}")
    assert "extra: done, 1 rows" in line(process)
    assert process.stderr is not None
    assert "trying again" in process.stderr.readline()
    assert process.stderr.readline().endswith(" going on\n")
    process.terminate()
    assert process.wait(20) == 0


def test_roles_without_rights(db: str, start: Start) -> None:
    for role in ("none", "reader", "analyst", "writer"):
        for arguments in (["run", "--once"], ["set", "refresh", "--disable"], ["schedule"], ["unschedule"]):
            refused = awf_pg(admin(db, role), *arguments)
            assert (refused.exit_code, refused.stderr[:11]) == (1, "Error WF903"), (role, arguments)
    # It does not go away by itself, so the loop ends.
    process = start(dsn=admin(db, "writer"))
    assert process.wait(20) == 1
    assert query(db, "select count(*) from awf.job_runs") == [(0,)]


def test_what_is_refused(db: str) -> None:
    with Api(admin(db)) as api:
        for call in (
            lambda: api.run_job("none"),
            lambda: api.list_job_runs("none"),
            lambda: api.set_job("none", True),
        ):
            with pytest.raises(JobNotFound):
                call()
        with pytest.raises(NoScheduler):
            api.schedule_jobs()
        with pytest.raises(NoScheduler):
            api.unschedule_jobs()
        assert api.run_jobs()[0]["outcome"] == "done"
        assert len(api.cron_statements()) == len(JOBS) + 1
        assert len(api.cron_statements(remove=True)) == 1
    for arguments, code in (
        (["log", "--job", "none"], "WF405"),
        (["set", "refresh", "--schedule", "often"], "WF001"),
        (["set", "refresh", "--every", "1 month"], "WF001"),
        (["set", "refresh", "--every", "a while"], "WF001"),
        (["schedule"], "WF406"),
    ):
        refused = awf_pg(admin(db), *arguments)
        assert (refused.exit_code, refused.stderr[6:11]) == (1, code), arguments
    assert awf_pg(admin(db), "schedule", "--role", "t_admin").exit_code == 2
    assert awf_pg(admin(db), "run", "--every", "0").exit_code == 2
    gone = awf_pg("host=/nowhere port=1", "run", "--once")
    assert gone.exit_code == 3


def test_settings_of_a_job(db: str) -> None:
    assert (
        awf_pg(
            admin(db), "set", "retention", "--disable", "--schedule", "30 4 * * *", "--every", "7 days"
        ).exit_code
        == 0
    )
    assert query(db, "select enabled, schedule, every::text from awf.jobs where name = 'retention'") == [
        (False, "30 4 * * *", "7 days")
    ]
    assert "retention" not in awf_pg(admin(db), "run", "--once").stdout
    listed = awf_pg(admin(db), "list", "--format", "json").stdout
    assert '"every": 604800.0' in listed
    assert awf_pg(admin(db), "set", "retention", "--enable").exit_code == 0
    assert "retention: done, 0 rows" in awf_pg(admin(db), "run", "--once").stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_loop(db: str, start: Start, number: signal.Signals) -> None:
    process = start("--every", "60")
    assert [line(process).split()[1] for _ in JOBS] == [f"{job}:" for job in JOBS]
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(number)
    assert process.wait(20) == 0
    assert time.monotonic() - began < 10
    assert process.stderr is not None
    assert process.stderr.read() == ""


def test_a_signal_lets_the_job_at_work_end(db: str, start: Start) -> None:
    add_job(db, "perform pg_sleep(2)")
    process = start()
    wait_until(lambda: is_running(db))
    process.terminate()
    assert process.wait(20) == 0
    assert query(db, "select job, code from awf.job_runs order by id") == [
        ("experiments", None),
        ("extra", None),
    ]


def test_a_second_signal_cancels_it(db: str, start: Start) -> None:
    add_job(db, "perform pg_sleep(60)", alone=True)
    process = start()
    wait_until(lambda: is_running(db))
    process.terminate()
    time.sleep(0.3)
    assert process.poll() is None
    process.terminate()
    assert process.wait(20) == 128 + signal.SIGTERM
    wait_until(lambda: not is_running(db))
    assert query(db, "select count(*) from awf.job_runs") == [(0,)]
    assert query(db, TRACES) == [(0,)]


def test_a_cancelled_round_ends(db: str, connect: Connect) -> None:
    """Who cancels run_jobs() means all of it."""
    add_job(db, "perform pg_sleep(60)")
    runner = connect("admin")
    rounds: list[Any] = []
    thread = threading.Thread(
        target=lambda: rounds.extend(
            runner.execute("select job, outcome, code from awf.run_jobs()").fetchall()
        )
    )
    thread.start()
    wait_until(lambda: is_running(db))
    query(db, f"select pg_cancel_backend({runner.info.backend_pid})")
    thread.join(20)
    runner.commit()
    assert rounds == [("experiments", "done", None), ("extra", "failed", "57014")]
    assert query(db, "select job, code from awf.job_runs order by id") == [
        ("experiments", None),
        ("extra", "57014"),
    ]


def test_an_experiment_that_somebody_holds_fails_the_job_and_no_more(db: str, connect: Connect) -> None:
    """Whoever changes the configuration for long does not stop the loop."""
    with Api(admin(db)) as api:
        api.create_experiment("short", "Short", [{"variation": "a", "percent": 100}])
        api.create_variation("short", "a", {"maxActs": 3})
        api.start_experiment("short")
        query(
            db, "update awf.experiments set stop_at = now() + interval '1 s' where key = 'short' returning 1"
        )
        time.sleep(1.1)
        holder = connect("admin")
        holder.execute("select awf.update_experiment('short', '{\"name\": \"Held\"}')")
        runs = {run["job"]: run for run in api.run_jobs()}
        assert (runs["experiments"]["code"], runs["refresh"]["outcome"]) == ("55P03", "done")
        # Meanwhile the end is moved: the job looks again under the lock.
        holder.execute("select awf.update_experiment('short', '{\"stopAt\": \"2999-01-01T00:00:00Z\"}')")
        holder.commit()
        assert api.run_job("experiments")["rows"] == 0
        assert api.get_experiment("short")["state"] == "running"


def test_the_database_goes_away_and_comes_back(start: Start) -> None:
    with servers.mortal_server() as server:
        servers.create_template(server)
        dsn = server.dsn_of(servers.TEMPLATE)
        query(dsn, "update awf.jobs set every = '1 second' where name = 'refresh' returning 1")
        process = start("--every", "0.2", dsn=admin(dsn))
        for _ in range(6):
            line(process)
        server.kill()
        assert process.stderr is not None
        first = process.stderr.readline()
        assert "cannot connect to" in first
        assert "trying again" in first
        server.start()
        before = query(dsn, "select count(*) from awf.job_runs")[0][0]
        # A job that is due every minute may come first.
        assert any("refresh: done" in line(process) for _ in range(6))
        wait_until(lambda: query(dsn, "select count(*) from awf.job_runs")[0][0] > before)
        process.terminate()
        assert process.wait(20) == 0
