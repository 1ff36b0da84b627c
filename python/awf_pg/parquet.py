"""A day of events as a Parquet file: its columns, how it is written, and how it is read again.

The file explains itself: beside the small numbers that the database keeps stand the texts that they mean. The
digest of its rows is the one that the database computes (awf.close_archive), so that the two can be compared
without trusting whatever carried the rows from one to the other. Needs the extra `archive`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from awf_pg.errors import CODES, AwfError, PermissionDenied, ServerUnreachable

FORMAT = 1
"""Raised when the columns of the file change; awf.close_archive() then knows the rows of both."""

_MOMENT = pa.timestamp("us", "UTC")
_TEXT = pa.dictionary(pa.int32(), pa.string())
_METRICS = (
    "turn_latency_us", "model_latency_us", "bundle_us", "bundle_tokens", "output_tokens", "retries",
    "fallbacks", "tool_calls", "acts", "choices", "time_advance_ticks",
)  # fmt: skip

# Columns of turn_events by their names, and the texts that explain them, which the file has in addition.
SCHEMA = pa.schema(
    [
        pa.field("ts", _MOMENT, nullable=False),
        pa.field("id", pa.uuid(), nullable=False),
        pa.field("session_id", pa.string(), nullable=False),
        pa.field("player_hash", pa.binary(32), nullable=False),
        pa.field("world_ref", _TEXT),
        pa.field("adventure_ref", _TEXT),
        pa.field("locale", _TEXT),
        pa.field("model", _TEXT),
        pa.field("experiment_keys", pa.list_(pa.string())),
        pa.field("variation_keys", pa.list_(pa.string())),
        pa.field("phases", pa.list_(pa.int32())),
        pa.field("failed", pa.bool_(), nullable=False),
        *(pa.field(name, pa.int32()) for name in _METRICS),
        pa.field("extra", pa.string()),
        pa.field("attributes", pa.string()),
        pa.field("assignments", pa.list_(pa.int32())),
        pa.field("world_id", pa.int32(), nullable=False),
        pa.field("adventure_id", pa.int32(), nullable=False),
        pa.field("locale_id", pa.int32(), nullable=False),
        pa.field("model_id", pa.int32()),
        pa.field("batch_id", pa.int64(), nullable=False),
        pa.field("created_at", _MOMENT, nullable=False),
    ]
)
_NUMBERED = {
    "world_ref": "world_id",
    "adventure_ref": "adventure_id",
    "locale": "locale_id",
    "model": "model_id",
}
_EXPLAINED = {*_NUMBERED, "experiment_keys", "variation_keys", "phases"}

STORED = [name for name in SCHEMA.names if name not in _EXPLAINED]
"""The columns that a restored event is made of: those of turn_events."""

# What the digest of a row is made from, in this order, before id and player_hash.
_DIGESTED = (
    "ts", "created_at", "batch_id", "world_id", "adventure_id", "locale_id", "model_id", *_METRICS, "failed",
    "assignments", "session_id", "extra", "attributes",
)  # fmt: skip
_SEPARATOR, _NULL = b"\x1f", b"~"


class ArchiveError(AwfError, code="WF915", status=500):
    """An archive cannot be written or read, or is not what it should be."""


@dataclass(frozen=True)
class Texts:
    """What the small numbers of the events mean."""

    dimensions: Mapping[int, str]
    variations: Mapping[int, tuple[str, str, int]]
    """Experiment key, variation key and phase."""


@dataclass(frozen=True)
class Content:
    """What a file holds."""

    rows: int
    first_ts: datetime | None
    last_ts: datetime | None
    digest: str
    sha256: str
    size: int
    format: int = FORMAT


def write(file: BinaryIO, dsn: str, table: str, texts: Texts) -> int:
    """Write all events of a detached table, a batch at a time; returns how many there were."""
    rows = 0
    with pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer, _selected(dsn, table) as batches:
        for batch in batches:
            writer.write_batch(_explained(batch, texts))
            rows += batch.num_rows
    return rows


def read(path: Path, day: date) -> Content:
    """Read a whole file, a row group at a time, and say what it holds; another day's file is refused."""
    rows, digest = 0, 0
    first: datetime | None = None
    last: datetime | None = None
    for table in _row_groups(path):
        rows += table.num_rows
        digest += digest_of(table)
        ends = pc.min_max(table["ts"]).as_py()
        first = min(first or ends["min"], ends["min"])
        last = max(last or ends["max"], ends["max"])
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if first is not None and last is not None and not (start <= first and last < start + timedelta(days=1)):
        raise ArchiveError(
            f"{path} does not hold the events of {day}",
            detail=f"its events are from {first} to {last}",
            hint="was the file renamed? Its name tells the day: turn_events_YYYYMMDD.parquet",
        )
    return Content(rows, first, last, str(digest), sha256_of(path), path.stat().st_size)


