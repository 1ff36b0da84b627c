"""sql/build.py on a small tree of its own: what it writes and what it refuses."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.servers import Server

BUILD = Path(__file__).parents[2] / "sql" / "build.py"
FUNCTION = "create or replace function awf.{}() returns int language sql immutable as 'select 1';\n"
FILES = {
    "VERSION": "1.2.3\n",
    "sql/awf.control.in": "default_version = '@VERSION@'\nschema = awf\nrelocatable = false\n",
    "sql/functions/00_dropped.sql": "drop function if exists awf.gone();\n",
    "sql/functions/20_later/second.sql": FUNCTION.format("second"),
    "sql/functions/10_early/first.sql": FUNCTION.format("first"),
    "sql/functions/99_privileges.sql": "revoke all on all functions in schema awf from public;\n",
    "sql/storage/0001_ledger.sql": "create table awf.ledger (step int, note text default $x$it's$x$);\n",
    "sql/storage/0002_more.sql": "create table awf.more (id int);\n",
    "sql/views/face.sql": "create or replace view awf.face as select 1 as one;\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        put(tmp_path, name, text)
    return tmp_path


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def build(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BUILD), "--root", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def built(root: Path, *arguments: str) -> str:
    result = build(root, *arguments)
    assert result.returncode == 0, result.stderr
    return (root / "python/awf_pg/_sql/awf.sql").read_text()


def refused(root: Path, *arguments: str) -> str:
    result = build(root, *arguments)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    return result.stderr


def test_order_of_the_script(root: Path) -> None:
    script = built(root)
    marks = ["create schema", "drop function", "awf.version()", "awf.first()", "awf.second()", "revoke all"]
    places = [script.index(mark) for mark in marks]
    assert places == sorted(places)


def test_same_sources_same_bytes(root: Path) -> None:
    assert built(root) == built(root)


def test_extension_files(root: Path) -> None:
    put(root, "sql/released/awf--1.0.0.sql", "-- old\n")
    put(root, "build/extension/awf--1.0.0--1.1.0.sql", "-- left over\n")
    script = built(root)
    folder = root / "build/extension"
    names = {path.name for path in folder.iterdir()}
    assert names == {"awf--1.0.0.sql", "awf--1.0.0--1.2.3.sql", "awf--1.2.3.sql", "awf.control"}
    installs = (folder / "awf--1.2.3.sql").read_text()
    assert installs.startswith('\\echo Use "CREATE EXTENSION awf" to load this file. \\quit\n')
    assert (folder / "awf--1.0.0--1.2.3.sql").read_text() == installs
    assert "create schema" not in installs
    assert script.endswith(installs.partition("\n\n")[2])
    assert "default_version = '1.2.3'" in (folder / "awf.control").read_text()


def test_script_carries_steps_and_views(root: Path, server: Server) -> None:
    script = built(root)
    server.create_database("built")
    with psycopg.connect(server.dsn_of("built")) as connection:
        for _ in range(2):  # it replaces what it finds
            connection.execute(script)
        assert connection.execute("select awf.version()").fetchone() == ("1.2.3",)
        steps = connection.execute("select * from awf._storage_steps()").fetchall()
        assert steps == [step_row(1, "ledger"), step_row(2, "more")]
        views = connection.execute("select * from awf._view_scripts()").fetchall()
        assert views == [("face", FILES["sql/views/face.sql"])]
    server.drop_database("built")


def step_row(number: int, name: str) -> tuple[int, str, str, str]:
    body = FILES[f"sql/storage/{number:04}_{name}.sql"]
    return number, name, hashlib.sha256(body.encode()).hexdigest(), body


@pytest.mark.parametrize("name", ["0004_gap.sql", "0002_again.sql", "3_short.sql", "0003-dash.sql"])
def test_storage_numbers(root: Path, name: str) -> None:
    put(root, f"sql/storage/{name}", "select 1;\n")
    message = refused(root)
    assert "sql/storage/" in message
    assert "named NNNN_name.sql" in message or "step 000" in message


def test_frozen_step_changed(root: Path) -> None:
    built(root, "--release")
    put(root, "sql/storage/0002_more.sql", "create table awf.more (id bigint);\n")
    assert "0002_more.sql: was released and has changed" in refused(root)


def test_frozen_step_missing(root: Path) -> None:
    built(root, "--release")
    (root / "sql/storage/0002_more.sql").unlink()
    assert "0002_more.sql: was released and is missing" in refused(root)


def test_step_after_the_frozen_ones(root: Path) -> None:
    built(root, "--release")
    put(root, "sql/storage/0003_new.sql", "select 1;\n")
    assert "(3, 'new'" in built(root)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (FUNCTION.format("_other"), "defines awf._other"),
        (FUNCTION.format("good") + FUNCTION.format("extra"), "defines awf.extra, awf.good"),
        ("create or replace function good() returns int language sql as 'select 1';\n", "defines good"),
        ("-- create or replace function awf.good()\nselect 1;\n", "defines no function"),
        (FUNCTION.format("good").replace("or replace ", ""), "write 'create or replace'"),
    ],
)
def test_function_file_refused(root: Path, text: str, what: str) -> None:
    put(root, "sql/functions/10_early/good.sql", text)
    message = refused(root)
    assert "10_early/good.sql" in message
    assert what in message


def test_function_file_with_overloads_comments_and_quoted_definitions(root: Path) -> None:
    text = (
        "-- create or replace function awf.in_a_comment()\n"
        + FUNCTION.format("_good")
        + "create or replace function awf._good(p_n int) returns text language sql immutable parallel safe\n"
        + "as $$ select 'create or replace function awf.in_text()' $$;\n"
        + "comment on function awf._good() is 'Makes create function awf.nothing() happen.';\n"
    )
    put(root, "sql/functions/10_early/_good.sql", text)
    assert text.strip() in built(root)


def test_quote_mark_in_a_step(root: Path) -> None:
    put(root, "sql/storage/0003_odd.sql", "select $awf_step_0003$odd$awf_step_0003$;\n")
    assert "$awf_step_0003$" in refused(root)


@pytest.mark.parametrize("version", ["", "1.2", "v1.2.3", "1.2.3-rc1"])
def test_version_refused(root: Path, version: str) -> None:
    put(root, "VERSION", version)
    assert "is no version" in refused(root)


def test_release_keeps_the_script_and_freezes_the_steps(root: Path) -> None:
    built(root, "--release")
    kept = (root / "sql/released/awf--1.2.3.sql").read_bytes()
    assert kept == (root / "build/extension/awf--1.2.3.sql").read_bytes()
    sums = subprocess.run(["sha256sum", "--check", "frozen.sha256"], cwd=root / "sql/storage", check=False)
    assert sums.returncode == 0
    built(root, "--release")  # the same bytes again: nothing to refuse


def test_release_refuses_other_bytes(root: Path) -> None:
    built(root, "--release")
    put(root, "sql/functions/10_early/added.sql", FUNCTION.format("added"))
    assert "raise the number in VERSION" in refused(root, "--release")
    put(root, "VERSION", "1.3.0")
    built(root, "--release")
    assert (root / "build/extension/awf--1.2.3--1.3.0.sql").exists()
