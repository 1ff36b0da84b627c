"""awf-pg ingest: events from a JSON Lines file."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO, NoReturn, TextIO

import click
import psycopg

from awf_pg.admin import Api
from awf_pg.cli.base import ERROR, dsn_option, not_empty, progress, require_dsn, size_of, tell
from awf_pg.cli.origin import NO_TIME, Origin
from awf_pg.connect import Source
from awf_pg.copy import Writer, Written
from awf_pg.errors import InvalidEvent, SourceIngested, translated
from awf_pg.event import METRICS, Event, event_from_mapping, field_name, metric_name
from awf_pg.settings import Settings

_BAD_LINES_SHOWN = 10
_ATTEMPTS = 5


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option(
    "--rejects",
    metavar="PATH",
    callback=not_empty,
    help="Where bad lines are noted; FILE.rejects.jsonl without it. What is there already stays.",
)
@click.option(
    "--keep-malformed", is_flag=True, help="Also keep the text of lines that are no JSON objects, as it is."
)
@click.option(
    "--source",
    "name",
    metavar="NAME",
    callback=not_empty,
    help="What FILE is known by, if its lines have no id or no ts; its base name without it.",
)
@click.option("--from-line", type=click.IntRange(min=1), default=1, help="Begin with this line.")
@click.option(
    "--batch", type=click.IntRange(1, 100_000), default=5000, show_default=True, help="Events a batch."
)
@dsn_option
@click.pass_context
def ingest(
    ctx: click.Context,
    file: BinaryIO,
    rejects: str | None,
    keep_malformed: bool,
    name: str | None,
    from_line: int,
    batch: int,
    dsn: str | None,
) -> None:
    """Store the events of a JSON Lines file.

    FILE may be -, standard input. The keys are the columns of analytics_events, in snake_case or camelCase.
    player_id may stand in place of player_hash: it is hashed at once, with AWF_PLAYER_HASH_KEY.

    Every line of a file is stored once, however often the file is sent. One without an id gets one that is
    made of the file's name and what the line says: the same line in a file of another name is another event,
    and so is a stored line that was changed. Bad lines may be corrected or taken out, and the file sent
    again. Lines without a ts all get the time of the first run; an interrupted run may be run again, but a
    file with such lines that has been ingested to its end is refused (WF206): put corrected lines into a file
    of their own. Standard input must have a ts in every line.

    A bad line does not stop the others. It is appended to the file of rejects, without what may name a
    player. Of a line that is no JSON object only the place in FILE is noted: of standard input such lines
    are lost, unless --keep-malformed keeps them.

    \b
    Example:
      awf-pg ingest events.jsonl
      awf-pg ingest monday/events.jsonl --source events-monday
      zcat tuesday.jsonl.gz | awf-pg ingest - --source tuesday.jsonl --rejects bad.jsonl
    """
    source = Source(require_dsn(dsn), None, "awf-pg ingest")
    path = Path(rejects or _default_rejects(file))
    _require_another_file(file, path)
    if keep_malformed:
        tell(f"malformed lines are kept in {path} as they are: they may hold player ids")
    writer = Writer(source)
    api = Api(require_dsn(dsn), application_name="awf-pg ingest")
    origin = Origin(file, name, api)
    bad = Rejects(path, keep_malformed)
    total, stored, may_go_on = Written("direct", 0), 0, True
    try:
        with (
            ends_on_sigterm(),
            translated(source.target),
            progress(size_of(file), "ingest") as advance,
        ):
            for numbers, events in _batches(_events(file, origin, bad, advance, from_line), batch):
                written = write_batch(writer, events)
                total, stored = total + written, numbers[1]
                if written.rejected:
                    tell(f"lines {numbers[0]:,} to {stored:,}: {written.rejected:,} events were rejected")
            origin.finish()
        may_go_on = False
    except SourceIngested:
        may_go_on = False
        raise
    finally:
        # After an interruption too: what has landed has landed.
        writer.close()
        api.close()
        bad.close()
        _summarize(total, bad)
        if may_go_on and stored:
            tell(f"stored up to line {stored}; go on with --from-line {stored + 1}")
    if bad.count or total.rejected:
        ctx.exit(ERROR)


class _Terminated(KeyboardInterrupt):
    """SIGTERM came. The driver cancels its statement for a KeyboardInterrupt and for nothing else."""


@contextmanager
def ends_on_sigterm() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does; the exit code is that of the signal."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Only the main thread hears of signals.
        return

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except _Terminated:
        raise SystemExit(128 + signal.SIGTERM) from None
    finally:
        signal.signal(signal.SIGTERM, before)


class Rejects:
    """The lines that are no events, in a file that is made with the first of them."""

    def __init__(self, path: Path, keep_malformed: bool) -> None:
        self.path = path
        self.count = 0
        self._keep_malformed = keep_malformed
        self._run = datetime.now(UTC).isoformat()
        self._file: TextIO | None = None

    def add(self, line: Line, error: InvalidEvent, hash_player: Callable[[str], bytes]) -> None:
        """Note a line; what is written and said holds no player id, only its hash."""
        kept: dict[str, Any] = {}
        message, hint = error.message, error.hint
        if line.document is not None:
            kept["event"] = _without_player(line.document, hash_player)
            if error.message != NO_TIME:
                message, hint = _fault(kept["event"])
        elif self._keep_malformed:
            kept["text"] = line.raw.decode("utf-8", "backslashreplace").rstrip("\r\n")
        place = {"line": line.number, "position": line.position, "bytes": len(line.raw)}
        self._append({"run": self._run, **place, "code": error.code, "error": message, **kept})
        self.count += 1
        if self.count <= _BAD_LINES_SHOWN:
            tell(f"line {line.number}: {message}" + (f" ({hint})" if hint else ""))

    def _append(self, record: dict[str, Any]) -> None:
        try:
            if self._file is None:
                # Kept open, line by line, until close().
                self._file = open(self.path, "a", encoding="utf-8", opener=_private)  # noqa: SIM115
            self._file.write(json.dumps(record, default=str) + "\n")
            self._file.flush()
        except OSError as error:
            raise click.ClickException(f"{self.path} cannot be written: {error.strerror}") from error

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # Told when the line was written.
                self._file.close()


def _private(path: str, flags: int) -> int:
    """Open a file that nobody else may read: it names players by their hashes."""
    return os.open(path, flags, 0o600)


@dataclass(slots=True)
class Line:
    """A line of the file, where it stands, and its JSON object once it is known to be one."""

    number: int
    position: int
    raw: bytes
    document: dict[str, Any] | None = None


class _Hidden:
    """Stands for a value that may hold a player id: it shows the value's type alone."""

    def __init__(self, value: Any) -> None:
        self._type = _TYPES[type(value)]

    def __repr__(self) -> str:
        return self._type


