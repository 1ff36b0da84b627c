"""What all verbs share: the connection, parsing of values, and errors without tracebacks."""

from __future__ import annotations

import functools
import json
import math
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, BinaryIO, TextIO, TypeVar

import click
import psycopg

from awf_pg.admin import Api
from awf_pg.errors import AwfError, InvalidArgument, InvalidDateRange, ServerUnreachable, from_database
from awf_pg.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])

ERROR, UNREACHABLE = 1, 3  # 2 is click's, for wrong usage

_MESSAGE_MAX = 500


class RootGroup(click.Group):
    """The outermost group: every error ends as a few lines on standard error and an exit status."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            with suppress(OSError):  # Standard error may be what failed.
                where = error.filename or "input or output"
                tell(f"Error: {where}: {error.strerror or error}")
            _drop_output()
            sys.exit(ERROR)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            vars(error)["message"] = cut(error.message)
            raise
        except (UnicodeEncodeError, RecursionError) as error:
            _show_error(_unusable_text(error))
            ctx.exit(ERROR)
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
    tell(f"Error {code}: {message}")
    for label, text in (("detail", detail), ("hint", hint)):
        if text:
            tell(f"{label}: {text}")


def _unusable_text(error: UnicodeEncodeError | RecursionError) -> AwfError:
    if isinstance(error, RecursionError):
        return InvalidArgument("the JSON is nested too deeply", hint="a definition needs a few levels only")
    return InvalidArgument(
        f"a text cannot be written as {error.encoding}: {error.reason}",
        hint="arguments and files must be valid UTF-8, without halves of surrogate pairs",
    )


def _drop_output() -> None:
    """Forget what could not be written: Python would try once more at its end, and complain."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell(message: str) -> None:
    """Say something on standard error."""
    click.echo(cut(message), err=True)


def cut(text: str) -> str:
    return text if len(text) <= _MESSAGE_MAX else text[: _MESSAGE_MAX - 3] + "..."


def attributes_options(command: Command) -> Command:
    """The attributes of a turn, as a whole or one by one; `attributes_of` joins them."""
    whole = click.option(
        "--attributes", type=json_value, default="{}", metavar="JSON", help="Attributes of the turn."
    )
    one = click.option(
        "--attribute",
        "more",
        type=pair,
        multiple=True,
        metavar="KEY=JSON",
        help="One attribute of the turn: locale, world, adventure, model or another. Repeat it.",
    )
    return whole(one(command))


def attributes_of(attributes: Any, more: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    if not isinstance(attributes, dict):
        raise click.UsageError("--attributes is no JSON object.")
    return attributes | dict(more)


def revision_option(command: Command) -> Command:
    option = click.option(
        "--revision",
        type=click.IntRange(min=1),
        metavar="NUMBER",
        help="Refuse when the experiment has changed since this revision.",
    )
    return option(command)


def yes_option(command: Command) -> Command:
    return click.option("--yes", is_flag=True, help="Do not ask.")(command)


def confirm(question: str, yes: bool) -> None:
    """Ask before something is gone for good."""
    if yes:
        return
    try:
        answer = click.confirm(question, err=True)
    except click.Abort:
        if is_terminal(sys.stdin):
            raise
        raise click.UsageError("Nobody is there to answer: give --yes.") from None
    if not answer:
        raise click.Abort


def hash_player(api: Api, player_id: str) -> str:
    """With our own key where there is one, or else with the key that the database keeps."""
    settings = Settings.from_env()
    if settings.player_hash_key is not None:
        return settings.hash_player(player_id).hex()
    return api.hash_player(player_id)


def size_of(file: BinaryIO) -> int:
    """Bytes of a plain file; 0 for a pipe, which has no end to show progress to."""
    try:
        status = os.fstat(file.fileno())
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


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
    with Api(require_dsn(dsn), application_name="awf-pg command line", on_notice=tell) as api:
        yield api


def format_option(*formats: str, default: str | None = None) -> Callable[[Command], Command]:
    return click.option(
        "--format",
        "fmt",
        type=click.Choice(formats),
        default=default or formats[0],
        show_default=True,
        help="The table is for people and picks columns; the other formats have them all.",
    )


def out_option(command: Command) -> Command:
    option = click.option(
        "--out", metavar="FILE", callback=not_empty, help="Write to a file instead of standard output."
    )
    return option(command)


def not_empty(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse an option that is given and empty: an unset variable of a script, most likely."""
    if value == "":
        raise click.BadParameter("it is empty")
    return value


def is_terminal(stream: TextIO | None) -> bool:
    """A stream that was closed before the start is None."""
    return stream is not None and stream.isatty()


@contextmanager
def progress(length: int, label: str, *, shown: bool = True) -> Iterator[Callable[[int], None]]:
    """A bar on standard error where that is a terminal; the block advances it."""
    if not shown or length == 0 or not is_terminal(sys.stderr):
        yield lambda steps: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update


def json_value(text: str) -> Any:
    """An option's JSON value."""
    try:
        return parse_json(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}: {text!r}") from error


def pair(text: str) -> tuple[str, Any]:
    """An option's NAME=VALUE; the value is JSON, or a bare word, which is a string."""
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE")
    try:
        return name, parse_json(value)
    except ValueError:
        return name, value


def parse_json(text: str) -> Any:
    """JSON with exact numbers; ValueError for what is none, a usage error for what no number can be."""
    try:
        return json.loads(text, parse_float=number, parse_constant=number)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    except RecursionError as error:
        raise click.BadParameter("the JSON is nested too deeply") from error


def number(text: str) -> Decimal:
    """A finite number with all its digits: a float would round it."""
    try:
        if math.isfinite(float(text)):
            return Decimal(text)
    except (ValueError, ArithmeticError):
        pass
    raise click.BadParameter(f"{text} is not a finite number")


def percent(text: str) -> Decimal:
    """A share, written as a percentage with or without its sign."""
    digits = text.removesuffix("%")
    if not re.fullmatch(r"\d{1,3}(\.\d{1,15})?", digits, re.ASCII):
        raise click.BadParameter(f"{text!r} is no percentage")
    return Decimal(digits) / 100


def slots(text: str) -> list[int]:
    """Slots of a layer: from the first up to, and without, the second."""
    if not re.fullmatch(r"\d{1,9}:\d{1,9}", text, re.ASCII):
        raise click.BadParameter(f"{text!r} is not LOW:HIGH, such as 0:500")
    return [int(number) for number in text.split(":")]


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
