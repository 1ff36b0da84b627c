"""The documents: the reference is fresh, links lead somewhere, commands exist, marked examples run.

An example to be run stands behind `<!-- run as KIND -->`, which no reader sees. Its block is sql (by psql),
sh or python; those of docs/ingest.md are run by test_services.py. A text block right behind it shows the
output: each of its lines must come, in that order. Numbers with a fraction, ids and times may differ, and
three dots stand for lines left out.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from textwrap import dedent

import click
import pytest
from click.testing import CliRunner
from psycopg.conninfo import make_conninfo

from awf_pg.cli import main
from awf_pg.errors import CODES
from awf_pg.settings import _VARIABLES
from tests import servers
from tests.test_extension import pg_tool

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
LEFT_OUT = {".venv", ".git", "build", "dist", "out", ".pytest_cache"}
DOCUMENTS = sorted(path for path in ROOT.rglob("*.md") if not LEFT_OUT & set(path.relative_to(ROOT).parts))
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]

FENCE = re.compile(
    r"(?:<!-- (?P<mark>[^\n]*?) -->\n+)?^ *```(?P<language>\w*)\n(?P<code>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Example:
    kind: str
    language: str
    code: str
    output: str | None


def examples_of(document: Path) -> Iterator[Example]:
    text = document.read_text("utf-8")
    blocks = list(FENCE.finditer(text))
    for block, following in zip_longest(blocks, blocks[1:]):
        kind = (block["mark"] or "").removeprefix("run as ")
        if kind in servers.KINDS:
            output = None
            if (
                following
                and following["language"] == "text"
                and text[block.end() : following.start()].isspace()
            ):
                output = dedent(following["code"])
            yield Example(kind, block["language"], dedent(block["code"]), output)


WITH_EXAMPLES = [
    name
    for name, path in zip(NAMES, DOCUMENTS, strict=True)
    if name != "docs/ingest.md" and any(examples_of(path))
]


def prose(text: str) -> str:
    """The text without its code, in which brackets mean something else."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))


def anchors(document: Path) -> set[str]:
    """The names of a document's headings, made as the usual hosts of Markdown make them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", document.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def normalized(output: str) -> list[str]:
    """The lines to compare: what differs from run to run is taken out."""
    output = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", output)
    output = re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d[\d:.+Z-]*", "TIME", output)
    output = re.sub(r"[\d,]+\.\d+", "NUMBER", output)
    lines = (re.sub(r"[\s-]+", " ", line).strip() for line in output.splitlines())
    return [line for line in lines if line]


def assert_shown(expected: str, output: str) -> None:
    produced = iter(normalized(output))
    for line in normalized(expected):
        assert line == "..." or line in produced, f"not in the output, or not in this order: {line}\n{output}"


def environment_of(dsn: str) -> dict[str, str]:
    """What an example finds: the database, a key, our commands, psql and node."""
    psql = shutil.which("psql") or pg_tool("psql")
    return os.environ | {
        "AWF_DATABASE_URL": dsn,
        "AWF_PLAYER_HASH_KEY": "a key for the examples of the documents",
        "PATH": os.pathsep.join(
            [str(Path(sys.executable).parent), os.environ["PATH"], str(Path(psql).parent)]
        ),
        "PGTZ": "UTC",
    }


def run(example: Example, dsn: str, folder: Path) -> str:
    command: list[str] = {
        "sql": ["psql", "-X", "-v", "ON_ERROR_STOP=1", "-f", "-", dsn],
        "sh": ["bash", "-euo", "pipefail", "-s"],
        "python": [sys.executable, "-"],
    }[example.language]
    done = subprocess.run(
        command,
        input=example.code,
        env=environment_of(dsn),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{example.code}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_run_and_show_what_is_said(name: str, db: str, tmp_path: Path) -> None:
    for example in examples_of(ROOT / name):
        output = run(example, make_conninfo(db, user=f"t_{example.kind}"), tmp_path)
        if example.output is not None:
            assert_shown(example.output, output)


def test_the_sql_reference_is_fresh(db: str) -> None:
    tool = ROOT / "tools" / "sql_reference.py"
    done = subprocess.run(
        [sys.executable, str(tool), "--check", "--dsn", db], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    document = ROOT / name
    broken = []
    for link in LINK.findall(prose(document.read_text("utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def verbs(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from verbs(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def commands_in(text: str) -> list[list[str]]:
    """What is written behind `awf-pg`, in code, up to the end of the command."""
    code = [block["code"].replace("\\\n", " ") for block in FENCE.finditer(text) if block["language"] == "sh"]
    code += re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    said = [found for part in code for found in re.findall(r"\bawf-pg ((?:'[^']*'|[^|;)<>\n#])+)", part)]
    return [shlex.split(arguments) for arguments in said]


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands are read to the end, and then do nothing."""
    for _, command in verbs(main):
        monkeypatch.setattr(command, "callback", lambda **_: None)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("nothing_runs")
def test_commands_exist_with_their_options(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ("events.jsonl", "experiment.json", "token-budget-test.json", "sessions.txt", "awf.spool"):
        (tmp_path / file).write_text("{}")
    (tmp_path / "archive").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWF_DATABASE_URL", "postgresql://localhost/game")
    for arguments in commands_in((ROOT / name).read_text("utf-8")):
        done = CliRunner().invoke(main, arguments)
        # A mention of a verb may leave its arguments out.
        assert done.exit_code == 0 or "Error: Missing " in done.output, (
            f"awf-pg {shlex.join(arguments)}: {done.output}"
        )


@pytest.mark.parametrize("verb", [verb for verb, _ in verbs(main)])
def test_the_readme_names_every_verb(verb: str) -> None:
    text = README.read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert any(f"`awf-pg {verb}" in row for row in rows), f"no table of README.md names awf-pg {verb}"


def test_the_readme_shows_the_demo(tmp_path: Path) -> None:
    shown = [
        block["code"] for block in FENCE.finditer(README.read_text("utf-8")) if block["mark"] == "the demo"
    ]
    done = CliRunner().invoke(main, ["demo", "--out", str(tmp_path)], catch_exceptions=False)
    assert len(shown) == 1
    # Numbers and all: they are the same in every run.
    produced = [line.rstrip() for line in done.output.splitlines()]
    report = [line.rstrip() for line in shown[0].splitlines() if line.strip() and not line.startswith("[")]
    assert [line for line in report if line not in produced] == []


def test_every_environment_variable_is_in_the_readme() -> None:
    text = README.read_text("utf-8")
    assert [name for name in _VARIABLES if f"| `{name}` |" not in text] == []


def test_every_reason_of_a_refusal_is_in_the_documents() -> None:
    sources = [
        *(ROOT / "sql" / "functions" / "40_ingest").glob("*.sql"),
        ROOT / "python" / "awf_pg" / "copy.py",
    ]
    found = {
        reason
        for source in sources
        for pattern in (r"'([a-z]+_[a-z_]+): ", r'_Refusal\("([a-z_]+)"')
        for reason in re.findall(pattern, source.read_text("utf-8"))
    }
    assert len(found) > 15
    text = (ROOT / "docs" / "events.md").read_text("utf-8")
    assert sorted(reason for reason in found if f"`{reason}`" not in text) == []


def test_every_error_code_is_in_the_readme_or_operations() -> None:
    text = README.read_text("utf-8") + (ROOT / "docs" / "operations.md").read_text("utf-8")
    assert [code for code in CODES if code not in text] == []
