"""How rows leave the command line: a table for people, JSON or CSV with every column for programs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

import click
from tabulate import tabulate

from awf_pg.event import field_name

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A column of a table for people."""

    name: str
    header: str
    absent: str = "-"  # what stands for NULL
    digits: int | None = None  # decimal places of an average; None for a count


@dataclass(frozen=True)
class View:
    """What one kind of row looks like: every column for programs, the chosen ones for people."""

    columns: Sequence[str]  # the header of a CSV without rows
    shown: Sequence[Column]
    hidden: Sequence[str] = field(default=())  # shown columns that a table leaves out this time

    def without(self, *names: str) -> View:
        return replace(self, hidden=names)

    def headed(self, name: str, header: str) -> View:
        """With another header over a column."""
        shown = [replace(column, header=header) if column.name == name else column for column in self.shown]
        return replace(self, shown=shown)

    def with_quantiles(self) -> View:
        """Quantiles in the place of averages."""
        kept = [column for column in self.shown if column not in _METRICS_SHOWN or column.digits is None]
        return View(self.columns, (*kept, *_QUANTILES_SHOWN), self.hidden)

    @property
    def table_columns(self) -> list[Column]:
        return [column for column in self.shown if column.name not in self.hidden]


_METRICS = (
    "turns", "failed_turns", "bundle_tokens", "output_tokens", "avg_turn_latency_ms",
    "avg_model_latency_ms", "avg_bundle_ms", "avg_bundle_tokens", "avg_output_tokens", "avg_retries",
    "avg_fallbacks", "avg_tool_calls", "avg_acts", "avg_choices", "avg_time_advance_ticks",
)  # fmt: skip

_METRICS_SHOWN = (
    Column("turns", "turns"),
    Column("failed_turns", "failed"),
    Column("avg_turn_latency_ms", "turn\nms", digits=1),
    Column("avg_model_latency_ms", "model\nms", digits=1),
    Column("avg_bundle_tokens", "bundle\ntokens", digits=1),
    Column("avg_output_tokens", "output\ntokens", digits=1),
    Column("avg_retries", "retries", digits=3),
    Column("avg_fallbacks", "fallbacks", digits=3),
    Column("avg_tool_calls", "tool\ncalls", digits=2),
    Column("avg_acts", "acts", digits=2),
    Column("avg_choices", "choices", digits=2),
)

_QUANTILES = tuple(
    (f"{field_name(metric)}_{quantile}", metric, quantile)
    for metric in ("turnLatencyMs", "modelLatencyMs", "bundleMs", "bundleTokens", "outputTokens")
    for quantile in ("p50", "p90", "p95", "p99")
)
_QUANTILES_SHOWN = tuple(
    Column(f"{name}_{quantile}", f"{header}\n{quantile}", digits=1)
    for name, header in (
        ("turn_latency_ms", "turn ms"),
        ("model_latency_ms", "model ms"),
        ("bundle_tokens", "bundle"),
        ("output_tokens", "output"),
    )
    for quantile in ("p50", "p95", "p99")
)

REPORT = View(
    columns=(
        "variation_key", "locale", "units", *_METRICS, "phase", "expected_percent",
        *(name for name, _, _ in _QUANTILES),
    ),
    shown=(
        Column("phase", "phase"),
        Column("variation_key", "variation"),
        Column("locale", "locale"),
        Column("units", "units"),
        Column("expected_percent", "expected\npercent"),
        *_METRICS_SHOWN,
    ),
)  # fmt: skip

ACTIVITY = View(
    columns=(
        "day", "locale", "world_ref", "adventure_ref", "model", *_METRICS,
        *(name for name, _, _ in _QUANTILES),
    ),
    shown=(
        Column("day", "day"),
        Column("locale", "locale"),
        Column("world_ref", "world"),
        Column("adventure_ref", "adventure"),
        Column("model", "model"),
        *_METRICS_SHOWN,
    ),
)  # fmt: skip

