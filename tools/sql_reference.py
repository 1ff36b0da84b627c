"""Write docs/sql-reference.md from the comments in the database.

    python tools/sql_reference.py           write it
    python tools/sql_reference.py --check   fail where the file differs
    python tools/sql_reference.py --print   to standard output

The database is a temporary one with awf in it, or the one that --dsn names.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests import servers

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "sql-reference.md"
FUNCTIONS = ROOT / "sql" / "functions"

# Made by the build, so no file says where it belongs.
GENERATED = {"version": "10_install"}

INTRODUCTION = """\
# SQL reference

Generated from the comments in the database by `make docs`; edit the `COMMENT ON` statements in `sql/`, not
this file. Everything lives in schema `awf`. What begins with `_` is private and left out.

*May call* and *may read* name the kinds of role of `awf.grant_usage()`; the owner may do everything. Argument
names are API: write `awf.assign(p_experiment_key => 'token-budget-test', p_session_id => 'session-1')`.
"""

# proallargtypes and proargmodes are null where every argument is an input.
READ_FUNCTIONS = """
select
    p.proname, obj_description(p.oid, 'pg_proc'), p.provolatile, p.prosecdef, p.proretset,
    format_type(p.prorettype, null),
    array(select k.kind from awf._function_rights() as k where k.function_name = p.proname),
    array(
        select array[
            coalesce(a.mode, 'i')::text, coalesce(p.proargnames[a.place], ''), format_type(a.type, null),
            case a.mode when 't' then null else pg_get_function_arg_default(p.oid, a.place::integer) end
        ]
        from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]), p.proargmodes)
            with ordinality as a (type, mode, place)
        order by a.place
    )
from pg_proc as p
where p.pronamespace = 'awf'::regnamespace and not starts_with(p.proname, '_')
order by p.proname, p.oid::regprocedure::text
"""

READ_RELATIONS = """
select
    c.relname, c.relkind, obj_description(c.oid, 'pg_class'),
    array(
        select t.kind || substring(t.privilege from 7) from awf._table_rights() as t
        where t.relation = c.relname and t.privilege like 'select%'
    ),
    array(
        select array[
            a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
            case when a.attidentity <> '' then 'identity' else pg_get_expr(d.adbin, d.adrelid) end,
            col_description(c.oid, a.attnum)
        ]
        from pg_attribute as a
        left join pg_attrdef as d on a.attrelid = d.adrelid and a.attnum = d.adnum
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        order by a.attnum
    )
