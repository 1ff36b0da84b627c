"""Where lines come from: it gives those without an id or a time the same ones in every run."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import stat
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from awf_pg.admin import Api
from awf_pg.cli.base import tell
from awf_pg.errors import InvalidEvent
from awf_pg.event import Event, field_name

NO_TIME = "ts is missing"

_NO_TIME_HINT = "nobody can tell whether standard input came before: give each line a ts, or ingest a file"
_STANDARD_INPUT = "stdin"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK = 1 << 20


class Origin:
    """A file by its name and content; the database remembers it once a line has no time of its own."""

    def __init__(self, file: BinaryIO, name: str | None, api: Api) -> None:
        self._file = file
        self._is_file = _is_file(file)
        self._name = name or (Path(file.name).name if self._is_file else _STANDARD_INPUT)
        self._api = api
        self._digest: str | None = None
        self._ts: datetime | None = None
        self._repetitions: _Repetitions | None = None
        self.end: int | None = None  # Only what the digest covers is ingested; the file may be growing.

    def complete(self, event: Event, document: Mapping[str, Any]) -> None:
        """Give the event of a line what the line lacks; the lines come in the order of the file."""
        given = _given(document)
        if "ts" not in given:
            event.ts = self._time()
        if "id" not in given:
            content = _content(event, document)
            event.id = line_id(self._name, content, self._before(content), event.ts)

    def pass_over(self, event: Event, document: Mapping[str, Any]) -> None:
        """Take note of a line that is not to be stored: another may be its equal."""
        if "id" not in _given(document):
            self._before(_content(event, document))

    def _before(self, content: bytes) -> int:
        """How often a line without an id has come before."""
        self._repetitions = self._repetitions or _Repetitions()
        return self._repetitions.count(content)

    def finish(self) -> None:
        """Every line has been read and stored."""
        if self._digest is None:
            return
        self._api.close_source(self._name, self._digest)
        if os.fstat(self._file.fileno()).st_size != self.end:
            tell(f"{self._name} has changed meanwhile: what was added has not been ingested")

    def _time(self) -> datetime:
        if not self._is_file:
            raise InvalidEvent(NO_TIME, hint=_NO_TIME_HINT)
        if self._ts is None:
            digest, self.end = _digest(self._file)
            self._ts = self._api.open_source(self._name, digest)
            self._digest = digest
        return self._ts


def line_id(name: str, content: bytes, before: int, ts: datetime) -> bytes:
    """The id of a line without one: a UUIDv8, from the file's name, what the line says and how often it came.

    Not from its number: lines that are taken out, corrected or put in leave the ids of the others alone.
    It begins with the milliseconds of the time, as those of version 7 do: the key's index is filled by time.
    """
    parts = (name.encode("utf-8", "surrogateescape"), b"%d" % before, content)
    digest = hashlib.sha256(b"\0".join(parts)).digest()
    milliseconds = (ts - _EPOCH) // timedelta(milliseconds=1) & (1 << 48) - 1
    made = bytearray(milliseconds.to_bytes(6, "big") + digest[:10])
    made[6] = made[6] & 0x0F | 0x80
    made[8] = made[8] & 0x3F | 0x80
    return bytes(made)


def _content(event: Event, document: Mapping[str, Any]) -> bytes:
    """What a line says, however it is written; the player by the hash, so that nobody can guess at ids."""
    rest = {
        key: value for key, value in document.items() if field_name(key) not in ("player_id", "player_hash")
    }
    return json.dumps([event.player_hash.hex(), rest], sort_keys=True, separators=(",", ":")).encode()


class _Repetitions:
    """How often each line has come; beyond a few megabytes in a temporary file, however long the input is."""

    def __init__(self) -> None:
        self._counts = sqlite3.connect("", isolation_level=None)
        self._counts.execute("pragma journal_mode = off")
        self._counts.execute("pragma cache_size = -65536")
        self._counts.execute("create table seen (line blob primary key, times integer) without rowid")
        self._counts.execute("begin")

    def count(self, content: bytes) -> int:
        """Count a line; returns how often it came before."""
        found = self._counts.execute(
            "insert into seen values (?, 0)"
            " on conflict (line) do update set times = times + 1 returning times",
            [hashlib.blake2b(content, digest_size=16).digest()],
        )
        ((before,),) = found.fetchall()
        return int(before)


def _given(document: Mapping[str, Any]) -> set[str]:
    if document.get("id") is not None and document.get("ts") is not None:
        return {"id", "ts"}
    return {field_name(key) for key, value in document.items() if value is not None}


def _is_file(file: BinaryIO) -> bool:
    """Not standard input, whatever it comes from, nor a pipe: both have no name to be known by."""
    try:
        plain = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except OSError:
        return False
    return plain and file.name != "<stdin>"


def _digest(file: BinaryIO) -> tuple[str, int]:
    """SHA-256 of the content and how long that is, wherever the file is being read."""
    digest, position = hashlib.sha256(), 0
    while chunk := os.pread(file.fileno(), _CHUNK, position):
        digest.update(chunk)
        position += len(chunk)
    return digest.hexdigest(), position
