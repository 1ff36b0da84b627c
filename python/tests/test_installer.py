"""Installation: who owns it, doing it again, doing it twice at once, and where it is refused."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from awf_pg import installer
from awf_pg.errors import ConfigurationError, ServerUnreachable
from awf_pg.installer import InstallError, install
from tests.servers import Server


@pytest.fixture
def empty(server: Server) -> Iterator[str]:
    """DSN (superuser) of a database without awf."""
    name = f"t_{uuid.uuid4().hex}"
    server.create_database(name)
    yield server.dsn_of(name)
    server.drop_database(name)


@pytest.fixture
def role(server: Server) -> Iterator[str]:
    """A login role without any right."""
    name = f"r_{uuid.uuid4().hex}"
    server.execute(sql.SQL("create role {} login").format(sql.Identifier(name)))
    yield name
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        databases = connection.execute(
            "select datname from pg_database where datname like 't\\_%'"
        ).fetchall()
    for (database,) in databases:
        with psycopg.connect(server.dsn_of(database), autocommit=True) as connection:
            connection.execute(sql.SQL("drop owned by {} cascade").format(sql.Identifier(name)))
    server.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def one(dsn: str, query: str) -> Any:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def run(dsn: str, statement: LiteralString, *names: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


OWNERS = """
    select array_agg(distinct pg_get_userbyid(o)::text) from (
        select relowner from pg_class where relnamespace = 'awf'::regnamespace
        union all select proowner from pg_proc where pronamespace = 'awf'::regnamespace
        union all select nspowner from pg_namespace where nspname = 'awf'
    ) as owners (o)
