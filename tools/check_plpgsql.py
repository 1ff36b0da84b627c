"""Check every PL/pgSQL function of schema awf with plpgsql_check, in a temporary server with awf installed.

Any error or warning fails. A function excuses itself where it must, in its body, with the reason beside it:
    -- @plpgsql_check_options: security_warnings = off
"""

from __future__ import annotations

import os
import sys

import psycopg

from tests import servers

# The relations that functions find at run time only: a day's partition with its trigger, the staging table.
PREPARE = ["select awf.open_batch(current_date, 1)", "select awf.open_stage()"]

TRIGGERS_WITHOUT_TABLE = """
select p.oid::regprocedure::text
from pg_proc as p
where p.pronamespace = 'awf'::regnamespace and p.prorettype = 'trigger'::regtype
    and not exists (select from pg_trigger as t where t.tgfoid = p.oid)
"""

CHECK = """
select p.oid::regprocedure::text, f.lineno, f.level, f.sqlstate, f.message, f.detail, f.hint
from pg_proc as p
inner join pg_language as l on p.prolang = l.oid and l.lanname = 'plpgsql'
left join (
    select tgfoid, tgrelid, max(tgoldtable) as oldtable, max(tgnewtable) as newtable
    from pg_trigger
    group by tgfoid, tgrelid
) as t on p.oid = t.tgfoid
cross join lateral plpgsql_check_function_tb(
    p.oid, coalesce(t.tgrelid, 0), fatal_errors => false, extra_warnings => true, security_warnings => true,
    oldtable => t.oldtable, newtable => t.newtable
) as f
where p.pronamespace = 'awf'::regnamespace and (p.prorettype <> 'trigger'::regtype or t.tgrelid is not null)
    and f.message not like 'unused parameter %' -- arguments are API, some of them for later use
order by 1, 2
"""


def check(connection: psycopg.Connection[tuple[str | int | None, ...]]) -> list[str]:
    connection.execute("create extension plpgsql_check")
    for statement in PREPARE:
        connection.execute(statement)
    problems = [f"{name}: no trigger uses it" for (name,) in connection.execute(TRIGGERS_WITHOUT_TABLE)]
    for name, line, level, code, *texts in connection.execute(CHECK):
        said = "; ".join(str(text) for text in texts if text)
        problems.append(f"{name}, line {line or 1} of the body: {level} {code}: {said}")
    return problems


def main() -> int:
    if servers.choose_kind() != "debian":
        print(f"plpgsql_check SKIPPED: the embedded server has no such extension. {servers.why_embedded()}")
        return 1 if os.environ.get("CI") == "true" else 0
    with servers.temporary_server("debian") as server:
        servers.create_template(server)
        with psycopg.connect(server.dsn_of(servers.TEMPLATE)) as connection:
            problems = check(connection)
    print(*(f"plpgsql_check: {problem}" for problem in problems), sep="\n", end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