def lines(path: Path) -> Iterator[bytes]:
    """The events of a file as CSV for COPY, with the columns STORED."""
    options = pyarrow.csv.WriteOptions(include_header=False)
    for table in _row_groups(path):
        out = pa.BufferOutputStream()
        pyarrow.csv.write_csv(_as_text(table), out, options)
        yield out.getvalue().to_pybytes()


def digest_of(table: pa.Table | pa.RecordBatch) -> int:
    """Sum of the first 8 bytes of each row's SHA-256, which no order of the rows changes.

    awf._archive_digest() computes the same in the database.
    """
    parts = [_digested(table[name]) for name in _DIGESTED]
    text = pc.binary_join_element_wise(*parts, _SEPARATOR, null_handling="replace", null_replacement=_NULL)
    keys = _plain(table["id"]), _plain(table["player_hash"])
    whole = pc.binary_join_element_wise(text, *(pc.cast(key, pa.binary()) for key in keys), b"")
    sha256, number = hashlib.sha256, int.from_bytes
    return sum(number(sha256(row).digest()[:8], "big", signed=True) for row in whole.to_pylist())


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read from the disk where the system can be told to forget what it has in memory."""
    with path.open("rb") as file:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return hashlib.file_digest(file, "sha256").hexdigest()


# From the database


@contextmanager
def _selected(dsn: str, table: str) -> Iterator[Iterator[pa.RecordBatch]]:
    """The rows of a table in batches of some megabytes."""
    # The name comes from the database, which has quoted it. Texts, so that no version of the driver matters.
    columns = ", ".join({"id": "uuid_send(id) as id"}.get(name, _cast(name)) for name in STORED)
    query = f"select {columns} from {table}"
    with _adbc_errors(), adbc.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        yield _guarded(cursor.fetch_record_batch())


def _cast(name: str) -> str:
    return f"{name}::text as {name}" if name in ("extra", "attributes") else name


def _guarded(reader: Any) -> Iterator[pa.RecordBatch]:
    """Batches as they come; an error while they do is the server's, not the file's."""
    try:
        yield from reader
    except OSError as error:
        raise ServerUnreachable(
            "the connection was lost while events were read",
            detail=str(error).strip(),
            hint="the day at work was not dropped: run it again, and it goes on",
        ) from error


@contextmanager
def _adbc_errors() -> Iterator[None]:
    try:
        yield
    except adbc.Error as error:
        raise _named(error) from error


def _named(error: Any) -> AwfError:
    """The error of ours that one of the driver stands for."""
    sqlstate, message = error.sqlstate, str(error).splitlines()[0].strip()
    if sqlstate == "42501":
        return PermissionDenied(message, hint="the archive is written by a role of the kind admin")
    if sqlstate in CODES:
        return CODES[sqlstate](message)
    if sqlstate is None or sqlstate.startswith(("08", "57P")) or sqlstate == "53300":
        return ServerUnreachable("cannot read from the database", detail=message)
    return ArchiveError("the events cannot be read", detail=f"{sqlstate}: {message}")


def _explained(batch: pa.RecordBatch, texts: Texts) -> pa.RecordBatch:
    """A batch with the texts beside the numbers, in the columns of the file."""
    columns = {name: batch.column(name) for name in STORED}
    columns["id"] = pa.ExtensionArray.from_storage(pa.uuid(), columns["id"].cast(pa.binary(16)))
    columns["player_hash"] = columns["player_hash"].cast(pa.binary(32))
    for name, number in _NUMBERED.items():
        columns[name] = _named_by(columns[number], texts.dimensions)
    columns |= _exposures(columns["assignments"], texts.variations)
    return pa.RecordBatch.from_arrays(
        [_as(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA
    )


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    return column if column.type == kind else column.cast(kind)


def _named_by(numbers: pa.Array, texts: Mapping[int, str]) -> pa.Array:
    """Dictionary-encoded texts; a number that none has stays without."""
    places = pc.index_in(numbers, value_set=pa.array(texts, pa.int32()))
    return pa.DictionaryArray.from_arrays(places, pa.array(texts.values(), pa.string()))


def _exposures(assignments: pa.Array, variations: Mapping[int, tuple[str, str, int]]) -> dict[str, pa.Array]:
    """What the numbers of the variations mean, in lists as long as theirs."""
    places = pc.index_in(assignments.flatten(), value_set=pa.array(variations, pa.int32()))
    lengths = pc.fill_null(pc.list_value_length(assignments), 0)
    offsets = pc.cumulative_sum(pa.concat_arrays([pa.array([0], pa.int32()), lengths.cast(pa.int32())]))
    explained = {}
    meanings = list(zip(*variations.values(), strict=True)) or [(), (), ()]
    for name, meaning in zip(("experiment_keys", "variation_keys", "phases"), meanings, strict=True):
        kind = SCHEMA.field(name).type.value_type
        values = pa.array(meaning, kind).take(places)
        explained[name] = pa.ListArray.from_arrays(offsets, values, mask=assignments.is_null())
    return explained


# From the file


def _row_groups(path: Path) -> Iterator[pa.Table]:
    """The row groups of a file; a file that is damaged or of another make is refused."""
    try:
        with pq.ParquetFile(path) as file:
            if not file.schema_arrow.equals(SCHEMA):
                raise ArchiveError(
                    f"{path} has other columns than an archive of format {FORMAT}",
                    hint="a newer version of awf-pg may have written it",
                )
            for number in range(file.num_row_groups):
                table = file.read_row_group(number)
                table.validate(full=True)
                if table.num_rows:
                    yield table
    except FileNotFoundError as error:
        raise ArchiveError(f"there is no file {path}", hint="give the folder that holds it") from error
    except (pa.ArrowException, OSError) as error:
        raise ArchiveError(f"{path} cannot be read: is it damaged?", detail=_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _plain(column: Any) -> Any:
    """Without the extension type, which not every function knows."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column.storage if isinstance(column.type, pa.BaseExtensionType) else column


def _digested(column: Any) -> Any:
    """A column as bytes, written as the database writes it for the digest."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    if pa.types.is_list(column.type):
        column = pc.binary_join(column.cast(pa.list_(pa.string())), ",")
    return column.cast(pa.string()).cast(pa.binary())


def _as_text(table: pa.Table) -> pa.Table:
    """The columns STORED in a form that CSV can carry and the database reads."""
    columns: dict[str, Any] = {name: table[name] for name in STORED}
    columns["id"] = pa.array(map(bytes.hex, _plain(table["id"]).to_pylist()), pa.string())
    columns["player_hash"] = _hex(table["player_hash"])
    lists = pc.binary_join(table["assignments"].cast(pa.list_(pa.string())), ",")
    columns["assignments"] = pc.binary_join_element_wise("{", lists, "}", "")
    return pa.table(columns)


def _hex(column: Any) -> pa.Array:
    hexadecimal: Callable[[bytes], str] = bytes.hex
    return pa.array((f"\\x{hexadecimal(value)}" for value in column.to_pylist()), pa.string())
