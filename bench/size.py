"""What an event takes on disk, against one JSONB row in a plain table, and what the aggregates take.

    python -m bench.size [--events 1]

So many million events over thirty days, with all metrics, in awf.turn_events with its indexes, and the very
same in a table with the columns and the indexes of the analytics that this replaces: text ids, a JSONB
document, a primary key and four indexes. Both after VACUUM. The exit status is 1 when an event of ours takes
more than 0.6 of the other's.
"""

from __future__ import annotations

import argparse
import sys

import psycopg

from tests import servers

from .events import Connection
from .history import SETTINGS, History

SHARE = 0.6

PLAIN = """
create table public.analytics_events (
    id uuid primary key default gen_random_uuid(),
    ts timestamptz not null default now(),
    session_id text not null,
    player_hash text not null,
    world_ref text not null,
    adventure_ref text not null,
    locale text not null default 'en-US',
    experiment_key text,
    variation_key text,
    metrics jsonb not null default '{}',
    created_at timestamptz default now()
);
create index idx_analytics_events_ts on public.analytics_events (ts);
create index idx_analytics_events_experiment on public.analytics_events (experiment_key, variation_key);
create index idx_analytics_events_world on public.analytics_events (world_ref);
create index idx_analytics_events_session on public.analytics_events (session_id);
insert into public.analytics_events (
    id, ts, session_id, player_hash, world_ref, adventure_ref, locale, experiment_key, variation_key, metrics,
    created_at
)
select
    id, ts, session_id, player_hash, world_ref, adventure_ref, locale, experiment_key, variation_key, metrics,
    created_at
from awf.analytics_events;
"""

EVENTS = """
select sum(pg_table_size(i.inhrelid)), sum(pg_indexes_size(i.inhrelid))
from pg_inherits as i where i.inhparent = 'awf.turn_events'::regclass
"""
PLAIN_EVENTS = (
    "select pg_table_size(t), pg_indexes_size(t) from (select 'public.analytics_events'::regclass) as n (t)"
)
AGGREGATES = """
select c.relname, pg_total_relation_size(c.oid)
from pg_class as c
where c.relnamespace = 'awf'::regnamespace and c.relname in (
    'daily_totals', 'dimension_totals', 'hourly_totals', 'locale_totals', 'histograms', 'exposures',
    'exposure_days', 'crossovers', 'unit_totals', 'player_days', 'experiment_moments', 'history_moments',
    'ingest_log'
)
order by 2 desc
"""


def bytes_of(connection: Connection, query: str) -> tuple[int, int]:
    """Of a table and of its indexes."""
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def main() -> int:
    parser = argparse.ArgumentParser(description="Bytes of an event, and of the aggregates.")
    parser.add_argument("--events", type=float, default=1, help="millions")
    events = int(parser.parse_args().events * 1e6) // 30 * 30
    with servers.temporary_server(settings=SETTINGS) as server:
        servers.create_template(server)
        with psycopg.connect(server.dsn_of(servers.TEMPLATE), autocommit=True) as connection:
            history = History(connection)
            history.grow(events)
            connection.execute(PLAIN.encode())
            connection.execute("vacuum analyze")
            print("| | heap, bytes an event | indexes | together |\n|---|---|---|---|")
            totals = {}
            for name, query in {"awf.turn_events": EVENTS, "plain JSONB": PLAIN_EVENTS}.items():
                heap, indexes = bytes_of(connection, query)
                totals[name] = heap + indexes
                print(
                    f"| {name} | {heap / events:.0f} | {indexes / events:.0f} | {totals[name] / events:.0f} |"
                )
            print("\n| aggregate | MB per million events |\n|---|---|")
            sizes = connection.execute(AGGREGATES.encode()).fetchall()
            for name, size in sizes:
                print(f"| {name} | {size / events:.2f} |")
            print(f"| together | {sum(size for _, size in sizes) / events:.2f} |")
    share = totals["awf.turn_events"] / totals["plain JSONB"]
    print(f"\nan event takes {share:.2f} of a plain JSONB row")
    return int(share > SHARE)


if __name__ == "__main__":
    sys.exit(main())
