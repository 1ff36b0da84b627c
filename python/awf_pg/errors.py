"""Every error of the project: one class a code, with its HTTP status and short name.

The SQL core raises SQLSTATE 'WFnnn'; `from_database` turns it into the class of that code. Codes from WF900
on are the client's own. Match the class or the code, never the text of a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import psycopg


class AwfError(Exception):
    """An error with a code, a message that names the object and the value, a detail and a hint."""

    code: ClassVar[str] = "WF000"
    http_status: ClassVar[int] = 500
    name: ClassVar[str] = "error"

    def __init_subclass__(cls, *, code: str, status: int) -> None:
        cls.code, cls.http_status = code, status
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        CODES[code] = cls

    def __init__(self, message: str, *, detail: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.hint = hint
        for name, text in (("detail", detail), ("hint", hint)):
            if text:
                self.add_note(f"{name}: {text}")  # A traceback shows it.


CODES: dict[str, type[AwfError]] = {}
"""The table of codes, filled by the classes below."""


class InvalidArgument(AwfError, code="WF001", status=400):
    """An argument is missing or malformed."""


class InvalidDateRange(AwfError, code="WF002", status=400):
    """A date is malformed, or the range ends before it begins."""


class UnknownSetting(AwfError, code="WF003", status=400):
    """No setting has this name."""


class ExperimentNotFound(AwfError, code="WF101", status=404):
    """No experiment has this key."""


class VariationNotFound(AwfError, code="WF102", status=404):
    """The experiment has no variation of this key."""


class ExperimentExists(AwfError, code="WF103", status=409):
    """An experiment of this key exists already."""


class VariationExists(AwfError, code="WF104", status=409):
    """The experiment has a variation of this key already."""


class InvalidAllocations(AwfError, code="WF105", status=422):
    """The allocations are malformed, name a variation twice or do not sum to 100."""


class InvalidState(AwfError, code="WF106", status=409):
    """The present state (of an experiment, of settings, of the transaction) does not allow this."""


class VariationMissing(AwfError, code="WF107", status=409):
    """An allocated variation does not exist, so the experiment cannot start."""


class UnknownKnob(AwfError, code="WF108", status=422):
    """No runtime knob has this name."""


class OutOfRange(AwfError, code="WF109", status=422):
    """A value lies outside its guardrail, its knob's range or the budget."""


class WrongType(AwfError, code="WF110", status=422):
    """A value is not of its knob's type."""


class InvalidGuardrails(AwfError, code="WF111", status=422):
    """The guardrails are malformed."""


class InvalidKey(AwfError, code="WF112", status=422):
    """A key has characters or a length that keys may not have."""


class InvalidCondition(AwfError, code="WF113", status=422):
    """The condition is malformed."""


class RevisionConflict(AwfError, code="WF114", status=409):
    """The experiment has changed since the revision that the change was made for."""


class SlotsTaken(AwfError, code="WF115", status=409):
    """Another experiment or the holdout has slots that this one needs."""


class KnobConflict(AwfError, code="WF116", status=409):
    """Another experiment outside the layer sets the same knob at the same time."""


class LayerNotFound(AwfError, code="WF117", status=404):
    """No layer has this key."""


class LayerExists(AwfError, code="WF118", status=409):
    """A layer of this key exists already."""


class TemplateNotFound(AwfError, code="WF119", status=404):
    """No template has this key."""


class TemplateExists(AwfError, code="WF120", status=409):
    """A template of this key exists already, or comes with the system."""


class InvalidRamp(AwfError, code="WF121", status=422):
    """The ramp is malformed, or its steps do not rise."""


class InvalidSlots(AwfError, code="WF122", status=422):
    """The slots of a layer are malformed."""


class InvalidEvent(AwfError, code="WF201", status=422):
    """An event lacks a field or has a malformed one."""


class NoOpenBatch(AwfError, code="WF202", status=409):
    """Rows were sent without an open batch of the same transaction."""


class OutsideWindow(AwfError, code="WF203", status=422):
    """The time of an event lies outside the accepted window."""


class UnsafeStage(AwfError, code="WF204", status=403):
    """The staging table was not made by the SQL core."""


class NoPlayerHashKey(AwfError, code="WF205", status=409):
    """The database has no player hash key."""