"""


def test_a_superuser_installs_as_the_owner_role(empty: str) -> None:
    report = install(empty, env={})
    assert (report.owner, report.previous_version) == ("awf_owner", None)
    assert report.version == one(empty, "select awf.version()")
    assert [number for number, _ in report.steps] == list(range(1, len(report.steps) + 1))
    assert one(empty, OWNERS) == ["awf_owner"]
    assert one(empty, "select not rolsuper and not rolcanlogin from pg_roles where rolname = 'awf_owner'")
    assert one(empty, "select count(*) from awf.list_experiments('draft')") == 1


def test_again_changes_nothing(empty: str) -> None:
    first = install(empty, env={})
    again = install(empty, env={})
    assert again.previous_version == first.version
    assert again.steps == []


def test_two_at_once(empty: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda _: install(empty, env={}), range(2)))
    assert sorted(bool(report.steps) for report in reports) == [False, True]


def test_a_plain_role_owns_what_it_installs(empty: str, role: str) -> None:
    own = make_conninfo(empty, user=role)
    with pytest.raises(InstallError, match="may not create a schema") as caught:
        install(own, env={})
    assert "GRANT CREATE ON DATABASE" in str(caught.value.hint)

    run(empty, "grant create on database {} to {}", str(conninfo_to_dict(empty)["dbname"]), role)
    assert install(own, env={}).owner == role
    assert one(empty, OWNERS) == [role]
    with pytest.raises(InstallError, match=f'schema awf belongs to "{role}", not to "awf_owner"') as caught:
        install(empty, env={})
    assert f'--owner "{role}"' in str(caught.value.hint)
    assert install(empty, env={}, owner=role).owner == role, (
        "a superuser upgrades as the owner that he trusts"
    )


def test_the_plain_script_says_nothing_but_warnings(empty: str, role: str) -> None:
    run(empty, "grant create on database {} to {}", str(conninfo_to_dict(empty)["dbname"]), role)
    told: list[str | None] = []
    with psycopg.connect(make_conninfo(empty, user=role)) as connection:
        connection.add_notice_handler(lambda notice: told.append(notice.message_primary))
        connection.execute(installer._script().encode())
        connection.execute("select awf.migrate()")
    assert told == []


def test_a_stranger_may_not_upgrade(empty: str, role: str) -> None:
    install(empty, env={})
    run(empty, "grant create on database {} to {}", str(conninfo_to_dict(empty)["dbname"]), role)
    with pytest.raises(InstallError, match='schema awf belongs to "awf_owner"'):
        install(make_conninfo(empty, user=role), env={})


def test_a_schema_of_a_superuser_is_refused(empty: str) -> None:
    run(empty, "create schema awf")
    with pytest.raises(InstallError, match='schema awf belongs to the superuser "postgres"'):
        install(empty, env={})


def test_a_squatted_schema_is_refused_and_nothing_of_it_runs(empty: str, role: str) -> None:
    run(empty, "create schema awf authorization {}", role)
    with pytest.raises(InstallError, match=f'schema awf belongs to "{role}"'):
        install(empty, env={})
    with psycopg.connect(make_conninfo(empty, user=role)) as connection:
        connection.execute(
            sql.SQL(
                "create function awf.version() returns text language plpgsql as"
                " $$ begin reset role; alter role {} superuser; return '0.0.1'; end $$"
            ).format(sql.Identifier(role))
        )
    for owner, message in ((None, "schema awf belongs to"), (role, "does not state a version")):
        with pytest.raises(InstallError, match=message):
            install(empty, env={}, owner=owner)
        assert one(empty, f"select not rolsuper from pg_roles where rolname = '{role}'")
    assert one(empty, "select to_regclass('awf.schema_steps') is null")


def test_a_named_owner(empty: str, role: str) -> None:
    with pytest.raises(InstallError, match='there is no role "nobody"'):
        install(empty, env={}, owner="nobody")
    with pytest.raises(InstallError, match='"postgres" is a superuser'):
        install(empty, env={}, owner="postgres")
    with pytest.raises(InstallError, match='there is no role "nobody"'):
        install(make_conninfo(empty, user=role), env={}, owner="nobody")
    assert one(empty, "select to_regnamespace('awf') is null")
    assert install(empty, env={}, owner=role).owner == role
    assert one(empty, OWNERS) == [role]
    with pytest.raises(InstallError, match="not to"):
        install(empty, env={})


@pytest.mark.parametrize(
    ("statement", "object_name"),
    [
        ("create table awf.extra (id int)", "relation awf.extra"),
        ("create function awf.extra() returns int language sql as 'select 1'", "function awf.extra"),
        ("create domain awf.extra as int", "type awf._?extra"),  # or its array type
    ],
)
def test_objects_of_others_are_refused(empty: str, role: str, statement: str, object_name: str) -> None:
    install(empty, env={})
    run(empty, "grant create, usage on schema awf to {}", role)
    with psycopg.connect(make_conninfo(empty, user=role)) as connection:
        connection.execute(statement.encode())
    with pytest.raises(InstallError, match=f'{object_name} belongs to "{role}", not to "awf_owner"'):
        install(empty, env={})


def test_functions_of_the_database_path_are_not_called(empty: str, role: str) -> None:
    run(empty, "create schema bait authorization {}", role)
    with psycopg.connect(make_conninfo(empty, user=role)) as connection:
        connection.execute(
            "create function bait.hashtext(text) returns int language plpgsql as"
            " $$ begin raise 'the bait was taken'; end $$"
        )
    run(
        empty,
        "alter database {} set search_path = bait, pg_catalog",
        str(conninfo_to_dict(empty)["dbname"]),
    )
    assert install(empty, env={}).owner == "awf_owner"


def test_the_environment_becomes_settings(empty: str) -> None:
    report = install(
        empty,
        env={
            "EXPERIMENTS_HASH_BASIS": "player",
            "AWF_MODEL_MAX_OUTPUT_TOKENS": "2000",
            "AWF_TOOL_MAX_CALLS_PER_TURN": "",
            "AWF_PLAYER_HASH_KEY": "a-secret-of-16-bytes",
        },
    )
    assert report.settings == {"hash_basis": "player", "model_max_output_tokens": 2000}
    stored = one(empty, "select jsonb_object_agg(name, value) from awf.settings")
    assert (stored["hash_basis"], stored["model_max_output_tokens"]) == ("player", 2000)
    assert stored["tool_max_calls_per_turn"] is None
    assert one(empty, "select count(*) from awf.player_hash_key") == 0, (
        "the key is stored when asked for only"
    )


def test_a_malformed_variable_installs_nothing(empty: str) -> None:
    with pytest.raises(ConfigurationError, match="AWF_MODEL_MAX_OUTPUT_TOKENS"):
        install(empty, env={"AWF_MODEL_MAX_OUTPUT_TOKENS": "many"})
    assert one(empty, "select to_regnamespace('awf') is null")


def test_the_player_hash_key_on_demand(empty: str) -> None:
    with pytest.raises(ConfigurationError, match="AWF_PLAYER_HASH_KEY is not set"):
        install(empty, env={}, store_player_hash_key=True)
    install(empty, env={"AWF_PLAYER_HASH_KEY": "a-secret-of-16-bytes"}, store_player_hash_key=True)
    assert len(one(empty, "select awf.hash_player('ann')")) == 64


def test_roles_on_demand(empty: str) -> None:
    install(empty, env={}, roles=True)
    assert one(empty, "select has_function_privilege('awf_reader', 'awf.list_experiments(text)', 'execute')")


def test_a_newer_core_is_left_alone(empty: str) -> None:
    install(empty, env={})
    run(
        empty,
        "create or replace function awf.version() returns text language sql immutable"
        " as 'select ''999.0.0'''",
    )
    with pytest.raises(InstallError, match=r"has awf 999\.0\.0, which is newer"):
        install(empty, env={})
    assert one(empty, "select awf.version()") == "999.0.0"


def test_the_extension_is_left_to_alter_extension(empty: str) -> None:
    # An extension needs files on the server; a row of the catalogue looks the same to the installer.
    run(
        empty,
        "insert into pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)"
        " select 99999, 'awf', 10, 'public'::regnamespace, false, '0.1.0'",
    )
    with pytest.raises(InstallError, match=r"belong to the extension awf 0\.1\.0") as caught:
        install(empty, env={})
    assert "ALTER EXTENSION awf UPDATE" in str(caught.value.hint)


def test_a_failure_leaves_nothing_behind(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    script = installer._script()
    monkeypatch.setattr(installer, "_script", lambda: script + "\nselect 1 / 0;")
    with pytest.raises(Exception, match="division by zero"):
        install(empty, env={})
    assert one(empty, "select to_regnamespace('awf') is null")


def test_a_package_without_the_built_sql(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(installer, "files", lambda _: tmp_path)
    with pytest.raises(InstallError, match="the built SQL is missing") as caught:
        install("host=nowhere", env={})
    assert "make build" in str(caught.value.hint)


def test_no_server() -> None:
    with pytest.raises(ServerUnreachable, match=r"127\.0\.0\.1, port 1"):
        install("postgresql://ann:secret@127.0.0.1:1/game", env={})
