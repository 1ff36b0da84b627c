"""Unit-level statistics brought up to date, against the full recompute of a warehouse-native tool.

    python -m bench.results_refresh [--history 10] [--rounds 3]

One server holds so many million events, rolled up. 100,000 new events come: ten turns of each of 10,000
sessions, or one of each of 100,000; sessions that are known already. Ours is the part of the refresh that
changes units and moments, and beside it the whole refresh with everything else that it keeps. The recompute
joins the exposures to all events of the experiment, adds up each unit's turns and metrics, and the units'
sums, squares and products for each variation, in queries that may use all cores: one for each of the twelve
metrics, as such a tool sends them (GrowthBook combines metrics of one table in its enterprise edition only,
https://docs.growthbook.io/app/query-optimization), and, for comparison, one for all twelve. All must agree to
the last digit. The exit status is 1 when ours is not 50 times as fast as the queries by metric where 10,000
units are touched, or 8 times where it is 100,000.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import psycopg

from tests import servers

from .events import Connection
from .history import DAYS, KEY, SETTINGS, History, date_of

NEW = 100_000
BOUNDS = {10_000: 50.0, 100_000: 8.0}
OURS = """
select variation_id, metric_id, units, sum_d, sum_m, sum_dd, sum_dm, sum_mm
from awf.experiment_moments where units > 0 order by 1, 2
"""


Metric = tuple[int, str]


def metrics_of(connection: Connection) -> list[Metric]:
    """Numbers and columns; 0 counts the turns and those that failed."""
    found = connection.execute("select id, column_name from awf.metrics where id > 0 order by id")
    return [(0, "failed"), *found.fetchall()]


def recompute_query(metrics: list[Metric]) -> str:
    """Units side by side, then a row for each variation and metric."""
    units = ", ".join(
        "count(*) as d0, count(*) filter (where e.failed) as m0"
        if id == 0
        else f"count(e.{name})::bigint as d{id}, coalesce(sum(e.{name}), 0)::bigint as m{id}"
        for id, name in metrics
    )
    sums = ", ".join(
        f"count(*) filter (where d{n} > 0) as units{n}, sum(d{n}) as d{n}, sum(m{n}) as m{n},"
        f" sum(d{n} * d{n}) as dd{n}, sum(d{n} * m{n}) as dm{n}, sum(m{n}::numeric * m{n}) as mm{n}"
        for n, _ in metrics
    )
    rows = ", ".join(f"({n}, s.units{n}, s.d{n}, s.m{n}, s.dd{n}, s.dm{n}, s.mm{n})" for n, _ in metrics)
    return f"""
    with units as (
        select x.variation_id, x.unit_id, {units}
        from awf.exposures as x
        inner join awf.turn_events as e
            on e.session_id = x.unit_id and e.ts >= x.first_ts and x.variation_id = any (e.assignments)
        where x.experiment_id = (select id from awf.experiments where key = '{KEY}')
        group by x.variation_id, x.unit_id
    ),
    sums as (select variation_id, {sums} from units group by variation_id)
    select s.variation_id, m.*
    from sums as s
    cross join lateral (values {rows}) as m (metric_id, units, d, m, dd, dm, mm)
    where m.units > 0
    """


class Bench(History):
    def spread(self, units: int) -> None:
        """So many known sessions, of all days, go on."""
        for day in range(DAYS):
            self.add(day, NEW // DAYS, known=True, turns=NEW // units)

    def update(self) -> float:
        """Seconds of the units' part of a refresh; undone."""
        condition = self.waiting()
        with self.connection.transaction(force_rollback=True):
            return timed(
                lambda: self.connection.execute(
                    "select awf._merge_events(%s, %s, %s, %s)",
                    [date_of(0), date_of(DAYS - 1), condition, ["exposures", "units"]],
                )
            )

    def recompute(self, queries: list[str]) -> float:
        """Seconds of the queries; what they say must be what the refresh has made."""
        found: list[tuple[Any, ...]] = []

        def ask() -> None:
            for query in queries:
                found.extend(self.connection.execute(query.encode()).fetchall())

        seconds = timed(ask)
        ours = self.connection.execute(OURS.encode()).fetchall()
        assert sorted(found) == sorted(ours), "the two do not agree"
        return seconds


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(bench: Bench, units: int, rounds: int) -> tuple[float, float, float, float]:
    """Seconds: medians of our update, the whole refresh and the recompute at once; once, that by metric."""
    metrics = metrics_of(bench.connection)
    updates, refreshes, recomputes = [], [], []
    for _ in range(rounds):
        bench.spread(units)
        bench.connection.execute("checkpoint")
        updates.append(bench.update())
        refreshes.append(timed(bench.refresh))
        recomputes.append(bench.recompute([recompute_query(metrics)]))
    by_metric = bench.recompute([recompute_query([metric]) for metric in metrics])
    return statistics.median(updates), statistics.median(refreshes), statistics.median(recomputes), by_metric


def main() -> int:
    parser = argparse.ArgumentParser(
        description="New events into unit-level statistics, against a recompute."
    )
    parser.add_argument("--history", type=float, default=10, help="million events")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    missed = []
    with servers.temporary_server(settings=SETTINGS) as server:
        servers.create_template(server)
        with psycopg.connect(server.dsn_of(servers.TEMPLATE), autocommit=True) as connection:
            bench = Bench(connection)
            bench.grow(int(arguments.history * 1e6))
            connection.execute("set jit = off")
            connection.execute("set work_mem = '1GB'")
            print("| units | update, s | whole refresh, s | by metric, s | all at once, s | times as fast |")
            print("|---|---|---|---|---|---|")
            for units, bound in BOUNDS.items():
                update, refresh, at_once, by_metric = measure(bench, units, arguments.rounds)
                print(
                    f"| {units:,} | {update:.2f} | {refresh:.2f} | {by_metric:.2f} | {at_once:.2f} |"
                    f" {by_metric / update:.1f}; all at once {at_once / update:.1f} |",
                    flush=True,
                )
                if by_metric / update < bound:
                    missed.append(f"{units:,} units: {by_metric / update:.1f} times as fast, not {bound:g}")
    print("", *missed, sep="\n")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
