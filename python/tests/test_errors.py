"""The table of codes, and how errors of the database become errors of ours."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import psycopg
import pytest
from psycopg import errors as pg

from awf_pg import errors
from awf_pg.admin import Api
from awf_pg.errors import AwfError, ServerUnreachable, from_database
from tests import servers


def test_every_code_has_a_class_a_name_and_a_status() -> None:
    for code, kind in errors.CODES.items():
        assert re.fullmatch(r"WF\d{3}", code)
        assert kind.code == code
        assert kind.http_status in {400, 403, 404, 409, 422, 500, 503}
        assert kind.__doc__
    names = [kind.name for kind in errors.CODES.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("code", "name", "status"),
    [
        ("WF001", "invalid_argument", 400),
        ("WF101", "experiment_not_found", 404),
        ("WF105", "invalid_allocations", 422),
        ("WF114", "revision_conflict", 409),
        ("WF115", "slots_taken", 409),
        ("WF116", "knob_conflict", 409),
        ("WF117", "layer_not_found", 404),
        ("WF118", "layer_exists", 409),
        ("WF119", "template_not_found", 404),
        ("WF120", "template_exists", 409),
        ("WF121", "invalid_ramp", 422),
        ("WF122", "invalid_slots", 422),
        ("WF205", "no_player_hash_key", 409),
        ("WF301", "events_gone", 409),
        ("WF900", "server_unreachable", 503),
    ],
)
def test_table(code: str, name: str, status: int) -> None:
    kind = errors.CODES[code]
    assert (kind.name, kind.http_status) == (name, status)


def test_the_codes_of_the_sql_core_are_those_of_the_table() -> None:
    functions = Path(__file__).parents[2] / "sql" / "functions"
    raised = {
        code
        for path in functions.rglob("*.sql")
        for code in re.findall(r"'(WF\d{3})'", path.read_text("utf-8"))
    }
    assert raised == {code for code in errors.CODES if code < "WF900"}


def test_error_carries_detail_and_hint() -> None:
    error = errors.UnknownKnob("no knob x", detail="d", hint="h")
    assert (str(error), error.message, error.detail, error.hint) == ("no knob x", "no knob x", "d", "h")
    assert isinstance(error, AwfError)


def test_other_database_errors_stay_what_they_are() -> None:
    error = pg.SerializationFailure()
    assert from_database(error) is error
    assert isinstance(from_database(pg.InsufficientPrivilege()), errors.PermissionDenied)
    assert isinstance(from_database(pg.UndefinedFunction()), errors.NotInstalled)
    assert isinstance(from_database(pg.InvalidDatetimeFormat()), errors.InvalidArgument)
    assert isinstance(from_database(pg.AdminShutdown()), ServerUnreachable)


def test_unreachable_server_is_named_without_the_password() -> None:
    port = servers._free_port()
    api = Api(f"postgresql://someone:s3cret@127.0.0.1:{port}/game")
    with pytest.raises(ServerUnreachable) as caught:
        api.version()
    error = caught.value
    assert error.message == f"cannot connect to 127.0.0.1, port {port}, database game"
    assert error.hint is not None
    assert "s3cret" not in f"{error.message} {error.detail} {error.hint} {error.__cause__!r}"


def test_malformed_dsn_is_not_repeated() -> None:
    with pytest.raises(errors.ConfigurationError) as caught:
        Api("postgresql://someone:s3cret@host:port:1/x y=")
    assert "s3cret" not in f"{caught.value} {caught.value.detail} {caught.value.hint}"
    assert caught.value.__suppress_context__


def test_error_of_the_sql_core_arrives_whole(db: str) -> None:
    with Api(db) as api, pytest.raises(errors.ExperimentNotFound) as caught:
        api.get_experiment("no-such-experiment")
    error = caught.value
    assert error.code == "WF101"
    assert "no-such-experiment" in error.message
    assert error.hint
    assert isinstance(error.__cause__, psycopg.Error)


def test_database_without_the_core(server: servers.Server) -> None:
    with Api(server.dsn_of("postgres")) as api, pytest.raises(errors.NotInstalled) as caught:
        api.version()
    assert "awf-pg install" in (caught.value.hint or "")


def test_a_traceback_shows_detail_and_hint() -> None:
    error = errors.InvalidArgument("no", detail="what", hint="how")
    assert traceback.format_exception(error)[-3:] == [
        "awf_pg.errors.InvalidArgument: no\n",
        "detail: what\n",
        "hint: how\n",
    ]
