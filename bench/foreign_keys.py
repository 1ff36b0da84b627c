"""What foreign keys on the events would cost: COPY into a day's partition with and without them.

    python bench/foreign_keys.py [--rows 200000] [--batch 5000] [--rounds 5]

Two copies of awf.turn_events, both with its checks, key and indexes; one also has foreign keys to the
dictionaries of worlds, adventures, locales and models. The same rows go into both by binary COPY, in batches,
a transaction each, in turns. Prints medians as a Markdown table. The server is a temporary one that does not
sync its files.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from tests import servers

COLUMNS = (
    "ts, id, session_id, player_hash, world_id, adventure_id, locale_id, model_id, assignments, failed, "
    "turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens, retries, fallbacks, "
    "tool_calls, acts, choices, time_advance_ticks"
)

# 20 worlds, 100 adventures, 12 locales and 4 models, as a game of some size has them.
DICTIONARIES = """
insert into awf.dimensions (kind, value)
select k.kind, k.kind || '-' || n
from (values ('world', 20), ('adventure', 100), ('locale', 12), ('model', 4)) as k (kind, many)
cross join lateral generate_series(1, k.many) as n
order by k.kind, n
"""

TABLES = """
create schema bench;
create table bench.without_keys (like awf.turn_events including all);
create table bench.with_keys (like awf.turn_events including all);
alter table bench.with_keys
    add foreign key (world_id) references awf.dimensions (id),
    add foreign key (adventure_id) references awf.dimensions (id),
    add foreign key (locale_id) references awf.dimensions (id),
    add foreign key (model_id) references awf.dimensions (id);
"""

ROWS = """
copy (
    with kinds as (select kind, array_agg(id) as ids from awf.dimensions group by kind),
    one as (
        select
            (select ids from kinds where kind = 'world') as worlds,
            (select ids from kinds where kind = 'adventure') as adventures,
            (select ids from kinds where kind = 'locale') as locales,
            (select ids from kinds where kind = 'model') as models
    )
    select
        timestamptz '2025-01-15 00:00:00+00' + n * interval '400 ms',
        gen_random_uuid(),
        'session-' || n / 10,
        sha256(convert_to('player-' || n % 5000, 'UTF8')),
        worlds[1 + n / 10 % 20], adventures[1 + n / 10 % 100], locales[1 + n / 10 % 12], models[1 + n % 4],
        array[1 + n / 10 % 2], false,
        800000 + n % 1000000, 700000 + n % 900000, 40000 + n % 9000, 1200 + n % 300, 300 + n % 1000,
        0, 0, n % 8, n % 6, n % 4, 1
    from one cross join generate_series({first}, {last}) as n
) to stdout (format binary)
"""


@dataclass(frozen=True)
class Run:
    seconds: float
    wal_bytes: int


def make_batches(connection: psycopg.Connection[Any], rows: int, size: int) -> list[bytes]:
    batches = []
    for first in range(0, rows, size):
        with connection.cursor().copy(
            ROWS.format(first=first, last=min(first + size, rows) - 1).encode()
        ) as copy:
            batches.append(b"".join(bytes(part) for part in copy))
    return batches


def send(dsn: str, table: str, batches: Sequence[bytes]) -> None:
    """Copy the batches, a transaction each, with a ledger number as the direct path has."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for batch in batches:
            with connection.transaction():
                connection.execute("select nextval('awf.ingest_log_batch_id_seq')")
                with connection.cursor().copy(
                    f"copy {table} ({COLUMNS}) from stdin (format binary)".encode()
                ) as copy:
                    copy.write(batch)


def measure(
    connection: psycopg.Connection[Any], dsn: str, table: str, batches: list[bytes], writers: int
) -> Run:
    connection.execute(f"truncate {table}".encode())
    connection.execute("checkpoint")
    before = position(connection)
    shares = [batches[number::writers] for number in range(writers)]
    threads = [threading.Thread(target=send, args=(dsn, table, share)) for share in shares]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Run(time.perf_counter() - began, position(connection) - before)


def position(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("select (pg_current_wal_insert_lsn() - '0/0')::bigint").fetchone()
    assert row is not None
    return int(row[0])


def main() -> None:
    parser = argparse.ArgumentParser(description="COPY with and without foreign keys.")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with servers.temporary_server(settings={"max_wal_size": "8GB"}) as server:
        servers.create_template(server)
        dsn = server.dsn_of(servers.TEMPLATE)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(DICTIONARIES.encode())
            connection.execute(TABLES.encode())
            batches = make_batches(connection, arguments.rows, arguments.batch)
            print(f"{arguments.rows:,} rows, batches of {arguments.batch:,}, medians of {arguments.rounds}\n")
            print("| writers | foreign keys | seconds | rows/s | WAL MB |")
            print("|---|---|---|---|---|")
            for writers in (1, 2):
                runs: dict[str, list[Run]] = {"without_keys": [], "with_keys": []}
                for _ in range(arguments.rounds):
                    for name, kept in runs.items():
                        kept.append(measure(connection, dsn, f"bench.{name}", batches, writers))
                for name, kept in runs.items():
                    seconds = statistics.median(run.seconds for run in kept)
                    wal = statistics.median(run.wal_bytes for run in kept) / 1e6
                    keys = "4" if name == "with_keys" else "none"
                    rate = arguments.rows / seconds
                    print(f"| {writers} | {keys} | {seconds:.2f} | {rate:,.0f} | {wal:.0f} |")


if __name__ == "__main__":
    main()