_TYPES = {
    str: "a text", int: "a number", float: "a number", bool: "a boolean", list: "a list", dict: "an object",
}  # fmt: skip
_TEXTS = {
    "id", "ts", "session_id", "world_ref", "adventure_ref", "locale", "model", "experiment_key",
    "variation_key", "created_at",
}  # fmt: skip


def _require_another_file(file: BinaryIO, rejects: Path) -> None:
    """Compare the files and not their names: links, and standard input, have other names."""
    try:
        same = os.path.samestat(os.fstat(file.fileno()), rejects.stat())
    except OSError:
        return  # No file to compare with, and so none to destroy.
    if same:
        raise click.UsageError(f"{rejects} is the file to ingest: name another one for --rejects.")


def write_batch(writer: Writer, events: list[Event]) -> Written:
    """Write a batch. The same batch, ids and all, may be sent again when the server gave way to another."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return writer.write(events)
        except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
            continue
    return writer.write(events)


def _events(
    file: BinaryIO, origin: Origin, bad: Rejects, advance: Callable[[int], None], from_line: int
) -> Iterator[tuple[int, Event]]:
    """The events with the numbers of their lines."""
    hash_player = Settings.from_env().hash_player
    for line in _lines(file, origin, advance):
        if not line.raw.strip():
            continue
        try:
            line.document = _object(line.raw)
            event = event_from_mapping(line.document, hash_player)
            if line.number < from_line:
                origin.pass_over(event, line.document)
                continue
            origin.complete(event, line.document)
        except InvalidEvent as error:
            if line.number >= from_line:
                bad.add(line, error, hash_player)
            continue
        yield line.number, event


def _lines(file: BinaryIO, origin: Origin, advance: Callable[[int], None]) -> Iterator[Line]:
    position = 0
    for number, raw in enumerate(file, start=1):
        if origin.end is not None:
            raw = raw[: max(origin.end - position, 0)]
            if not raw:
                return
        yield Line(number, position, raw)
        position += len(raw)
        advance(len(raw))


def _object(line: bytes) -> dict[str, Any]:
    try:
        document = json.loads(line.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        # Its line and column count from the start of this one line, whose number the caller says.
        raise InvalidEvent(f"not JSON: {error.msg}, at character {error.pos + 1}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidEvent("not a JSON object")
    return document


def _without_player(document: dict[str, Any], hash_player: Callable[[str], bytes]) -> dict[str, Any]:
    """The event with nothing in it that may be a raw player id."""
    fields = {field_name(key): value for key, value in document.items() if value is not None}
    kept = {_name(name): _kept(name, value) for name, value in fields.items()}
    player_id = fields.get("player_id")
    if isinstance(player_id, str):
        del kept["player_id"]
        kept.setdefault("player_hash", hash_player(player_id).hex())
    return kept


def _kept(name: str, value: Any) -> Any:
    """What is kept of a field's value."""
    if name == "player_hash" and isinstance(value, str):
        return value if re.fullmatch("[0-9a-fA-F]{64}", value) else "(not 64 hex digits)"
    if name == "metrics" and isinstance(value, Mapping):
        return {
            _name(metric): _plain(item)
            for metric, item in value.items()
            if item is not None and not (metric == "model" and isinstance(item, str))
        }
    if name == "attributes" and isinstance(value, Mapping):
        # A text stays one, so that what is found wrong is something else.
        return {
            _name(one): "(hidden)" if isinstance(item, str) else _plain(item)
            for one, item in value.items()
            if item is not None
        }
    if name == "assignments" and isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return [_kept_assignment(item) for item in value]
    if name in _TEXTS and isinstance(value, str | int | float):
        return value
    return _Hidden(value)


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float) else _Hidden(value)


