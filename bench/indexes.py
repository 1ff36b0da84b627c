"""The events' indexes against four plain btree indexes on one plain table: sizes, times and plans.

    python -m bench.indexes [--rows 1000000] [--days 14] [--rounds 5] [--plans]

The same events lie in awf.turn_events (a partition a day, BRIN on ts, single-column btrees on numbers)
and in one plain table with text columns and a metrics document, which is measured with single-column btrees
and again with (key, ts). Every question is asked by an analyst, with parallel query off. The server is a
temporary one; all tables fit into its memory.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from tests import servers

SETTINGS = {"shared_buffers": "2GB", "max_wal_size": "8GB", "max_parallel_workers_per_gather": "0"}

PREPARE = """
insert into awf.dimensions (kind, value)
select k.kind, k.kind || '-' || n
from (values ('world', 20), ('adventure', 100)) as k (kind, many)
cross join lateral generate_series(1, k.many) as n
order by k.kind, n;
select awf.dimension_ids('locale', array['en-US', 'de-DE', 'fr-FR', 'es-ES', 'ja-JP']);
select awf.create_experiment(
    e, e, '[{"variation": "control", "percent": 50}, {"variation": "high", "percent": 50}]'
)
from unnest(array['tokens', 'acts', 'tools', 'choices']) as e;
select awf.create_variation(e, v)
from unnest(array['tokens', 'acts', 'tools', 'choices']) as e
cross join unnest(array['control', 'high']) as v;
"""

# Sessions of ten turns, 40 s apart, many at a time; half of them in an experiment, worlds of unequal size.
EVENTS = """
insert into {partition} (
    ts, id, session_id, player_hash, world_id, adventure_id, locale_id, assignments,
    turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens, retries, fallbacks,
    tool_calls, acts, choices, time_advance_ticks
)
select
    t.ts, gen_random_uuid(), 'session-' || t.session,
    sha256(convert_to('player-' || t.session % 20000, 'UTF8')),
    w.ids[1 + floor(20 * (t.session % 997 / 997.0) ^ 2)::integer], a.ids[1 + t.session % 100],
    l.ids[1 + t.session % 5],
    case when t.session % 8 < 4 then array[v.ids[1 + t.session % 8 * 2 + t.session / 8 % 2]] end,
    800000 + t.n % 1000000, 700000 + t.n % 900000, 40000 + t.n % 9000, 1200 + t.n % 300, 300 + t.n % 1000,
    0, 0, t.n % 8, t.n % 6, t.n % 4, 1
