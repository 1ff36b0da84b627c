"""A report with quantiles, from rollups, against the same question put to the events by others.

    python -m bench.report [--events 10] [--runs 5] [--double]

The same so many million events (30 days, 2 variations, 5 locales): for each variation and locale the units,
turns, failed turns, sums of tokens, averages of all metrics, and p50, p90, p95, p99 of four. Ours is
experiment_report(). The others read the events: a query on awf.turn_events, DuckDB and chDB (ClickHouse) in
memory, each by its fastest way to quantiles within 1 %, in an environment that this makes under build/. The
whole run, and the days 7 to 23. Counts and sums must be equal, quantiles within 1 % of the exact ones. With
--double the events double, and ours is timed again. The exit status is 1 when ours is not 20 times as fast as
the fastest of the others on the whole run, 5 times on the range, or takes a quarter longer with twice the
events.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from tests import servers

from .events import Connection
from .history import KEY, SETTINGS, History, date_of

ENGINES = {"duckdb": "duckdb==2.0.1", "chdb": "chdb==4.4.0"}
ENVIRONMENT = Path(__file__).parents[1] / "build" / "bench-report"
SCRIPT = Path(__file__).parent / "peers" / "report.py"
RANGE = (date_of(6), date_of(22))
BOUNDS = {"whole": 20.0, "range": 5.0}
GROWTH = 1.25
ERROR = 0.01

METRICS = {
    "turnLatencyMs": ("turn_latency_us", 1000), "modelLatencyMs": ("model_latency_us", 1000),
    "bundleTokens": ("bundle_tokens", 1), "outputTokens": ("output_tokens", 1),
}  # fmt: skip
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
AVERAGES = (
    "turn_latency_us", "model_latency_us", "bundle_us", "bundle_tokens", "output_tokens", "retries",
    "fallbacks", "tool_calls", "acts", "choices", "time_advance_ticks",
)  # fmt: skip

# Variation, locale, units, turns, failed, bundle tokens, output tokens; then four quantiles of each metric.
Row = list[Any]

EXPORT = f"""
copy (
    select
        (e.ts at time zone 'UTC')::date, e.assignments[1], e.locale_id, e.session_id, e.failed,
        {", ".join(AVERAGES)}
    from awf.turn_events as e
) to stdout (format csv)
"""
DIRECT = f"""
select
    e.assignments[1], e.locale_id, count(distinct e.session_id), count(*), count(*) filter (where e.failed),
    sum(e.bundle_tokens), sum(e.output_tokens),
    {
    ", ".join(
        f"percentile_disc(array[0.5, 0.9, 0.95, 0.99]) within group (order by e.{column})"
        for column, _ in METRICS.values()
    )
},
    {", ".join(f"avg(e.{name})" for name in AVERAGES)}
from awf.turn_events as e
where e.ts >= %s and e.ts < %s
group by 1, 2 order by 1, 2
"""
REPORT = """
select
    v.id, l.id, r.units, r.turns, r.failed_turns, r.bundle_tokens::bigint, r.output_tokens::bigint,
    r.quantiles