OVERVIEW = View(
    columns=(
        "experiment_key", "status", "phase", "exposures", "turns", "failed_turns", "bundle_tokens",
        "output_tokens", "avg_turn_latency_ms", "first_day", "last_day", "as_of",
    ),
    shown=(
        Column("experiment_key", "experiment"),
        Column("status", "status"),
        Column("phase", "phase"),
        Column("exposures", "exposures"),
        Column("turns", "turns"),
        Column("failed_turns", "failed"),
        Column("output_tokens", "output\ntokens"),
        Column("avg_turn_latency_ms", "turn\nms", digits=1),
        Column("first_day", "from"),
        Column("last_day", "to"),
        Column("as_of", "as of"),
    ),
)  # fmt: skip

LAST_DAYS = View(
    columns=(
        "day", "players", "turns", "failed_turns", "bundle_tokens", "output_tokens", "avg_turn_latency_ms",
        "as_of",
    ),
    shown=(
        Column("day", "day"),
        Column("players", "players"),
        Column("turns", "turns"),
        Column("failed_turns", "failed"),
        Column("bundle_tokens", "bundle\ntokens"),
        Column("output_tokens", "output\ntokens"),
        Column("avg_turn_latency_ms", "turn\nms", digits=1),
        Column("as_of", "as of"),
    ),
)  # fmt: skip

VIEWS = View(
    columns=("view_name", "refreshed_at", "rows"),
    shown=(Column("view_name", "view"), Column("refreshed_at", "refreshed"), Column("rows", "rows")),
)

ROLLUP = View(
    columns=("day", "experiment_key", "variation_key", "locale", "world_ref", *_METRICS),
    shown=(
        Column("day", "day"),
        # Without an experiment a row counts every turn of its day, locale and world once.
        Column("experiment_key", "experiment", absent="(every turn)"),
        Column("variation_key", "variation"),
        Column("locale", "locale"),
        Column("world_ref", "world"),
        *_METRICS_SHOWN,
    ),
)

_EXPERIMENT = (
    "key", "name", "status", "hash_basis", "start_at", "stop_at", "variations", "created_at", "updated_at",
    "state", "phase", "coverage", "layer", "owner", "tags", "revision",
)  # fmt: skip

EXPERIMENTS = View(
    columns=_EXPERIMENT,
    shown=(
        Column("key", "key"),
        Column("name", "name"),
        Column("state", "state"),
        Column("hash_basis", "by"),
        Column("coverage", "coverage"),
        Column("layer", "layer"),
        Column("owner", "owner"),
        Column("start_at", "starts"),
        Column("stop_at", "stops"),
        Column("variations", "variations"),
    ),
)

VARIATIONS = View(
    columns=("variation_key", "percent", "params", "created_at", "updated_at"),
    shown=(Column("variation_key", "variation"), Column("percent", "percent"), Column("params", "params")),
)

PHASES = View(
    columns=(
        "phase", "start_at", "end_at", "running", "coverage", "variation_key", "percent", "low", "high",
    ),
    shown=(
        Column("phase", "phase"),
        Column("start_at", "from"),
        Column("end_at", "to"),
        Column("running", "running"),
        Column("coverage", "coverage"),
        Column("variation_key", "variation"),
        Column("percent", "percent"),
        Column("low", "low"),
        Column("high", "high"),
    ),
)  # fmt: skip

OVERRIDES = View(
    columns=("unit_id", "variation_key", "note", "set_at"),
    shown=(
        Column("unit_id", "unit"),
        Column("variation_key", "variation"),
        Column("note", "note"),
        Column("set_at", "set"),
    ),
)

LAYERS = View(
    columns=("key", "hash_basis", "description", "holdout", "experiments", "free_slots", "created_at"),
    shown=(
        Column("key", "key"),
        Column("hash_basis", "by"),
        Column("description", "description"),
        Column("holdout", "holdout"),
        Column("experiments", "experiments"),
        Column("free_slots", "free slots"),
    ),
)

LAYER_MAP = View(
    columns=("low", "high", "holder", "experiment_key", "from_at", "to_at"),
    shown=(
        Column("low", "from slot"),
        Column("high", "up to"),
        Column("holder", "holder"),
        Column("experiment_key", "experiment"),
        Column("from_at", "from"),
        Column("to_at", "to"),
    ),
)

