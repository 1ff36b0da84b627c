"""awf-pg ingest: events from a JSON Lines file."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import click
import psycopg

from awf_pg.cli import output
from awf_pg.cli.base import ERROR, dsn_option, progress, require_dsn
from awf_pg.connect import Source
from awf_pg.copy import Writer, Written
from awf_pg.errors import InvalidEvent, translated
from awf_pg.event import Event, event_from_mapping
from awf_pg.settings import Settings

_BAD_LINES_SHOWN = 10
_ATTEMPTS = 5


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--rejects", metavar="PATH", help="Where bad lines are kept; FILE.rejects.jsonl without it.")
@click.option(
    "--batch", type=click.IntRange(1, 100_000), default=5000, show_default=True, help="Events a batch."
)
@dsn_option
@click.pass_context
def ingest(ctx: click.Context, file: BinaryIO, rejects: str | None, batch: int, dsn: str | None) -> None:
    """Store the events of a JSON Lines file.

    FILE may be -, standard input. The keys are the columns of analytics_events, in snake_case or camelCase.
    id and ts are optional; an event that has both may be sent twice and is stored once. player_id may stand
    in place of player_hash: it is hashed at once, with AWF_PLAYER_HASH_KEY. A bad line does not stop the
    others.

    \b
    Example:
      awf-pg ingest events.jsonl
      zcat events.jsonl.gz | awf-pg ingest - --rejects bad.jsonl
    """
    source = Source(require_dsn(dsn), None, "awf-pg ingest")
    writer = Writer(source)
    bad = Rejects(Path(rejects or _default_rejects(file)))
    total = Written("direct", 0)
    try:
        with translated(source.target), progress(_size(file), "ingest") as advance:
            for events in _batches(_events(file, bad, advance), batch):
                total += _write(writer, events)
    finally:
        # After an interruption too: what has landed has landed.
        writer.close()
        bad.close()
        _summarize(total, bad)
    if bad.count or total.rejected:
        ctx.exit(ERROR)


class Rejects:
    """The lines that are no events, in a file that is made with the first of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._file: TextIO | None = None

    def add(self, number: int, kept: dict[str, Any], error: InvalidEvent) -> None:
        if self._file is None:
            self._file = self._open()
        record = {"line": number, "code": error.code, "error": error.message, **kept}
        self._file.write(output.to_json(record) + "\n")
        self.count += 1
        if self.count <= _BAD_LINES_SHOWN:
            hint = f" ({error.hint})" if error.hint else ""
            click.echo(f"line {number}: {error.message}{hint}", err=True)

    def _open(self) -> TextIO:
        try:
            return self.path.open("w", encoding="utf-8")
        except OSError as error:
            raise click.ClickException(f"{self.path} cannot be written: {error.strerror}") from error

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _write(writer: Writer, events: list[Event]) -> Written:
    """Write a batch. The same batch, ids and all, may be sent again when the server gave way to another."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return writer.write(events)
        except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
            continue
    return writer.write(events)


def _events(file: BinaryIO, bad: Rejects, advance: Callable[[int], None]) -> Iterator[Event]:
    hash_player = Settings.from_env().hash_player
    for number, line in enumerate(file, start=1):
        advance(len(line))
        if not line.strip():
            continue
        document: Any = None
        try:
            document = _object(line)
            yield event_from_mapping(document, hash_player)
        except InvalidEvent as error:
            bad.add(number, _without_player(line, document, hash_player), error)


def _object(line: bytes) -> dict[str, Any]:
    try:
        document = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidEvent("not a JSON object")
    return document


def _without_player(line: bytes, document: Any, hash_player: Callable[[str], bytes]) -> dict[str, Any]:
    """What the reject file keeps of a line: no player id that can be read as one, only its hash."""
    if not isinstance(document, dict):
        return {"text": line.decode("utf-8", "backslashreplace").rstrip("\r\n")}
    event = dict(document)
    for name in ("player_id", "playerId"):
        if name in event:
            event["player_hash"] = hash_player(str(event.pop(name))).hex()
    for name in ("player_hash", "playerHash"):
        if not re.fullmatch("[0-9a-fA-F]{64}", str(event.get(name))):
            event.pop(name, None)  # It may be a raw id in the wrong field.
    return {"event": event}


def _batches(events: Iterable[Event], size: int) -> Iterator[list[Event]]:
    batch: list[Event] = []
    for event in events:
        batch.append(event)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _summarize(total: Written, bad: Rejects) -> None:
    click.echo(
        f"{total.accepted:,} accepted, {total.duplicate:,} duplicate, {total.rejected:,} rejected, "
        f"{bad.count:,} bad lines"
    )
    if bad.count:
        more = bad.count - _BAD_LINES_SHOWN
        click.echo(f"{f'{more:,} more bad lines; ' if more > 0 else ''}all are kept in {bad.path}", err=True)
    if total.rejected:
        click.echo(
            "rejected events are kept with their reasons: "
            "SELECT reason, detail, event FROM awf.rejected_events ORDER BY id DESC",
            err=True,
        )


def _default_rejects(file: BinaryIO) -> str:
    name = getattr(file, "name", "<stdin>")
    return "stdin.rejects.jsonl" if name == "<stdin>" else f"{name}.rejects.jsonl"


def _size(file: BinaryIO) -> int:
    """Bytes of a plain file; 0 for a pipe, which has no end to show progress to."""
    try:
        status = os.fstat(file.fileno())
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