from (
    select
        n, {first} / 10 + n / 10 as session,
        timestamptz '{day} 00:00:00+00'
            + (n / 10 * 10.0 / {rows} * 86000 + n % 10 * 40) * interval '1 second' as ts
    from generate_series(0, {rows} - 1) as n
) as t
cross join (select array_agg(id order by id) as ids from awf.dimensions where kind = 'world') as w
cross join (select array_agg(id order by id) as ids from awf.dimensions where kind = 'adventure') as a
cross join (select array_agg(id order by id) as ids from awf.dimensions where kind = 'locale') as l
cross join (
    select array_agg(id order by id) as ids from awf.variation_ids where experiment_key <> 'awf-default-test'
) as v
order by t.ts
"""

PLAIN = """
create schema plain;
create table plain.analytics_events (
    id uuid primary key default gen_random_uuid(),
    ts timestamptz not null default now(),
    session_id text not null,
    player_hash text not null,
    world_ref text not null,
    adventure_ref text not null,
    locale text not null default 'en-US',
    experiment_key text,
    variation_key text,
    metrics jsonb not null default '{}'::jsonb,
    created_at timestamptz default now()
);
insert into plain.analytics_events select * from awf.analytics_events order by ts;
grant usage on schema plain to awf_analyst;
grant select on plain.analytics_events to awf_analyst;
"""

SINGLE = """
create index idx_analytics_events_ts on plain.analytics_events (ts);
create index idx_analytics_events_experiment on plain.analytics_events (experiment_key, variation_key);
create index idx_analytics_events_world on plain.analytics_events (world_ref);
create index idx_analytics_events_session on plain.analytics_events (session_id);
"""

WITH_TIME = """
drop index plain.idx_analytics_events_experiment;
drop index plain.idx_analytics_events_world;
drop index plain.idx_analytics_events_session;
create index idx_analytics_events_experiment on plain.analytics_events (experiment_key, variation_key, ts);
create index idx_analytics_events_world on plain.analytics_events (world_ref, ts);
create index idx_analytics_events_session on plain.analytics_events (session_id, ts);
"""

OUTPUT = "count(*), avg((metrics ->> 'outputTokens')::numeric)"
HOURS = "ts >= '2025-01-08 06:00+00' and ts < '2025-01-08 12:00+00'"
DAY = "ts >= '2025-01-08 00:00+00' and ts < '2025-01-09 00:00+00'"
VARIATION = "experiment_key = 'tokens' and variation_key = 'high'"

QUESTIONS = {
    "time: six hours": f"select {OUTPUT} from {{events}} where {HOURS}",
    "time: ten minutes": (
        f"select {OUTPUT} from {{events}} where ts >= '2025-01-08 06:00+00' and ts < '2025-01-08 06:10+00'"
    ),
    "variation, all days": f"select {OUTPUT} from {{events}} where {VARIATION}",
    "variation, one day": f"select {OUTPUT} from {{events}} where {VARIATION} and {DAY}",
    "small world, all days": f"select {OUTPUT} from {{events}} where world_ref = 'world-20'",
    "small world, one day": f"select {OUTPUT} from {{events}} where world_ref = 'world-20' and {DAY}",
    "session, all days": "select ts, metrics from {events} where session_id = 'session-50007' order by ts",
    "session, its day": (
        f"select ts, metrics from {{events}} where session_id = 'session-50007' and {DAY} order by ts"
    ),
}

# The same questions to the typed table, as rollups and the project's own functions ask.
TYPED = {
    "time: six hours": f"select count(*), avg(output_tokens) from awf.turn_events where {HOURS}",
    "time: ten minutes": (
        "select count(*), avg(output_tokens) from awf.turn_events "
        "where ts >= '2025-01-08 06:00+00' and ts < '2025-01-08 06:10+00'"
    ),
    "variation, all days": (
        "select count(*), avg(output_tokens) from awf.turn_events where assignments[1] = {variation}"
    ),
    "variation, one day": (
        f"select count(*), avg(output_tokens) from awf.turn_events "
        f"where assignments[1] = {{variation}} and {DAY}"
    ),
    "small world, all days": (
        "select count(*), avg(output_tokens) from awf.turn_events where world_id = {world}"
    ),
    "small world, one day": (
        f"select count(*), avg(output_tokens) from awf.turn_events where world_id = {{world}} and {DAY}"
    ),
    "session, all days": (
        "select ts, output_tokens from awf.turn_events where session_id = 'session-50007' order by ts"
    ),
    "session, its day": (
        f"select ts, output_tokens from awf.turn_events "
        f"where session_id = 'session-50007' and {DAY} order by ts"
    ),
}

# The indexes of the partitions count under the name of the index that they are parts of.
SIZES = """
select
    case when c.relkind = 'r' then 'rows' else coalesce(p.relname, c.relname) end as what,
    sum(pg_relation_size(c.oid))::bigint as bytes
from pg_class as c
left join pg_inherits as i on c.oid = i.inhrelid
left join pg_class as p on i.inhparent = p.oid
left join pg_index as x on c.oid = x.indexrelid
where coalesce(x.indrelid, c.oid)::regclass::text ~ '^(awf.turn_events_\\d|plain.)'
    and c.relkind in ('r', 'i') and c.relnamespace = %s::regnamespace
