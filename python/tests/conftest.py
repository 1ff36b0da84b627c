"""Fixtures: a server for the session, a fresh database for a test, connections by role, the shared data."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest
from hypothesis import settings

from tests import scale, servers, skips

settings.register_profile("ci", deadline=None, print_blob=True, max_examples=10)
settings.register_profile("full", settings.get_profile("ci"), max_examples=100)
settings.load_profile("full" if scale.FULL else "ci")


def pytest_configure(config: pytest.Config) -> None:
    skips.register(config)


class Connect(Protocol):
    """connect() is the superuser; connect("writer") the login role t_writer."""

    def __call__(self, role: str | None = None, **options: Any) -> psycopg.Connection[tuple[Any, ...]]: ...


@pytest.fixture(scope="session")
def server() -> Iterator[servers.Server]:
    """One server for each worker, with a template database that has awf in it."""
    with servers.temporary_server() as running:
        servers.create_template(running)
        yield running


@pytest.fixture(scope="module")
def mortal() -> Iterator[servers.MortalServer]:
    """A server of its own for the tests that kill it."""
    with servers.mortal_server() as running:
        servers.create_template(running)
        yield running


@pytest.fixture
def game(mortal: servers.MortalServer) -> Iterator[str]:
    """The name of a fresh database on the server that may be killed."""
    name = f"t_{uuid.uuid4().hex}"
    mortal.create_database(name, servers.TEMPLATE)
    yield name
    if not (mortal.data / "postmaster.pid").exists():
        mortal.start()  # for the next test; this one has failed
    mortal.drop_database(name)


@pytest.fixture
def db(server: servers.Server) -> Iterator[str]:
    """DSN (superuser) of a fresh database with awf installed and migrated."""
    name = f"t_{uuid.uuid4().hex}"
    server.create_database(name, servers.TEMPLATE)
    yield server.dsn_of(name)
    server.drop_database(name)


@pytest.fixture
def connect(db: str) -> Iterator[Connect]:
    """Open connections to the test's database; they are closed at its end."""
    with ExitStack() as opened:

        def open_connection(role: str | None = None, **options: Any) -> psycopg.Connection[tuple[Any, ...]]:
            user = f"t_{role}" if role else "postgres"
            connection = psycopg.connect(db, user=user, **options)
            opened.callback(connection.close)
            return connection

        yield open_connection


@pytest.fixture
def small_file_system(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB, a real one."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "awf-test", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="session")
def reference_dir() -> Path:
    """Folder of the shared test vectors."""
    return _shared_folder("AWF_REFERENCE_DIR")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the shared data files."""
    return _shared_folder("AWF_DATA_DIR")


def _shared_folder(variable: str) -> Path:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set")
    folder = Path(value)
    # A wrong path is a mistake, not a reason to skip.
    assert folder.is_dir(), f"{variable}: {folder} is not a folder"
    return folder