def _kept_assignment(item: dict[str, Any]) -> dict[str, Any]:
    given = {key: item[key] for key in ("experiment", "variation") if item.get(key) is not None}
    return {key: value if isinstance(value, str) else _Hidden(value) for key, value in given.items()}


def _name(name: str) -> str:
    """A name that a field may have; anything else in its place may be a player id."""
    known = metric_name(name) in METRICS or re.fullmatch("[A-Za-z_]{1,40}", name)
    return name if known else "(hidden)"


def _fault(event: dict[str, Any]) -> tuple[str, str | None]:
    """What is wrong with an event, in words that repeat only what is kept of it."""
    try:
        event_from_mapping(event, lambda _: b"")
    except InvalidEvent as error:
        return error.message, error.hint
    return "not an event", None


def _batches(
    numbered: Iterable[tuple[int, Event]], size: int
) -> Iterator[tuple[tuple[int, int], list[Event]]]:
    """Batches, each with the numbers of its first and its last line."""
    lines = iter(numbered)
    while batch := list(islice(lines, size)):
        yield (batch[0][0], batch[-1][0]), [event for _, event in batch]


def _summarize(total: Written, bad: Rejects) -> None:
    click.echo(
        f"{total.accepted:,} accepted, {total.duplicate:,} duplicate, {total.rejected:,} rejected, "
        f"{bad.count:,} bad lines"
    )
    if bad.count:
        more = bad.count - _BAD_LINES_SHOWN
        tell(f"{f'{more:,} more bad lines; ' if more > 0 else ''}the bad lines are kept in {bad.path}")
    if total.rejected:
        elsewhere = ", not in that file" if bad.count else ""
        tell(
            f"rejected events are kept with their reasons in the database{elsewhere}: "
            "SELECT reason, detail, event FROM awf.rejected_events ORDER BY id DESC"
        )


def _default_rejects(file: BinaryIO) -> str:
    name = getattr(file, "name", "<stdin>")
    return "stdin.rejects.jsonl" if name == "<stdin>" else f"{name}.rejects.jsonl"