TEMPLATES = View(
    columns=("key", "description", "built_in", "definition", "created_at"),
    shown=(Column("key", "key"), Column("description", "description"), Column("built_in", "built in")),
)

EXPLANATION = View(
    columns=("step", "check", "passed", "detail"),
    shown=(
        Column("step", "step"),
        Column("check", "check"),
        Column("passed", "passed"),
        Column("detail", "detail", absent=""),
    ),
)

ASSIGNED = View(
    columns=("unit_id", "variation_key"),
    shown=(Column("unit_id", "unit"), Column("variation_key", "variation")),
)

SIMULATION = View(
    columns=("variation_key", "expected_percent", "units", "percent"),
    shown=(
        Column("variation_key", "variation", absent="(not in)"),
        Column("expected_percent", "expected\npercent"),
        Column("units", "units"),
        Column("percent", "percent"),
    ),
)

DISAGREEMENTS = View(
    columns=("unit_id", "phase", "stored", "derived", "first_ts"),
    shown=(
        Column("unit_id", "unit"),
        Column("phase", "phase"),
        Column("stored", "stored"),
        Column("derived", "derived", absent="(not in)"),
        Column("first_ts", "first exposure"),
    ),
)

# Sizes are in MB in a table for people, in bytes everywhere else.
STORAGE = View(
    columns=(
        "kind", "name", "day", "rows", "heap_bytes", "index_bytes", "total_bytes", "bytes_per_row", "detail",
    ),
    shown=(
        Column("kind", "kind"),
        Column("name", "name"),
        Column("day", "day", absent=""),
        Column("rows", "rows"),
        Column("heap_bytes", "heap\nMB", digits=2),
        Column("index_bytes", "indexes\nMB", digits=2),
        Column("total_bytes", "total\nMB", digits=2),
        Column("bytes_per_row", "bytes\na row", digits=0),
        Column("detail", "detail", absent=""),
    ),
)  # fmt: skip

PARTITIONS = View(
    columns=("day", "table_name", "made"),
    shown=(Column("day", "day"), Column("table_name", "table", absent="(gone)"), Column("made", "made now")),
)

RETENTION = View(
    columns=("day", "table_name", "bytes", "events", "action"),
    shown=(
        Column("day", "day"),
        Column("table_name", "table"),
        Column("bytes", "MB", digits=2),
        Column("events", "events"),
        Column("action", "action"),
    ),
)

JOBS = View(
    columns=(
        "name", "place", "schedule", "every", "enabled", "due", "due_at", "last_started_at",
        "last_duration_ms", "last_rows", "last_code", "last_error", "last_scheduler", "description",
    ),
    shown=(
        Column("name", "job"),
        Column("enabled", "enabled"),
        Column("schedule", "pg_cron"),
        Column("every", "every"),
        Column("due_at", "due"),
        Column("last_started_at", "last run"),
        Column("last_duration_ms", "ms", digits=0),
        Column("last_rows", "rows"),
        Column("last_scheduler", "by"),
        Column("last_error", "error", absent=""),
    ),
)  # fmt: skip

JOB_RUNS = View(
    columns=("id", "job", "started_at", "duration_ms", "rows", "code", "error", "scheduler"),
    shown=(
        Column("started_at", "started"),
        Column("job", "job"),
        Column("duration_ms", "ms", digits=0),
        Column("rows", "rows"),
        Column("scheduler", "by"),
        Column("code", "code", absent=""),
        Column("error", "error", absent=""),
    ),
)


def write_rows(rows: Iterable[Row], view: View, *, fmt: str, out: str | None = None) -> int:
    """Write rows and say how many there were. JSON and CSV are streamed, a table is not."""
    writers: dict[str, Callable[[Iterable[Row], View, TextIO], int]] = {
        "table": _write_table,
        "json": _write_json,
        "csv": _write_csv,
    }
    # The first row comes before the file is opened: what the server refuses leaves no file behind.
    iterator = iter(rows)
    first = next(iterator, None)
    with _destination(out) as file:
        written = writers[fmt](_chain(first, iterator), view, file)
    if out is not None:
        click.echo(f"{written} rows written to {out}", err=True)
    return written


