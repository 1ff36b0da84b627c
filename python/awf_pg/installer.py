"""Installs and upgrades the SQL core: one transaction, one owner that is no superuser.

A superuser must trust the owner: what runs after SET ROLE can RESET ROLE. Hence no unknown owner is accepted.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import sql

from awf_pg.connect import Connection, Source
from awf_pg.errors import AwfError, translated
from awf_pg.settings import Settings

OWNER = "awf_owner"


class InstallError(AwfError, code="WF911", status=409):
    """The SQL core cannot be installed here."""


@dataclass(frozen=True)
class InstallReport:
    """What an installation did."""

    version: str
    previous_version: str | None
    owner: str
    steps: list[tuple[int, str]]
    settings: dict[str, Any]


def install(
    conninfo: str,
    *,
    env: Mapping[str, str] | None = None,
    owner: str | None = None,
    roles: bool = False,
    store_player_hash_key: bool = False,
) -> InstallReport:
    """Install the SQL core, or upgrade it, and set the settings that the environment names.

    A superuser installs as the role `awf_owner`, made when missing; anybody else installs as himself. `owner`
    names another role that is to own schema awf, or owns it already: one that a superuser trusts with his own
    rights. `roles` also makes the four group roles; `store_player_hash_key` keeps AWF_PLAYER_HASH_KEY in the
    database, for hash_player().
    """
    environment = Settings.from_env(os.environ if env is None else env)
    script = _script()
    player_key = environment.require_key().decode() if store_player_hash_key else None
    source = Source(conninfo, None, "awf-pg install")
    with closing(source), translated(source.target), source.transaction() as connection:
        # A function of ours found by name must not be one that somebody else put in its way.
        connection.execute("set local search_path = pg_catalog, pg_temp")
        # Two installations at once would make the same objects: the second waits, then finds everything done.
        connection.execute("select pg_advisory_xact_lock(hashtext('awf.install'))")
        _refuse_extension(connection)
        owner = _become_owner(connection, owner)
        _refuse_foreign_objects(connection, owner)
        report = _run(connection, script, owner, _settings_from(environment))
        if player_key is not None:
            connection.execute("select awf.set_player_hash_key(%s)", [player_key])
        if roles:
            connection.execute("reset role")  # The owner may not make roles, the caller perhaps may.
            connection.execute("select awf.create_roles()")
    return report


def _run(connection: Connection, script: str, owner: str, settings: dict[str, Any]) -> InstallReport:
    previous, version = _installed_version(connection), _version_of(script)
    if previous is not None and _as_numbers(previous) > _as_numbers(version):
        raise InstallError(
            f"the database has awf {previous}, which is newer than this package's {version}",
            hint="upgrade the package: pip install --upgrade awf-pg",
        )
    connection.execute(script.encode())
    steps = [
        (int(step), str(name)) for step, name in connection.execute("select step, name from awf.migrate()")
    ]
    for name, value in settings.items():
        connection.execute("select awf.set_setting(%s, %s)", [name, json.dumps(value)])
    return InstallReport(version, previous, owner, steps, settings)


def _script() -> str:
    script = files("awf_pg").joinpath("_sql", "awf.sql")
    if not script.is_file():
        raise InstallError(
            "the built SQL is missing from this installation of awf-pg",
            detail=f"there is no {script}",
            hint="in a clone of the project run: make build",
        )
    return script.read_text("utf-8")


def _settings_from(environment: Settings) -> dict[str, Any]:
    values = {
        "hash_basis": environment.experiments_hash_basis,
        "model_max_output_tokens": environment.model_max_output_tokens,
        "tool_max_calls_per_turn": environment.tool_max_calls_per_turn,
    }
    return {name: value for name, value in values.items() if value is not None}


def _refuse_extension(connection: Connection) -> None:
    row = connection.execute("select extversion from pg_extension where extname = 'awf'").fetchone()
    if row is not None:
        raise InstallError(
            f"the functions of schema awf belong to the extension awf {row[0]}",
            detail="the plain install script would take them away from it",
            hint="as the owner: ALTER EXTENSION awf UPDATE; SELECT * FROM awf.migrate();",
        )


def _become_owner(connection: Connection, named: str | None) -> str:
    """Take the role that owns, or is going to own, schema awf, for the rest of the transaction."""
    row = connection.execute(
        "select current_user, r.rolsuper, current_database(),"
        " (select pg_get_userbyid(n.nspowner) from pg_namespace as n where n.nspname = 'awf')"
        " from pg_roles as r where r.rolname = current_user"
    ).fetchone()
    assert row is not None
    user, is_superuser, database, schema_owner = row
    if is_superuser:
        owner = named or OWNER
        _prepare_owner(connection, owner, database, schema_owner)
    else:
        owner = named or schema_owner or user
        _require_create(connection, owner, database)
    if schema_owner not in (None, owner):
        raise _foreign_schema(schema_owner, owner)
    if owner != user:
        _set_role(connection, user, owner)
    return str(owner)


def _prepare_owner(connection: Connection, owner: str, database: str, schema_owner: str | None) -> None:
    """What only a superuser can do: the owning role, its rights in this database, its schema."""
    if schema_owner is not None and _is_superuser(connection, schema_owner):
        raise InstallError(
            f'schema awf belongs to the superuser "{schema_owner}"',
            detail="its functions would run with a superuser's rights for every caller",
            hint="drop it if it is empty, or give it with all it holds to a role that is no superuser",
        )
    if schema_owner not in (None, owner):
        raise _foreign_schema(schema_owner, owner)
    role = sql.Identifier(owner)
    found = _is_superuser(connection, owner)
    if found is None and owner == OWNER:
        connection.execute(sql.SQL("create role {} nologin").format(role))
    elif found is None:
        raise _no_such_role(owner)
    elif found:
        raise InstallError(
            f'"{owner}" is a superuser, and so cannot own schema awf',
            detail="its functions would run with a superuser's rights for every caller",
            hint=f"name a role that is no superuser, or none for {OWNER}",
        )
    connection.execute(
        sql.SQL("grant create, temporary on database {} to {}").format(sql.Identifier(database), role)
    )
    if schema_owner is None:
        connection.execute(sql.SQL("create schema awf authorization {}").format(role))


def _is_superuser(connection: Connection, role: str) -> bool | None:
    """None when there is no such role."""
    row = connection.execute("select rolsuper from pg_roles where rolname = %s", [role]).fetchone()
    return None if row is None else bool(row[0])


def _require_create(connection: Connection, owner: str, database: str) -> None:
    row = connection.execute(
        "select has_database_privilege(oid, current_database(), 'create') from pg_roles where rolname = %s",
        [owner],
    ).fetchone()
    if row is None:
        raise _no_such_role(owner)
    if not row[0]:
        raise InstallError(
            f'role "{owner}" may not create a schema in database "{database}"',
            hint=f'its owner can: GRANT CREATE ON DATABASE "{database}" TO "{owner}";',
        )


def _no_such_role(role: str) -> InstallError:
    return InstallError(f'there is no role "{role}"', hint=f'make it first: CREATE ROLE "{role}" NOLOGIN;')


def _foreign_schema(schema_owner: str, owner: str) -> InstallError:
    return InstallError(
        f'schema awf belongs to "{schema_owner}", not to "{owner}"',
        detail="whoever owns the schema can have code run with the rights of the role that installs",
        hint=f'drop the schema, or, if you trust its owner, name it: awf-pg install --owner "{schema_owner}"',
    )


def _refuse_foreign_objects(connection: Connection, owner: str) -> None:
    """Refuse a schema in which another role has put something that the scripts would meet."""
    row = connection.execute(
        "select kind, name, pg_get_userbyid(o.owner) from ("
        " select 'relation', relname, relowner, relnamespace from pg_class"
        " union all select 'function', proname, proowner, pronamespace from pg_proc"
        " union all select 'type', typname, typowner, typnamespace from pg_type"
        ") as o (kind, name, owner, namespace) join pg_namespace as n on n.oid = o.namespace"
        " where n.nspname = 'awf' and pg_get_userbyid(o.owner) <> %s order by kind, name limit 1",
        [owner],
    ).fetchone()
    if row is not None:
        kind, name, other = row
        raise InstallError(
            f'{kind} awf.{name} belongs to "{other}", not to "{owner}"',
            detail="the install script would run or replace it",
            hint=f'drop it, or, if you trust what it does, give it to "{owner}"',
        )


def _set_role(connection: Connection, user: str, owner: str) -> None:
    try:
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(owner)))
    except psycopg.errors.InsufficientPrivilege as error:
        raise InstallError(
            f'schema awf belongs to "{owner}", and "{user}" is no member of that role',
            hint=f'install as a member of "{owner}", or as a superuser',
        ) from error


def _installed_version(connection: Connection) -> str | None:
    """Read from the text of awf.version(), which is not run."""
    row = connection.execute(
        "select p.prosrc from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace"
        " where n.nspname = 'awf' and p.proname = 'version' and p.pronargs = 0"
    ).fetchone()
    if row is None:
        return None
    stated = re.fullmatch(r"select '(\d+(?:\.\d+)*)'", row[0], re.ASCII)
    if stated is None:
        raise InstallError(
            "awf.version() does not state a version",
            detail="schema awf holds a function of this name that is not part of awf",
            hint="drop that function, or install into another database",
        )
    return stated[1]


def _version_of(script: str) -> str:
    """The version that the first line of the built script states: "-- awf 1.2.3, assembled by ..."."""
    return script.split(maxsplit=3)[2].rstrip(",")


def _as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