from pg_class as c
where c.relnamespace = 'awf'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
order by c.relname
"""

KINDS = ("reader", "analyst", "writer", "admin")

VOLATILITY = {"i": "immutable", "s": "stable", "v": "volatile"}


@dataclass(frozen=True)
class Argument:
    mode: str
    name: str
    type: str
    default: str | None

    def __str__(self) -> str:
        default = "" if self.default is None else f" default {without_cast(self.default)}"
        return f"{self.name} {self.type}{default}".strip()


@dataclass(frozen=True)
class Function:
    arguments: list[Argument]
    name: str
    comment: str
    volatility: str
    is_definer: bool
    returns_set: bool
    result_type: str
    kinds: list[str]

    def signature(self) -> str:
        inputs = [str(argument) for argument in self.arguments if argument.mode == "i"]
        columns = [str(argument) for argument in self.arguments if argument.mode == "t"]
        call = in_lines(f"awf.{self.name}", inputs)
        if columns:
            return f"{call}\nreturns {in_lines('table ', columns)}"
        result = f"{'setof ' if self.returns_set else ''}{self.result_type}"
        return f"{call} returns {result}"


@dataclass(frozen=True)
class Relation:
    name: str
    kind: str
    comment: str
    kinds: list[str]
    columns: list[list[str | None]]


def in_lines(head: str, items: list[str]) -> str:
    """On one line where it fits; otherwise several items a line, so that a long list stays readable."""
    if len(one := f"{head}({', '.join(items)})") <= 100:
        return one
    lines = [""]
    for item in items:
        if lines[-1] and len(f"{lines[-1]}, {item}") > 95:
            lines.append("")
        lines[-1] += f", {item}" if lines[-1] else item
    return f"{head}(\n    " + ",\n    ".join(lines) + "\n)"


def without_cast(default: str) -> str:
    """'{}'::jsonb as it was written: '{}'; NULL::text: null."""
    value = re.sub(r"::[\w ]+(\[\])?$", "", default)
    return "null" if value == "NULL" else value


def read_functions(connection: psycopg.Connection[Any]) -> list[Function]:
    return [
        Function([Argument(*argument) for argument in arguments], *facts)
        for *facts, arguments in connection.execute(READ_FUNCTIONS)
    ]


def read_relations(connection: psycopg.Connection[Any]) -> list[Relation]:
    return [Relation(*row) for row in connection.execute(READ_RELATIONS)]


def stage_of(name: str) -> str:
    if name in GENERATED:
        return GENERATED[name]
    (file,) = FUNCTIONS.glob(f"*/{name}.sql")
    return file.parent.name


def in_order(kinds: list[str]) -> list[str]:
    """Each kind once; behind it, in brackets, the columns that it is confined to."""
    return sorted(set(kinds), key=lambda kind: KINDS.index(kind.partition(" ")[0]))


def escaped(text: str) -> str:
    """Plain text as Markdown."""
    return re.sub(r"([\\*<\[\]|`]|\b_|_\b)", r"\\\1", text)


def comment_lines(comment: str) -> Iterator[str]:
    """The comment as Markdown: a list where lines explain arguments, and the example as code."""
    text, _, example = comment.partition("\nExample: ")
    text, _, errors = text.partition("\nErrors: ")
    in_list = False
    for line in text.splitlines():
        if explains := re.match(r"(p_[a-z_]+(?:, p_[a-z_]+)*): ", line):
            if not in_list:
                yield ""
            in_list = True
            names = ", ".join(f"`{name}`" for name in explains[1].split(", "))
            yield f"- {names}: {escaped(line[explains.end() :])}"
        else:
            yield f"{'  ' if in_list else ''}{escaped(line)}"
    if errors:
        yield f"\nErrors: {escaped(errors)}"
    if example:
        yield f"\n```sql\n{example}\n```"


def function_section(function: Function) -> Iterator[str]:
    yield f"\n### {function.name}\n"
    yield f"```sql\n{function.signature()}\n```\n"
    yield from comment_lines(function.comment)
    rights = "runs with the owner's rights" if function.is_definer else "runs with the caller's rights"
    callers = ", ".join(in_order(function.kinds)) or "the owner alone"
    yield f"\nMay call: {callers}. {VOLATILITY[function.volatility].capitalize()}; {rights}."


def relation_section(relation: Relation) -> Iterator[str]:
    yield f"\n### {relation.name}\n"
    yield escaped(" ".join(relation.comment.splitlines()))
    readers = ", ".join(in_order(relation.kinds)) or "nobody"
    yield f"\nMay read: {readers}.\n"
    yield "| column | type | |\n|---|---|---|"
    for name, type_, not_null, default, comment in relation.columns:
        facts = ["not null"] if not_null == "true" else []
        facts += [default if default == "identity" else f"default {default}"] if default else []
        more = f" `{'; '.join(facts)}`" if facts else ""
        yield f"| `{name}` | {escaped(type_ or '')} | {escaped(comment or '')}{more} |"


def title_of(stage: str) -> str:
    return stage.partition("_")[2].capitalize()


def render(connection: psycopg.Connection[Any]) -> str:
    """The whole reference."""
    lines = [INTRODUCTION]
    functions = read_functions(connection)
    relations = read_relations(connection)
    tables = [relation for relation in relations if relation.kind in "rp"]
    views = [relation for relation in relations if relation.kind == "v"]
    stages = sorted({stage_of(function.name) for function in functions})
    for stage in stages:
        names = [function.name for function in functions if stage_of(function.name) == stage]
        links = ", ".join(f"[{name}](#{name})" for name in names)
        lines.append(f"- [{title_of(stage)}](#{title_of(stage).lower()}): {links}")
    for title, group in (("Tables", tables), ("Views", views)):
        links = ", ".join(f"[{relation.name}](#{relation.name})" for relation in group)
        lines.append(f"- [{title}](#{title.lower()}): {links}")
    for stage in stages:
        lines.append(f"\n## {title_of(stage)}")
        for function in functions:
            if stage_of(function.name) == stage:
                lines.extend(function_section(function))
    for title, group in (("Tables", tables), ("Views", views)):
        lines.append(f"\n## {title}")
        for relation in group:
            lines.extend(relation_section(relation))
    return "\n".join(lines) + "\n"


@contextmanager
def database(dsn: str | None) -> Iterator[psycopg.Connection[Any]]:
    if dsn is not None:
        with psycopg.connect(dsn) as connection:
            yield connection
        return
    with servers.temporary_server() as server:
        servers.create_template(server)
        with psycopg.connect(server.dsn_of(servers.TEMPLATE)) as connection:
            yield connection


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Write docs/sql-reference.md from the comments in the database."
    )
    parser.add_argument("--dsn", help="a database with awf in it, in place of a temporary one")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="fail where the file differs")
    what.add_argument("--print", action="store_true", help="write to standard output")
    arguments = parser.parse_args()
    with database(arguments.dsn) as connection:
        text = render(connection)
    if arguments.print:
        sys.stdout.write(text)
    elif arguments.check:
        if not REFERENCE.exists() or REFERENCE.read_text("utf-8") != text:
            print(f"{REFERENCE.relative_to(ROOT)} is stale: run make docs", file=sys.stderr)
            return 1
    else:
        REFERENCE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
