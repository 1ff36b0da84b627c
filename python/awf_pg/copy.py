"""Writes batches of events by binary COPY.

The direct path copies straight into the partitions of the events' days. If the database refuses a row, the
same batch takes the careful path through the staging table, which stores the good rows and keeps the bad ones
with a reason.
"""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from math import isfinite
from typing import Any, Literal

import psycopg
from psycopg.copy import LibpqWriter
from psycopg.types.json import Jsonb

from awf_pg.connect import COMMIT, Connection, Source, Trips, execute
from awf_pg.event import METRICS, Event
from awf_pg.plain import as_json, printable, shown

Row = tuple[Any, ...]

# The types are those of the bytes on the wire: a timestamptz is an int8 of microseconds, a uuid is 16 bytes;
# arrays and jsonb are encoded below. psycopg's C code does the rest, 1.5 times as fast.
_HEAD = [("ts", "int8"), ("id", "bytea"), ("session_id", "text"), ("player_hash", "bytea")]
_TAIL = [("assignments", "bytea"), ("failed", "bool")]
_EXTRA = [("extra", "bytea"), ("attributes", "bytea")]
_DIRECT = [
    *_HEAD, ("world_id", "int4"), ("adventure_id", "int4"), ("locale_id", "int4"), ("model_id", "int4"),
    *_TAIL, *((column, "int4") for column in METRICS.values()), *_EXTRA,
]  # fmt: skip
_CAREFUL = [
    *_HEAD, ("world_ref", "text"), ("adventure_ref", "text"), ("locale", "text"), ("model", "text"),
    *_TAIL, *((column, "int8") for column in METRICS.values()), *_EXTRA,
]  # fmt: skip

# Numbers and dates need no quotes that they could break.
_OPEN_BATCH = b"select table_name from awf.open_batch('%b', %d)"
_CLOSE_BATCH = b"select awf.close_batch(%d)"
_OPEN_STAGE = b"select awf.open_stage()"
_INGEST_BATCH = b"select accepted, duplicate, rejected from awf.ingest_batch(%d)"

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PLACE = {name: place for place, name in enumerate(METRICS)}
_LATENCIES = sum(column.endswith("_us") for column in METRICS.values())  # they come first
_MAX_CACHED = 50_000
_INT4, _INT8 = 2**31, 2**63
_MAX_LATENCY_MS = 2147483.647