from awf.experiment_report(%s, %s, %s) as r
inner join awf.variation_ids as v on v.experiment_key = %s and v.variation_key = r.variation_key
inner join awf.dimensions as l on l.kind = 'locale' and l.value = r.locale
order by 1, 2
"""


def ours(connection: Connection, name: str, runs: int) -> tuple[float, list[Row]]:
    bounds = RANGE if name == "range" else (None, None)
    seconds = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        rows = connection.execute(REPORT, [KEY, *bounds, KEY]).fetchall()
        seconds.append(time.perf_counter() - began)
    plain = [
        [*row, *([quantiles[metric][p] * scale for p in QUANTILES] for metric, (_, scale) in METRICS.items())]
        for *row, quantiles in rows
    ]
    return statistics.median(seconds[1:]), plain


def direct(connection: Connection, name: str) -> tuple[float, list[Row]]:
    first, last = RANGE if name == "range" else (date_of(0), date_of(29))
    began = time.perf_counter()
    rows = connection.execute(DIRECT.encode(), [f"{first}T00:00:00Z", f"{last}T24:00:00Z"]).fetchall()
    return time.perf_counter() - began, [list(row[: 7 + len(METRICS)]) for row in rows]


def peers(engine: str, file: Path, runs: int) -> dict[str, Any]:
    python = ENVIRONMENT / engine / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT / engine)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", ENGINES[engine]]
        subprocess.run(install, check=True)
    command = [str(python), str(SCRIPT), engine, str(file), *map(str, RANGE), str(runs)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def worst_error(rows: list[Row], exact: list[Row]) -> float:
    """Of the quantiles; the counts and sums before them must be equal."""
    assert [row[:7] for row in rows] == [row[:7] for row in exact], "counts or sums differ"
    return max(
        abs(float(value) - float(right)) / float(right)
        for row, other in zip(rows, exact, strict=True)
        for values, rights in zip(row[7:], other[7:], strict=True)
        for value, right in zip(values, rights, strict=True)
    )


def export(connection: Connection, file: Path) -> None:
    with file.open("wb") as out, connection.cursor().copy(EXPORT.encode()) as copy:
        for data in copy:
            out.write(data)


def compare(connection: Connection, runs: int) -> list[str]:
    """Print a table; what missed its bound."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "events.csv"
        export(connection, file)
        found = {engine: peers(engine, file, runs) for engine in ENGINES}
    missed = []
    print("| range | who | seconds | times ours | worst quantile |\n|---|---|---|---|---|")
    for name, bound in BOUNDS.items():
        slow, exact = direct(connection, name)
        quick, rows = ours(connection, name, runs)
        error = worst_error(rows, exact)
        assert error <= 1.001 * ERROR, f"ours is wrong by {error:.2%}"
        print(f"| {name} | ours, from rollups | {quick:.4f} | 1 | {error:.2%} |")
        print(f"| {name} | ours, from events | {slow:.2f} | {slow / quick:.0f} | 0 |")
        fastest = slow
        for engine, ways in found.items():
            for way, told in ways[name].items():
                seconds, error = statistics.median(told["seconds"]), worst_error(told["rows"], exact)
                counts = error <= 1.001 * ERROR
                fastest = min(fastest, seconds) if counts else fastest
                print(
                    f"| {name} | {ENGINES[engine]}, {way} | {seconds:.3f} | {seconds / quick:.0f} |"
                    f" {error:.2%}{'' if counts else ', does not count'} |"
                )
        if fastest / quick < bound:
            missed.append(f"{name}: {fastest / quick:.1f} times as fast as the fastest other, not {bound:g}")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description="A report with quantiles, against the same from the events.")
    parser.add_argument("--events", type=float, default=10, help="millions")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--double", action="store_true", help="time ours again with twice the events")
    arguments = parser.parse_args()
    with servers.temporary_server(settings=SETTINGS) as server:
        servers.create_template(server)
        with psycopg.connect(server.dsn_of(servers.TEMPLATE), autocommit=True) as connection:
            history = History(connection)
            events = int(arguments.events * 1e6) // 30 * 30
            history.grow(events)
            connection.execute("set work_mem = '1GB'")
            missed = compare(connection, arguments.runs)
            if arguments.double:
                before = {name: ours(connection, name, arguments.runs)[0] for name in BOUNDS}
                history.grow(2 * events)
                print("\n| range | ours, seconds | with twice the events |\n|---|---|---|")
                for name, seconds in before.items():
                    after = ours(connection, name, arguments.runs)[0]
                    print(f"| {name} | {seconds:.4f} | {after:.4f} |")
                    if after > GROWTH * seconds:
                        missed.append(f"{name}: {after / seconds:.2f} times as long with twice the events")
    print("", *missed, sep="\n")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