def write_report(rows: Iterable[Row], view: View, *, fmt: str, out: str | None = None) -> int:
    """Write the rows of a report; outside JSON each quantile has a column of its own."""
    return write_rows(rows if fmt == "json" else map(_spread, rows), view, fmt=fmt, out=out)


def _spread(row: Row) -> Row:
    quantiles = row["quantiles"] or {}
    spread = {name: quantiles.get(metric, {}).get(quantile) for name, metric, quantile in _QUANTILES}
    return {name: value for name, value in row.items() if name != "quantiles"} | spread


def write_document(document: Any, *, out: str | None = None) -> None:
    """Write one JSON document, indented."""
    with _destination(out) as file:
        file.write(to_json(document, indent=2) + "\n")


def to_json(value: Any, *, indent: int | None = None) -> str:
    return json.dumps(value, default=_plain, ensure_ascii=False, indent=indent)


def as_table(rows: Iterable[Row], columns: Sequence[Column]) -> str:
    """Rows as an aligned table: numbers to the right, fractions rounded, NULL as a dash."""
    cells = [[row.get(column.name) for column in columns] for row in rows]
    numeric = [any(_is_number(line[i]) for line in cells) for i in range(len(columns))]
    return tabulate(
        [[_cell(value, column) for value, column in zip(line, columns, strict=True)] for line in cells],
        headers=[column.header for column in columns],
        colalign=["right" if right else "left" for right in numeric] if cells else None,
        disable_numparse=True,
    )


def as_pairs(document: Row) -> str:
    """A document as two columns, name and value; what is nested gets names such as events.lastDay."""
    rows = [(name, _cell(value, Column(name, name))) for name, value in _flat(document)]
    return tabulate(rows, tablefmt="plain", disable_numparse=True)


def _flat(document: Row, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _chain(first: Row | None, rest: Iterator[Row]) -> Iterator[Row]:
    if first is not None:
        yield first
        yield from rest


@contextmanager
def _destination(out: str | None) -> Iterator[TextIO]:
    if out is None or out == "-":
        if sys.stdout is None:
            raise click.ClickException("standard output is closed")
        yield sys.stdout
        sys.stdout.flush()  # A full disk shows now, not when Python ends.
        return
    try:
        with Path(out).open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise click.ClickException(f"{out} cannot be written: {error.strerror}") from error


def _write_table(rows: Iterable[Row], view: View, file: TextIO) -> int:
    kept = list(rows)
    if kept:
        file.write(as_table(kept, view.table_columns) + "\n")
    return len(kept)


def _write_json(rows: Iterable[Row], _view: View, file: TextIO) -> int:
    written = 0
    for row in rows:
        file.write("[\n  " if written == 0 else ",\n  ")
        file.write(to_json(dict(row)))
        written += 1
    file.write("\n]\n" if written else "[]\n")
    return written


def _write_csv(rows: Iterable[Row], view: View, file: TextIO) -> int:
    writer = csv.writer(file, lineterminator="\n")
    written = 0
    for row in rows:
        if written == 0:
            writer.writerow(row)
        writer.writerow([_csv_cell(value) for value in row.values()])
        written += 1
    if written == 0:
        writer.writerow(view.columns)
    return written


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    """What JSON has no type for: decimals become numbers, times ISO 8601 in UTC, intervals seconds."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _iso(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return format(value, "f")
    return to_json(value).strip('"') if not isinstance(value, dict | list) else to_json(value)


def _cell(value: Any, column: Column) -> str:
    if value is None:
        return column.absent
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    if isinstance(value, timedelta):
        return str(value).removesuffix(", 0:00:00")
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    if isinstance(value, bool | dict | list):
        return to_json(value)
    if not _is_number(value):
        return str(value)
    if column.digits is not None:
        return f"{value:,.{column.digits}f}"
    return f"{int(value):,}" if value == int(value) else str(value)
