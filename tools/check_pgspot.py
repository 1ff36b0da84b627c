"""Run pgspot over the extension script, the storage steps and the views."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pglast import ast, parse_sql

ROOT = Path(__file__).resolve().parent.parent

# Every exception is here, with its reason.
EXCEPTIONS = [
    # CREATE OR REPLACE FUNCTION in a schema that somebody else may have made: from version 15 on PostgreSQL
    # refuses to replace what is no member of the extension; the plain install refuses another owner's schema.
    "--ignore=PS002",
    # CREATE OR REPLACE AGGREGATE, _sum alone: for the same reason.
    "--ignore=PS007",
    # CREATE OR REPLACE VIEW: migrate() runs as an owner who is no superuser and cannot replace others' views.
    "--ignore=PS015",
]

# migrate() runs the steps and the views under this path.
PINNED = "set search_path = pg_catalog, pg_temp;\n"


def without_return_bodies(script: str) -> str:
    """Leave out functions with a RETURN body, which pgspot cannot read.

    They need no pinned path: their body is bound when they are created, under the script's own.
    """
    data = script.encode()
    kept = bytearray()
    done = 0
    for statement in parse_sql(script):
        function = statement.stmt
        if isinstance(function, ast.CreateFunctionStmt) and function.sql_body and not is_definer(function):
            kept += data[done : statement.stmt_location]
            done = statement.stmt_location + statement.stmt_len
    return (kept + data[done:]).decode()


def is_definer(function: ast.CreateFunctionStmt) -> bool:
    return any(option.defname == "security" and option.arg.boolval for option in function.options)


def main() -> int:
    version = (ROOT / "VERSION").read_text("utf-8").strip()
    built = (ROOT / "build" / "extension" / f"awf--{version}.sql").read_text("utf-8")
    guard, _, script = built.partition("\n")
    assert guard.startswith("\\echo")
    files = [*sorted((ROOT / "sql/storage").glob("*.sql")), *sorted((ROOT / "sql/views").glob("*.sql"))]
    parts = [without_return_bodies(script), *(PINNED + file.read_text("utf-8") for file in files)]
    command = [sys.executable, "-m", "pgspot", *EXCEPTIONS]
    return subprocess.run(command, input="\n".join(parts), text=True, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
