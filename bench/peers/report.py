"""The report's question put to DuckDB or chDB, in memory. bench/report.py runs it, apart from the rest.

    python report.py duckdb|chdb events.csv FROM TO RUNS

Prints JSON: for each range and each way to quantiles the seconds of the runs, and the rows of the last.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

METRICS = ("turn_latency_us", "model_latency_us", "bundle_tokens", "output_tokens")
AVERAGES = (
    "turn_latency_us", "model_latency_us", "bundle_us", "bundle_tokens", "output_tokens", "retries",
    "fallbacks", "tool_calls", "acts", "choices", "time_advance_ticks",
)  # fmt: skip
Rows = list[list[Any]]
Ask = Callable[[str], Rows]


def duckdb_engine(file: str) -> tuple[Ask, dict[str, str]]:
    import duckdb

    connection = duckdb.connect(":memory:")
    integers = "".join(f", {name} integer" for name in AVERAGES)
    connection.execute(
        "create table events"
        f" (day date, variation tinyint, locale smallint, session varchar, failed boolean{integers})"
    )
    connection.execute(f"copy events from '{file}' (header false)")
    ways = {
        "approx_quantile": "approx_quantile({m}, [0.5, 0.9, 0.95, 0.99])",
        "quantile_disc": "quantile_disc({m}, [0.5, 0.9, 0.95, 0.99])",
    }
    query = (
        "select variation, locale, count(distinct session), count(*), sum(failed::int), sum(bundle_tokens),"
        " sum(output_tokens), {averages}, {quantiles} from events where day between '{first}' and '{last}'"
        " group by variation, locale order by variation, locale"
    )
    return lambda text: [list(row) for row in connection.execute(text).fetchall()], filled(query, ways)


def chdb_engine(file: str) -> tuple[Ask, dict[str, str]]:
    from chdb.session import Session  # type: ignore[import-not-found]

    session = Session()
    integers = "".join(f", {name} Int32" for name in AVERAGES)
    columns = f"day Date, variation UInt8, locale UInt16, session String, failed Bool{integers}"
    session.query("create database bench engine = Atomic")
    session.query(f"create table bench.events ({columns}) engine = Memory")
    session.query(f"insert into bench.events select * from file('{file}', 'CSV', '{columns}')")
    ways = {
        "quantilesDD": "quantilesDD(0.01, 0.5, 0.9, 0.95, 0.99)({m})",
        "quantilesTDigest": "quantilesTDigest(0.5, 0.9, 0.95, 0.99)({m})",
        "quantilesExact": "quantilesExact(0.5, 0.9, 0.95, 0.99)({m})",
    }
    query = (
        "select variation, locale, uniqExact(session), count(), sum(failed), sum(bundle_tokens),"
        " sum(output_tokens), {averages}, {quantiles} from bench.events"
        " where day between '{first}' and '{last}' group by variation, locale order by variation, locale"
    )

    def ask(text: str) -> Rows:
        lines = str(session.query(text, "JSONCompactEachRow")).splitlines()
        return [json.loads(line) for line in lines]

    return ask, filled(query, ways)


def filled(query: str, ways: dict[str, str]) -> dict[str, str]:
    averages = ", ".join(f"avg({name})" for name in AVERAGES)
    return {
        way: query.replace("{averages}", averages).replace(
            "{quantiles}", ", ".join(part.replace("{m}", metric) for metric in METRICS)
        )
        for way, part in ways.items()
    }


def plain(row: list[Any]) -> list[Any]:
    """Keys, counts and sums as integers, then the quantiles of each metric."""
    return [*(int(value) for value in row[:7]), *row[7 + len(AVERAGES) :]]


def main() -> None:
    engine, file, first, last, runs = sys.argv[1:]
    ask, queries = {"duckdb": duckdb_engine, "chdb": chdb_engine}[engine](file)
    found: dict[str, dict[str, Any]] = {}
    for name, bounds in {"whole": ("2000-01-01", "2100-01-01"), "range": (first, last)}.items():
        for way, query in queries.items():
            text = query.replace("{first}", bounds[0]).replace("{last}", bounds[1])
            seconds = []
            for _ in range(int(runs)):
                began = time.perf_counter()
                rows = ask(text)
                seconds.append(time.perf_counter() - began)
            found.setdefault(name, {})[way] = {"seconds": seconds, "rows": [plain(row) for row in rows]}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