# What Python raises for a row that cannot be sent; UnicodeEncodeError and json's refusals are ValueErrors.
_UNENCODABLE = (ArithmeticError, LookupError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a batch, and which path it took."""

    path: Literal["direct", "careful"]
    accepted: int
    duplicate: int = 0
    rejected: int = 0

    def __add__(self, other: Written) -> Written:
        return Written(
            self.path,
            self.accepted + other.accepted,
            self.duplicate + other.duplicate,
            self.rejected + other.rejected,
        )


class Refused(Exception):
    """The direct path refuses something that a batch holds."""


class Writer:
    """Writes batches over the connections of a source. Not for several threads at once.

    After any other error than Refused a batch may or may not be stored; writing it again is always safe.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._dimensions = _Dimensions()

    def write(self, events: Sequence[Event]) -> Written:
        """Store a batch, on the path that it needs."""
        try:
            return self.direct(events)
        except Refused:
            return self.careful(events)

    def direct(self, events: Sequence[Event]) -> Written:
        """Store a batch whose rows are all good; Refused says that it is one for `careful()`."""
        if not events:
            return Written("direct", 0)
        with self._forgetful():
            try:
                self._dimensions.load(self._source, events)
                with self._source.trips() as trips:
                    return self._direct(trips, events)
            except psycopg.Error as error:
                if not refuses_row(error):
                    raise
                raise Refused(_first_line(error)) from error
            except _UNENCODABLE as error:
                raise Refused(str(error)) from error

    def careful(self, events: Sequence[Event]) -> Written:
        """Store the good rows of a batch, and keep the bad ones aside with their reasons."""
        with self._forgetful():
            # What cannot even be asked for is found row by row.
            with suppress(*_UNENCODABLE):
                self._dimensions.load_variations(self._source, events)
            return self._careful(events)

    def close(self) -> None:
        self._source.close()

    @contextmanager
    def _forgetful(self) -> Iterator[None]:
        """After a failure the server may be another one, or restored: ask it anew for its numbers."""
        try:
            yield
        except BaseException:
            self._dimensions.clear()
            raise

    def _direct(self, trips: Trips, events: Sequence[Event]) -> Written:
        for day, of_day in _by_day(events):
            (table,) = trips.ask(_OPEN_BATCH % (day.isoformat().encode(), len(of_day)))
            # The name comes schema-qualified and quoted; the rows are made while the server reads.
            rows = map(self._dimensions.direct_row, of_day)
            sent = _copy(trips.connection, table, _DIRECT, rows)
            trips.later(_CLOSE_BATCH % sent)
        trips.commit()
        return Written("direct", len(events))

    def _careful(self, events: Sequence[Event], sift: bool = False) -> Written:
        """Stage the batch; halve it where the server cannot even read it, until the bad row stands alone."""
        good, refused = self._sift(events) if sift else (events, [])
        try:
            return self._stage(good, refused)
        except _UNENCODABLE as error:
            reason = str(error)
        except psycopg.Error as error:
            if not refuses_row(error):
                raise
            reason = _first_line(error)
        if not sift:
            # Only now is every row worth a look.
            return self._careful(events, sift=True)
        if len(events) == 1:
            return self._reject(events[0], _Refusal("not_encodable", reason))
        middle = len(events) // 2
        return self._careful(events[:middle], sift) + self._careful(events[middle:], sift)

    def _sift(self, events: Sequence[Event]) -> tuple[list[Event], list[tuple[Event, _Refusal]]]:
        """The events that can be sent, and those that cannot."""
        good, refused = [], []
        for event in events:
            try:
                _require_encodable(self._dimensions.careful_row(event))
                good.append(event)
            except _Refusal as refusal:
                refused.append((event, refusal))
            except _UNENCODABLE as error:
                refused.append((event, _Refusal("not_encodable", str(error))))
        return good, refused

    def _stage(self, events: Sequence[Event], refused: list[tuple[Event, _Refusal]]) -> Written:
        with self._source.trips() as trips:
            trips.ask(_OPEN_STAGE)
            rows = map(self._dimensions.careful_row, events)
            sent = _copy(trips.connection, "pg_temp.awf_stage", _CAREFUL, rows)
            ingest = _INGEST_BATCH % sent
            if refused:
                counts = trips.ask(ingest)
                for event, reason in refused:
                    _reject(trips.connection, event, reason)
                trips.commit()
            else:
                counts = trips.ask(ingest, COMMIT)
        return Written("careful", counts[0], counts[1], counts[2] + len(refused))

    def _reject(self, event: Event, refusal: _Refusal) -> Written:
        with self._source.transaction() as connection:
            _reject(connection, event, refusal)
        return Written("careful", 0, 0, 1)


class _Refusal(ValueError):
    """Why a row cannot be sent; the reasons are those of `awf.ingest_batch()`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def refuses_row(error: psycopg.Error) -> bool:
    """Whether the database refuses what a batch holds, so that sending it again the same way cannot help."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.DataError)
    return error.sqlstate.startswith(_EVENT_CLASSES) or error.sqlstate in _EVENT_CODES


# Cardinality, data, constraints, limits of the server such as the size of a row. Everything else may pass:
# rights are granted, connections come back, deadlocks are over.
_EVENT_CLASSES = ("21", "22", "23", "54")
# Invalid argument, invalid event, outside the window, events gone.
_EVENT_CODES = {"WF001", "WF201", "WF203", "WF301"}


class _Dimensions:
    """The numbers of the texts that events repeat, and the rows made with them."""

    def __init__(self) -> None:
        self._ids: dict[str, dict[str, int]] = {
            kind: {} for kind in ("world", "adventure", "locale", "model")
        }
        # "experiment/variation": its number in each phase, the latest phase first; None where it has none.
        self._variations: defaultdict[str, list[tuple[datetime | None, int | None]]] = defaultdict(list)

    def clear(self) -> None:
        for known in self._ids.values():
            known.clear()

    def load(self, source: Source, events: Iterable[Event]) -> None:
        """Ask for the numbers not known yet, in a transaction of its own that nothing rolls back."""
        self.load_variations(source, events)
        unknown = self._unknown(events)
        for kind in self._ids:
            values = unknown.get(kind)
            if not values:
                continue
            known = self._ids[kind]
            if len(known) > _MAX_CACHED:
                known.clear()
            wanted = sorted(filter(_is_storable, values))
            with source.transaction() as connection:
                found = execute(connection, "select awf.dimension_ids(%s, %s)", [kind, wanted]).fetchone()
            assert found is not None
            pairs = zip(wanted, found[0], strict=True)
            known.update((value, number) for value, number in pairs if number is not None)

    def load_variations(self, source: Source, events: Iterable[Event]) -> None:
        """An experiment may be made anew or open another phase, so they are asked for with every batch."""
        self._variations.clear()
        given = {event.assignments for event in events}
        named = {"/".join(one) for assignments in given for one in assignments if not isinstance(one, int)}
        if wanted := sorted(filter(_is_storable, named)):
            query = "select variation, from_at, id from awf.variation_numbers(%s)"
            with source.transaction() as connection:
                for key, from_at, number in execute(connection, query, [wanted]):
                    self._variations[key].insert(0, (from_at, number))

    def _unknown(self, events: Iterable[Event]) -> dict[str, set[str]]:
        wanted: defaultdict[str, set[str]] = defaultdict(set)
        worlds, adventures = self._ids["world"], self._ids["adventure"]
        locales, models = self._ids["locale"], self._ids["model"]
        for event in events:
            if event.world_ref not in worlds:
                wanted["world"].add(event.world_ref)
            if event.adventure_ref not in adventures:
                wanted["adventure"].add(event.adventure_ref)
            if event.locale not in locales:
                wanted["locale"].add(event.locale)
            if event.model is not None and event.model not in models:
                wanted["model"].add(event.model)
        return wanted

    def direct_row(self, event: Event) -> Row:
        ids = self._ids
        model = None if event.model is None else ids["model"][event.model]
        return (
            *_head(event), ids["world"][event.world_ref], ids["adventure"][event.adventure_ref],
            ids["locale"][event.locale], model, self._assignments(event), event.failed,
            *_metrics(event.metrics, _INT4), _document(event.attributes),
        )  # fmt: skip

    def careful_row(self, event: Event) -> Row:
        return (
            *_head(event), event.world_ref, event.adventure_ref,
            event.locale, event.model, self._assignments(event), event.failed,
            *_metrics(event.metrics, _INT8), _document(event.attributes),
        )  # fmt: skip

    def _assignments(self, event: Event) -> bytes | None:
        given = event.assignments
        if not given:
            return None
        for one in given:
            if type(one) is not int:
                break
        else:
            return _array(given)
        return _array(
            tuple(one if isinstance(one, int) else self._variation("/".join(one), event.ts) for one in given)
        )

    def _variation(self, key: str, ts: datetime) -> int:
        """The number that the variation had at that moment."""
        for from_at, number in self._variations.get(key, ()):
            if from_at is None or from_at <= ts:
                if number is not None:
                    return number
                break
        raise _Refusal("unknown_variation", f"there is no variation {key}")


def _by_day(events: Sequence[Event]) -> list[tuple[date, Sequence[Event]]]:
    """The events by their day (UTC)."""
    times = [event.ts for event in events]
    first, last = _day_of(min(times)), _day_of(max(times))
    if first == last:
        return [(first, events)]
    days: defaultdict[date, list[Event]] = defaultdict(list)
    for event in events:
        days[_day_of(event.ts)].append(event)
    return sorted(days.items())


def _day_of(ts: datetime) -> date:
    return _EPOCH.date() + timedelta(days=(ts - _EPOCH).days)


def _head(event: Event) -> Row:
    return (event.ts - _EPOCH) // _MICROSECOND, event.id, event.session_id, event.player_hash


def _metrics(metrics: dict[str, float | bool], limit: int) -> list[Any]:
    """The columns of the standard metrics, then the others as jsonb."""
    columns: list[Any] = [None] * (len(METRICS) + 1)
    others = {}
    for name, value in metrics.items():
        place = _PLACE.get(name)
        if place is None:
            if isinstance(value, float) and not isfinite(value):
                raise _Refusal("bad_extra", f'metric "{name[:60]}" is {value!r}, not a number')
            others[name] = value
        # Most values are plain ones: without a call for each, a row takes two thirds of the time.
        elif type(value) is int and place >= _LATENCIES and -limit <= value < limit:
            columns[place] = value
        elif (
            type(value) is float
            and place < _LATENCIES
            and 0 <= value <= _MAX_LATENCY_MS
            and -0.499 < (product := value * 1000) - (whole := round(product)) < 0.499
        ):
            columns[place] = whole
        else:
            columns[place] = _stored(name, value, limit)
    columns[-1] = _document(others)
    return columns


def _stored(name: str, value: float, limit: int) -> int:
    """A standard metric as the integer that its column takes."""
    whole = _microseconds(name, value) if _PLACE[name] < _LATENCIES else _whole(name, value)
    # psycopg would cut an integer that is too long, without a word.
    if not -limit <= whole < limit:
        raise _Refusal("bad_metric", f"{name} is out of range: {shown(value)}")
    return whole


def _document(values: dict[str, Any] | None) -> bytes | None:
    """A jsonb on the wire: its version, then its text."""
    return b"\x01" + json.dumps(values, allow_nan=False).encode() if values else None


def _microseconds(name: str, ms: float) -> int:
    """Whole microseconds as SQL rounds them: halves up, in decimals where the binary product is close."""
    product = ms * 1000
    try:
        whole = round(product)
    except (OverflowError, ValueError):
        raise _Refusal("bad_metric", f"{name} is {ms!r}, not a number") from None
    if not 0 <= ms <= _MAX_LATENCY_MS:  # before rounding brings it back into the range
        raise _Refusal("bad_metric", f"{name} is out of range: {shown(ms)}")
    if not -0.499 < product - whole < 0.499:
        whole = int((Decimal(str(ms)) * 1000).to_integral_value(ROUND_HALF_UP))
    return whole


def _whole(name: str, value: float) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise _Refusal("bad_metric", f"{name} is {value!r}, not a whole number")
    return int(value)


@lru_cache(1024)
def _array(numbers: tuple[int, ...]) -> bytes:
    """An int4[] of one dimension: its header, then a length and a value for each element."""
    values = [part for number in numbers for part in (4, number)]
    return struct.pack(f"!iiIii{2 * len(numbers)}i", 1, 0, 23, len(numbers), 1, *values)


_PYTHON_TYPES = {"int8": int, "bytea": bytes, "text": str, "bool": bool}


def _require_encodable(row: Row) -> None:
    """Raise an error that says why a row cannot be sent."""
    for (column, wire), value in zip(_CAREFUL, row, strict=True):
        if value is None:
            continue
        if not isinstance(value, _PYTHON_TYPES[wire]):
            raise _Refusal("wrong_type", f"{column} is of type {type(value).__name__}, not {wire}")
        if isinstance(value, str) and not _is_storable(value):
            raise _Refusal("bad_text", f"{column} has a NUL character or half of a surrogate pair")


def _is_storable(text: str) -> bool:
    """Whether PostgreSQL has a form for a text."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text))


def _copy(connection: Connection, table: str, columns: list[tuple[str, str]], rows: Iterable[Row]) -> int:
    """COPY rows into a table, whose name comes quoted; returns how many bytes they took."""
    names = ", ".join(name for name, _ in columns)
    statement = f"copy {table} ({names}) from stdin (format binary)".encode()
    with psycopg.Cursor(connection) as cursor:
        writer = _CountingWriter(cursor)
        with cursor.copy(statement, writer=writer) as copy:
            copy.set_types([wire for _, wire in columns])
            for row in rows:
                copy.write_row(row)
    return writer.sent


class _CountingWriter(LibpqWriter):
    """Counts the bytes that it sends, and keeps rows out of the logs."""

    sent = 0

    def write(self, data: Any) -> None:
        self.sent += len(data)
        super().write(data)

    def finish(self, exc: BaseException | None = None) -> None:
        if exc is None:
            super().finish()
            return
        # psycopg would tell the server's log what is wrong with this row, and its own log what the server
        # says of another. The caller gets the exception itself.
        with suppress(psycopg.Error):
            super().finish(Refused("a row cannot be sent"))


def _reject(connection: Connection, event: Event, refusal: _Refusal) -> None:
    document = event.to_json()
    kept = _scrubbed(document)
    arguments = [refusal.reason, printable(str(refusal)), Jsonb(kept), kept == document]
    execute(connection, "select awf.reject_event(%s, %s, %s, %s)", arguments)


def _scrubbed(document: dict[str, Any]) -> dict[str, Any]:
    """The event in a form that can be stored, whatever is in it, and without the names of unknown metrics."""
    known = {
        name: value for name, value in document["metrics"].items() if name in METRICS or name == "failed"
    }
    scrubbed: dict[str, Any] = as_json(document | {"metrics": known})
    return scrubbed


def _first_line(error: psycopg.Error) -> str:
    return error.diag.message_primary or str(error).splitlines()[0]
