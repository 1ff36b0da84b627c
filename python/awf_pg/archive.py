"""Days of events out of the database into Parquet files, and back.

For each day: detach it, write the file, read it back, have the database compare and remember it, give it its
name, note it in the manifest, and only then drop the table. Each step leaves what the next run needs to go on
from there, so a kill at any moment loses nothing. Needs the extra `archive`.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg import sql
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_random_exponential

from awf_pg.connect import execute
from awf_pg.errors import ArchiveMismatch, AwfError, ConfigurationError, translated

if TYPE_CHECKING:
    from awf_pg import parquet
    from awf_pg.admin import Api

MANIFEST = "manifest.json"
PATIENCE_S = 60.0

Answer = TypeVar("Answer")
OnDay = Callable[["Archived"], None]


class ArchiveConflict(AwfError, code="WF916", status=409):
    """The folder holds another archive under the name that is needed, or another run is at work there."""


@dataclass(frozen=True)
class Archived:
    """What became of a day."""

    day: date
    action: str
    """archived, dropped (it was archived before), kept (archived, not dropped); would archive, would drop;
    waits (not all of its events are rolled up) or busy (others held locks all the time)."""
    rows: int | None
    bytes: int | None
    file: str


@dataclass(frozen=True)
class Restored:
    """What came back."""

    day: date
    source: str | None
    """The file; None where the table was still in the database."""
    events: int | None
    erased_players: int
    erased_events: int


def file_name(day: date) -> str:
    return f"turn_events_{day:%Y%m%d}.parquet"


def run(
    api: Api,
    before: date | None,
    folder: Path,
    *,
    keep: bool = False,
    dry_run: bool = False,
    on_day: OnDay = lambda _: None,
    ended: Callable[[], bool] = lambda: False,
) -> list[Archived]:
    """Archive every day before a date, the oldest first; with `keep` the detached tables stay.

    Without a date: the days that the setting events_keep_days lets go. `ended` is asked between two days.

    Days that cannot be had now are passed over and told as such; every other trouble ends the run.
    """
    require_extra()
    done = []

    def tell(result: Archived | None) -> None:
        if result is not None:
            done.append(result)
            on_day(result)

    if dry_run:
        for row in api.archive_days(before):
            tell(_would(row, keep))
        return done
    with _locked(folder):
        _manifest(folder)  # One that cannot be read is to be found before a day is detached.
        _take_up(api, folder)
        while api.refresh_rollups()["batches"]:
            pass
        for row in api.archive_days(before):
            if ended():
                break
            tell(_archive_day(api, row, folder, keep))
    return done


def restore(api: Api, day: date, folder: Path) -> Restored:
    """Bring a day back: from its table where that is still there, else from its file."""
    require_extra()
    from awf_pg import parquet

    if any(row["day"] == day and row["state"] != "attached" for row in api.archive_days(_next(day))):
        erased = api.attach_day(day)
        return Restored(day, None, None, erased["erased_players"], erased["erased_events"])
    path = folder / file_name(day)
    _take_up(api, folder, path.name)
    if not path.exists():
        _require_archive(api, day)
    content = parquet.read(path, day)
    _check_manifest(path, day, content)
    with translated(api.source.target), api.source.transaction() as connection:
        opened = execute(connection, "select awf.open_restore(%s, %s)", [day, content.sha256]).fetchone()
        assert opened is not None
        columns = sql.SQL(", ").join(map(sql.Identifier, parquet.STORED))
        # The name comes from the database, which has quoted it.
        statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(sql.SQL(opened[0]), columns)
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for lines in parquet.lines(path):
                copy.write(lines)
        query = "select events, erased_players, erased_events from awf.close_restore(%s)"
        closed = execute(connection, query, [day]).fetchone()
        assert closed is not None
    return Restored(day, path.name, *closed)


def _require_archive(api: Api, day: date) -> None:
    query = "select count(*) from awf.event_days where day = %s and archived_at is not null"
    with translated(api.source.target), api.source.transaction() as connection:
        if execute(connection, query, [day]).fetchone() == (0,):
            raise ArchiveConflict(
                f"{day} was not archived from this database, or is back already",
                hint="SELECT * FROM awf.archives shows the days that were",
            )


def _next(day: date) -> date:
    return date.max if day == date.max else day + timedelta(days=1)


def require_extra() -> None:
    """Refuse where pyarrow or the ADBC driver is not installed."""
    try:
        import awf_pg.parquet  # noqa: F401
    except ImportError as error:
        raise ConfigurationError(
            f"archives need a package that is not installed: {error.name}",
            hint="install the extra: pip install 'awf-pg[archive]'",
        ) from error


def _would(row: Mapping[str, Any], keep: bool) -> Archived | None:
    if row["state"] != "archived":
        return _passed_over(row, "would archive")
    return None if keep else _passed_over(row, "would drop")


def _passed_over(row: Mapping[str, Any], action: str) -> Archived:
    return Archived(row["day"], action, row["rows_estimate"], row["bytes"], file_name(row["day"]))


def _archive_day(api: Api, row: Mapping[str, Any], folder: Path, keep: bool) -> Archived | None:
    """Do what is left to do of one day; None where nothing is."""
    day, path = row["day"], folder / file_name(row["day"])
    if _is_finished(row, path):
        if keep:
            return None
        sha256, action = str(row["archive_sha256"]), "dropped"
        rows, size = None, path.stat().st_size
    elif row["waiting_batches"]:
        return _passed_over(row, "waits")
    else:
        table = _patiently(lambda: api.open_archive(day))
        if table is None:
            return _passed_over(row, "busy")
        content = _written(api, day, table, path)
        sha256, action = content.sha256, "kept" if keep else "archived"
        rows, size = content.rows, content.size
    if not keep and not _patiently(lambda: api.drop_archived_day(day, sha256)):
        action = "busy"
    return Archived(day, action, rows, size, path.name)


def _patiently(ask: Callable[[], Answer]) -> Answer:
    """Ask again while somebody is in the way, for about a minute; the last answer."""
    retrying = Retrying(
        stop=stop_after_delay(PATIENCE_S),
        wait=wait_random_exponential(multiplier=0.1, max=5),
        retry=retry_if_result(lambda answer: not answer),
        retry_error_callback=lambda state: state.outcome and state.outcome.result(),
    )
    answer: Answer = retrying(ask)
    return answer


def _is_finished(row: Mapping[str, Any], path: Path) -> bool:
    """Whether the file that the database remembers is there, as it was.

    A file in its place that the database does not know is refused: overwriting it could be the end of
    another database's events.
    """
    from awf_pg import parquet

    day, sha256 = row["day"], row["archive_sha256"] if row["archive_file"] == path.name else None
    if not path.exists():
        return False
    found = parquet.sha256_of(path)
    if found not in row["known_sha256"]:
        raise ArchiveConflict(
            f"{path} is not of this database, or is damaged",
            detail="It was not overwritten, and its day was not dropped.",
            hint="give each database a folder of its own; a damaged file can be moved away",
        )
    if found == sha256 and _manifest(path.parent).get(str(day), {}).get("sha256") != sha256:
        _note(path, day, parquet.read(path, day))
    return bool(found == sha256)


def _written(api: Api, day: date, table: str, path: Path) -> parquet.Content:
    """Write the events of a detached day, and have the database agree that the file holds them."""
    from awf_pg import parquet

    partial = _partial(path)
    try:
        with partial.open("wb") as file:
            rows = parquet.write(file, api.source.dsn(), table, _texts(api))
            file.flush()
            os.fsync(file.fileno())
        _sync(partial.parent)
        content = parquet.read(partial, day)
        if content.rows != rows:
            raise parquet.ArchiveError(
                f"{partial} has {content.rows} events where {rows} were written",
                hint="its day was not dropped; check the disk, then run it again",
            )
    except OSError as error:
        _remove(partial)
        raise _cannot_write(partial, error) from error
    except BaseException:
        _remove(partial)
        raise
    try:
        api.close_archive(day, path.name, rows, content.sha256, content.digest, parquet.FORMAT)
    except ArchiveMismatch:
        _remove(partial)
        raise
    # From here on the database may let go of the events at any time, after a lost connection as well:
    # the next run finds the file under its first name then.
    _named(partial, day, content)
    return content


def _take_up(api: Api, folder: Path, names: str = "turn_events_*.parquet") -> None:
    """Give files their names that the database remembers, but that a kill kept from getting them."""
    from awf_pg import parquet

    partials = list(folder.glob(f"{names}.partial"))
    if not partials:
        return
    query = "select archive_file, archive_sha256, day from awf.event_days where archived_at is not null"
    with translated(api.source.target), api.source.transaction() as connection:
        remembered = {file: (sha256, day) for file, sha256, day in execute(connection, query)}
    for partial in partials:
        sha256, day = remembered.get(partial.stem, (None, None))
        if sha256 is not None and parquet.sha256_of(partial) == sha256:
            _named(partial, day, parquet.read(partial, day))


def _partial(path: Path) -> Path:
    return path.with_name(path.name + ".partial")


def _named(partial: Path, day: date, content: parquet.Content) -> None:
    """Give a finished file its name and its place in the manifest."""
    path = partial.with_suffix("")
    try:
        os.replace(partial, path)
        _sync(path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    _note(path, day, content)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError) -> AwfError:
    from awf_pg import parquet

    return parquet.ArchiveError(
        f"cannot write {path}",
        detail=error.strerror or str(error),
        hint="only days with a whole file were dropped: keep those files, make room, and run it again",
    )


def _texts(api: Api) -> parquet.Texts:
    """All that the numbers in events can mean, as of now: the day's own cannot change any more."""
    from awf_pg import parquet

    with translated(api.source.target), api.source.transaction() as connection:
        dimensions = execute(connection, "select id, value from awf.dimensions").fetchall()
        query = "select id, experiment_key, variation_key, phase from awf.variation_ids"
        variations = execute(connection, query).fetchall()
    return parquet.Texts(dict(dimensions), {row[0]: row[1:] for row in variations})


