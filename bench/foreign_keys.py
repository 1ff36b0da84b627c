"""What foreign keys on the events would cost: COPY into a day's partition with and without them.

    python -m bench.foreign_keys [--rows 200000] [--batch 5000] [--rounds 5]

Two copies of awf.turn_events, both with its checks, key and indexes; one also has foreign keys to the
dictionary of worlds, adventures, locales and models. The same rows go into both by binary COPY, in batches,
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

import psycopg

from tests import servers

from . import events

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


@dataclass(frozen=True)
class Run:
    seconds: float
    wal_bytes: int


def send_all(dsn: str, table: str, batches: Sequence[bytes]) -> None:
    """Copy the batches, a transaction each, with a ledger number as the direct path has."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for batch in batches:
            with connection.transaction():
                connection.execute("select nextval('awf.ingest_log_batch_id_seq')")
                events.send(connection, table, events.DIRECT, batch)


def measure(
    connection: events.Connection, dsn: str, table: str, batches: Sequence[bytes], writers: int
) -> Run:
    connection.execute(f"truncate {table}".encode())
    connection.execute("checkpoint")
    before = position(connection)
    shares = [batches[number::writers] for number in range(writers)]
    threads = [threading.Thread(target=send_all, args=(dsn, table, share)) for share in shares]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Run(time.perf_counter() - began, position(connection) - before)


def position(connection: events.Connection) -> int:
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
            connection.execute(events.DICTIONARIES.encode())
            connection.execute(TABLES.encode())
            batches = events.batches_for(connection, events.DIRECT, arguments.rows, arguments.batch)
            print(f"{arguments.rows:,} rows, batches of {arguments.batch:,}, medians of {arguments.rounds}\n")
            print("| writers | foreign keys | seconds | rows/s | WAL MB |\n|---|---|---|---|---|")
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