group by 1
order by 2 desc
"""


@dataclass(frozen=True)
class Answer:
    ms: float
    buffers: int
    plan: str


def fill(connection: psycopg.Connection[Any], rows: int, days: int) -> None:
    connection.execute(PREPARE.encode())
    of_day = rows // days // 10 * 10
    for number in range(days):
        day = f"2025-01-{number + 1:02}"
        with connection.transaction():
            opened = connection.execute("select table_name from awf.open_batch(%s, %s)", [day, of_day])
            row = opened.fetchone()
            assert row is not None
            statement = EVENTS.format(partition=row[0], first=number * of_day, rows=of_day, day=day)
            connection.execute(statement.encode())
    connection.execute(PLAIN.encode())
    connection.execute(SINGLE.encode())
    connection.execute("vacuum analyze")


def ask(connection: psycopg.Connection[Any], question: str, rounds: int) -> Answer:
    times, plan = [], ""
    buffers = 0
    for _ in range(rounds + 1):  # the first one warms up
        found = connection.execute(f"explain (analyze, buffers, timing off, format json) {question}".encode())
        row = found.fetchone()
        assert row is not None
        times.append(float(row[0][0]["Execution Time"]))
        buffers = int(row[0][0]["Plan"]["Shared Hit Blocks"]) + int(row[0][0]["Plan"]["Shared Read Blocks"])
    shown = connection.execute(f"explain (analyze, buffers, timing off) {question}".encode())
    plan = "\n".join(str(line) for (line,) in shown)
    return Answer(statistics.median(times[1:]), buffers, plan)


def ask_all(
    connection: psycopg.Connection[Any], questions: Mapping[str, str], rounds: int
) -> dict[str, Answer]:
    return {name: ask(connection, question, rounds) for name, question in questions.items()}


def numbers(connection: psycopg.Connection[Any]) -> dict[str, int]:
    row = connection.execute(
        "select v.id, d.id from awf.variation_ids as v cross join awf.dimensions as d"
        f" where {VARIATION} and kind = 'world' and value = 'world-20'".encode()
    ).fetchone()
    assert row is not None
    return {"variation": row[0], "world": row[1]}


def print_sizes(connection: psycopg.Connection[Any], title: str, schema: str) -> None:
    print(f"\n{title}\n\n| | MB |\n|---|---|")
    total = 0
    for name, size in connection.execute(SIZES.encode(), [schema]):
        print(f"| {name} | {size / 1e6:.1f} |")
        total += size
    print(f"| all | {total / 1e6:.1f} |")


def print_answers(columns: Mapping[str, Mapping[str, Answer]]) -> None:
    print("\nms (pages)\n\n| question | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 1) + "|")
    for name in QUESTIONS:
        cells = [f"{answers[name].ms:.2f} ({answers[name].buffers:,})" for answers in columns.values()]
        print(f"| {name} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description="Indexes of the events against plain btree indexes.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--plans", action="store_true", help="also print every plan")
    arguments = parser.parse_args()
    with servers.temporary_server(settings=SETTINGS) as server:
        servers.create_template(server)
        database = servers.TEMPLATE
        with (
            psycopg.connect(server.dsn_of(database), autocommit=True) as owner,
            psycopg.connect(server.dsn_of(database, "t_analyst"), autocommit=True) as analyst,
        ):
            fill(owner, arguments.rows, arguments.days)
            typed = {name: question.format(**numbers(owner)) for name, question in TYPED.items()}
            view = {name: q.format(events="awf.analytics_events") for name, q in QUESTIONS.items()}
            plain = {name: q.format(events="plain.analytics_events") for name, q in QUESTIONS.items()}
            print_sizes(owner, "awf.turn_events", "awf")
            print_sizes(owner, "plain table, single columns", "plain")
            columns = {
                "view analytics_events": ask_all(analyst, view, arguments.rounds),
                "table turn_events": ask_all(analyst, typed, arguments.rounds),
                "plain, (key)": ask_all(analyst, plain, arguments.rounds),
            }
            owner.execute(WITH_TIME.encode())
            owner.execute("vacuum analyze plain.analytics_events")
            print_sizes(owner, "plain table, (key, ts)", "plain")
            columns["plain, (key, ts)"] = ask_all(analyst, plain, arguments.rounds)
            print_answers(columns)
            if arguments.plans:
                for column, answers in columns.items():
                    for name, answer in answers.items():
                        print(f"\n== {column}; {name}\n{answer.plan}")


if __name__ == "__main__":
    main()