# The folder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One run at a time in a folder; the lock ends with the process, however that ends."""
    try:
        with (folder / ".lock").open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ArchiveConflict(
                    f"another run is at work in {folder}", hint="wait for its end, then run it again"
                ) from error
            yield
    except OSError as error:
        raise _cannot_write(folder / ".lock", error) from error


def _note(path: Path, day: date, content: parquet.Content) -> None:
    """Put a file into the manifest of its folder."""
    entry = {
        "file": path.name,
        "rows": content.rows,
        "first_ts": _iso(content.first_ts),
        "last_ts": _iso(content.last_ts),
        "sha256": content.sha256,
        "bytes": content.size,
        "digest": content.digest,
        "format": content.format,
        "archived_at": _iso(datetime.now(UTC)),
    }
    days = _manifest(path.parent) | {str(day): entry}
    manifest = path.with_name(MANIFEST)
    partial = manifest.with_name(MANIFEST + ".partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            json.dump({"days": dict(sorted(days.items()))}, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, manifest)
        _sync(manifest.parent)
    except OSError as error:
        _remove(partial)
        raise _cannot_write(manifest, error) from error


def _manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """The entries of the manifest by their days."""
    from awf_pg import parquet

    path = folder / MANIFEST
    try:
        days = json.loads(path.read_bytes())["days"]
        if not all(isinstance(entry, dict) for entry in days.values()):
            raise TypeError("an entry is no object")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise parquet.ArchiveError(
            f"{path} cannot be read",
            detail=str(error),
            hint="move it away: the next run begins another, and the database remembers the files by itself",
        ) from error
    entries: dict[str, dict[str, Any]] = days
    return entries


def _check_manifest(path: Path, day: date, content: parquet.Content) -> None:
    """Refuse a file that is not what its manifest says; one without a manifest the database still knows."""
    from awf_pg import parquet

    entry = _manifest(path.parent).get(str(day))
    if entry is not None and (entry.get("rows"), entry.get("sha256")) != (content.rows, content.sha256):
        raise parquet.ArchiveError(
            f"{path} is not what {MANIFEST} says of {day}",
            detail=f"file: {content.rows} events, SHA-256 {content.sha256}; "
            f"manifest: {entry.get('rows')} events, SHA-256 {entry.get('sha256')}",
            hint="take the file from a backup",
        )


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _sync(folder: Path) -> None:
    """Have the names of a folder on the disk, as well as the files."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
