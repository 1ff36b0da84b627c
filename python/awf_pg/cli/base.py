"""What all verbs share: the connection, parsing of values, and errors without tracebacks."""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import click
import psycopg

from awf_pg.admin import Api
from awf_pg.errors import AwfError, InvalidDateRange, ServerUnreachable, from_database

Command = TypeVar("Command", bound=Callable[..., Any])

ERROR, UNREACHABLE = 1, 3  # 2 is click's, for wrong usage


class RootGroup(click.Group):
    """The outermost group: every error ends as a few lines on standard error and an exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (AwfError, psycopg.Error) as error:
            named = from_database(error) if isinstance(error, psycopg.Error) else error
            _show_error(named)
            ctx.exit(UNREACHABLE if isinstance(named, ServerUnreachable) else ERROR)


def _show_error(error: Exception) -> None:
    """Code and message, then detail and hint, each on its line."""
    if isinstance(error, AwfError):
        code, message, detail, hint = error.code, error.message, error.detail, error.hint
    else:
        assert isinstance(error, psycopg.Error)
        said = error.diag
        message, detail, hint = said.message_primary or str(error), said.message_detail, said.message_hint
        code = error.sqlstate or "WF000"
    click.echo(f"Error {code}: {message}", err=True)
    for label, text in (("detail", detail), ("hint", hint)):
        if text:
            click.echo(f"{label}: {text}", err=True)


def dsn_option(command: Command) -> Command:
    """--dsn on a verb; without it the group's --dsn or AWF_DATABASE_URL counts."""
    option = click.option(
        "--dsn",
        metavar="DSN",
        callback=_resolve_dsn,
        help="PostgreSQL connection string; AWF_DATABASE_URL without it.",
    )
    return option(command)


def _resolve_dsn(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    return value or ctx.find_root().params.get("dsn")


def require_dsn(dsn: str | None) -> str:
    if not dsn:
        raise click.UsageError("No database: give --dsn or set AWF_DATABASE_URL.")
    return dsn


def with_api(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb --dsn and, as its first argument, the functions of that database."""

    @functools.wraps(function)
    def connected(*args: Any, dsn: str | None, **kwargs: Any) -> Any:
        with connect(dsn) as api:
            return function(api, *args, **kwargs)

    return dsn_option(connected)


@contextmanager
def connect(dsn: str | None) -> Iterator[Api]:
    with Api(require_dsn(dsn), application_name="awf-pg command line", on_notice=show_notice) as api:
        yield api


def show_notice(message: str) -> None:
    click.echo(message, err=True)


def format_option(*formats: str, default: str | None = None) -> Callable[[Command], Command]:
    return click.option(
        "--format",
        "fmt",
        type=click.Choice(formats),
        default=default or formats[0],
        show_default=True,
        help="A table for people, JSON or CSV with every column for programs.",
    )


def out_option(command: Command) -> Command:
    return click.option("--out", metavar="FILE", help="Write to a file instead of standard output.")(command)


@contextmanager
def progress(length: int, label: str, *, shown: bool = True) -> Iterator[Callable[[int], None]]:
    """A bar on standard error where that is a terminal; the block advances it."""
    if not shown or length == 0 or not sys.stderr.isatty():
        yield lambda steps: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update


def json_value(text: str) -> Any:
    """An option's JSON value."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not JSON: {error}") from error


def pair(text: str) -> tuple[str, Any]:
    """An option's NAME=VALUE; the value is JSON, or a bare word, which is a string."""
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def day(text: str) -> date:
    """A date as YYYY-MM-DD and in no other form."""
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            raise ValueError("it has another form")
        return date.fromisoformat(text)
    except ValueError as error:
        raise _bad_date(text, error, "YYYY-MM-DD") from error


def moment(text: str) -> datetime:
    """A time in ISO 8601; without an offset it is UTC."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise _bad_date(text, error, "YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ") from error
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _bad_date(text: str, error: ValueError, form: str) -> InvalidDateRange:
    return InvalidDateRange(f'"{text}" is not a date', detail=str(error), hint=f"write it as {form}")