class SourceIngested(AwfError, code="WF206", status=409):
    """A file of lines without a time was ingested already, or has changed since."""


class StoredMeanwhile(AwfError, code="WF207", status=409):
    """Another transaction has stored events that this one cannot see: the batch has to be sent again."""


class EventsGone(AwfError, code="WF301", status=409):
    """The events of a day are no longer in the database."""


class DayNotClosed(AwfError, code="WF302", status=409):
    """A day cannot leave: it is not over, has waiting batches or is not detached."""


class DayNotArchived(AwfError, code="WF303", status=409):
    """The events of a day must be archived before they are dropped."""


class ArchiveMismatch(AwfError, code="WF304", status=409):
    """A file does not hold what the database archived, or has to archive."""


class DayState(AwfError, code="WF305", status=409):
    """Whether the events of the day are attached, detached or dropped does not allow this."""


class UnsafeOwner(AwfError, code="WF401", status=500):
    """The functions belong to a superuser."""


class NotOwner(AwfError, code="WF402", status=403):
    """The caller does not own the functions."""


class UnknownRoleKind(AwfError, code="WF403", status=400):
    """There is no such kind of role."""


class RoleNotFound(AwfError, code="WF404", status=404):
    """There is no such role."""


class JobNotFound(AwfError, code="WF405", status=404):
    """There is no such job."""


class NoScheduler(AwfError, code="WF406", status=409):
    """The database has no pg_cron, or the role may not use it."""


class ServerUnreachable(AwfError, code="WF900", status=503):
    """No connection to the database server, or it was lost."""


class ConfigurationError(AwfError, code="WF901", status=500):
    """An environment variable or a setting of the client is missing or malformed."""


class NotInstalled(AwfError, code="WF902", status=503):
    """The database lacks the SQL core, or has an older one."""


class PermissionDenied(AwfError, code="WF903", status=403):
    """The database role lacks a right."""


_START_HINT = (
    "check that the server runs, and host, user, password and database of the DSN (AWF_DATABASE_URL or --dsn)"
)
_INSTALL_HINT = "install or upgrade the SQL core with: awf-pg install"
_GRANT_HINT = "who owns schema awf can grant it: SELECT awf.grant_usage(role, 'reader|analyst|writer|admin')"

# Invalid catalog or schema name, undefined function, undefined table.
_NOT_INSTALLED = {"3F000", "42883", "42P01"}


def from_database(error: psycopg.Error, target: str = "the database server") -> Exception:
    """The error of ours that a database error stands for, or the database error itself."""
    sqlstate = error.sqlstate
    message = error.diag.message_primary or str(error).strip()
    detail, hint = error.diag.message_detail, error.diag.message_hint
    if connection_failed(error):
        return ServerUnreachable(f"cannot connect to {target}", detail=message, hint=_START_HINT)
    if sqlstate is None:
        return error
    if sqlstate in CODES:
        return CODES[sqlstate](message, detail=detail, hint=hint)
    if sqlstate in _NOT_INSTALLED:
        return NotInstalled(message, detail=detail, hint=_INSTALL_HINT)
    if sqlstate == "42501":
        return PermissionDenied(message, detail=detail, hint=hint or _GRANT_HINT)
    if sqlstate.startswith("22"):
        return InvalidArgument(message, detail=detail, hint=hint)
    return error


def connection_failed(error: psycopg.Error) -> bool:
    """Whether an error speaks of the connection and not of a statement."""
    sqlstate = error.sqlstate
    if sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return sqlstate.startswith(("08", "57P")) or sqlstate == "53300"


def said(error: BaseException) -> str:
    """What a log says of an error, on one line: its own first line, and what to do where that is known."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    known = from_database(error) if isinstance(error, psycopg.Error) else error
    helps = isinstance(known, NotInstalled | PermissionDenied | ConfigurationError) and known.hint
    return f"{line} ({known.hint})" if helps else line  # type: ignore[attr-defined]  # it is one of ours


@contextmanager
def translated(target: str) -> Iterator[None]:
    """Raise the errors of the database inside the block as errors of ours."""
    try:
        yield
    except psycopg.Error as error:
        raise from_database(error, target) from error
