"""Assemble the SQL core: one install script, and the files of the extension.

    python sql/build.py              build both
    python sql/build.py --release    also keep the script in sql/released/ and freeze the storage steps

It needs the standard library only. It is also the build hook of the Python package, so that every wheel and
every editable install carries the script.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Generated functions come after the drops and types (00_, 05_) and before the first stage (10_install/).
GENERATED = "09_generated.sql"

PREAMBLE = """\
-- What CREATE EXTENSION sets for its scripts: SQL functions may name tables that awf.migrate() makes later.
set local check_function_bodies = off;
set local client_min_messages = warning;
set local search_path = pg_catalog, pg_temp;
"""
GUARD = '\\echo Use "CREATE EXTENSION awf" to load this file. \\quit\n'

# Comments, quoted text and dollar-quoted bodies: whatever stands in them defines nothing.
QUOTED = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|(\$(?:[a-z_]\w*)?\$).*?\1", re.DOTALL | re.IGNORECASE)
DEFINES = re.compile(
    r"\bcreate\s+(or\s+replace\s+)?(?:function|procedure|aggregate)\s+([\w.]+)", re.IGNORECASE
)
STEP_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


class BuildError(Exception):
    """The sources break a rule; the message names the file."""


class Step(NamedTuple):
    number: int
    name: str
    sha256: str
    body: str


class Paths:
    """Where the sources are and where the results go, under one root."""

    def __init__(self, root: Path) -> None:
        self.version_file = root / "VERSION"
        self.sql = root / "sql"
        self.functions = self.sql / "functions"
        self.storage = self.sql / "storage"
        self.frozen = self.storage / "frozen.sha256"
        self.views = self.sql / "views"
        self.released = self.sql / "released"
        self.script = root / "python" / "awf_pg" / "_sql" / "awf.sql"
        self.extension = root / "build" / "extension"


def read_version(paths: Paths) -> str:
    version = paths.version_file.read_text("utf-8").strip()
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise BuildError(f"{paths.version_file}: {version!r} is no version (expected MAJOR.MINOR.PATCH)")
    return version


def read_frozen(path: Path) -> dict[str, str]:
    """File name -> sha256, in the format of sha256sum."""
    if not path.exists():
        return {}
    pairs = (line.split() for line in path.read_text("utf-8").splitlines() if line)
    return {name: sha256 for sha256, name in pairs}


def read_steps(paths: Paths) -> list[Step]:
    files = sorted(paths.storage.glob("*.sql"))
    if not files:
        raise BuildError(f"{paths.storage}: no storage step")
    steps = [read_step(file, number) for number, file in enumerate(files, start=1)]
    check_frozen(paths, files)
    return steps


def read_step(file: Path, expected: int) -> Step:
    match = STEP_NAME.fullmatch(file.name)
    if not match:
        raise BuildError(f"{file}: a storage step is named NNNN_name.sql")
    if int(match[1]) != expected:
        raise BuildError(f"{file}: step {expected:04} belongs here; no number may be missing or repeated")
    data = file.read_bytes()
    return Step(expected, match[2], hashlib.sha256(data).hexdigest(), data.decode("utf-8"))


def check_frozen(paths: Paths, files: Iterable[Path]) -> None:
    """A released step has run on somebody's database: it can be followed by another step, never changed."""
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    for name, sha256 in read_frozen(paths.frozen).items():
        if name not in digests:
            raise BuildError(f"{paths.storage / name}: was released and is missing")
        if digests[name] != sha256:
            raise BuildError(f"{paths.storage / name}: was released and has changed; add a new step instead")


def read_functions(paths: Paths) -> dict[str, str]:
    """Relative path -> text; the order of the paths is the order of the script."""
    files = sorted([*paths.functions.glob("*.sql"), *paths.functions.glob("*/*.sql")])
    for file in files:
        if file.parent != paths.functions:
            check_function_file(file)
    return {file.relative_to(paths.functions).as_posix(): file.read_text("utf-8") for file in files}


def check_function_file(file: Path) -> None:
    found = DEFINES.findall(QUOTED.sub(" ", file.read_text("utf-8")))
    names = {name for _, name in found}
    if names != {f"awf.{file.stem}"}:
        what = ", ".join(sorted(names)) or "no function"
        raise BuildError(f"{file}: defines {what}; the file name asks for awf.{file.stem} alone")
    if not all(replace for replace, _ in found):
        raise BuildError(f"{file}: write 'create or replace', the script runs at every update")


def quote(tag: str, text: str) -> str:
    """Dollar-quote; the tag is chosen by us, the text is not."""
    mark = f"${tag}$"
    if mark in text:
        raise BuildError(f"{tag}: its text holds {mark}, which the build needs to quote it")
    return f"{mark}{text}{mark}"


def generated_function(name: str, returns: str, body: str, comment: str) -> str:
    return (
        f"create or replace function awf.{name}()\nreturns {returns}\nlanguage sql\nimmutable\n"
        f"parallel safe\nset search_path = pg_catalog, pg_temp\nas {quote(f'awf_{name}', body)};\n"
        f"comment on function awf.{name}() is '{comment}';\n"
    )


def generate(version: str, steps: list[Step], views: dict[str, str]) -> str:
    step_rows = ",\n".join(
        f"({step.number}, '{step.name}', '{step.sha256}', {quote(f'awf_step_{step.number:04}', step.body)})"
        for step in steps
    )
    view_rows = ",\n".join(f"('{name}', {quote(f'awf_view_{name}', body)})" for name, body in views.items())
    return "\n".join(
        [
            generated_function("version", "text", f"select '{version}'", "The version of the functions."),
            generated_function(
                "_storage_steps",
                "table (step int, name text, sha256 text, body text)",
                f"\nvalues\n{step_rows}\n",
                "The storage steps that awf.migrate() runs once each, in order.",
            ),
            generated_function(
                "_view_scripts",
                "table (name text, body text)",
                f"\nvalues\n{view_rows}\n",
                "The view definitions that awf.migrate() runs at every call, in order.",
            ),
        ]
    )


def read_views(paths: Paths) -> dict[str, str]:
    views = {file.stem: file.read_text("utf-8") for file in sorted(paths.views.glob("*.sql"))}
    if not views:
        raise BuildError(f"{paths.views}: no view")
    return views


def assemble(paths: Paths, version: str) -> str:
    """The part that the install script and the extension share."""
    parts = read_functions(paths)
    parts[GENERATED] = generate(version, read_steps(paths), read_views(paths))
    sections = [f"-- {name}\n{parts[name].strip()}\n" for name in sorted(parts)]
    return "\n".join([PREAMBLE, *sections])


def earlier_releases(paths: Paths, version: str) -> dict[str, Path]:
    """Version -> its script."""
    files = {file.stem.removeprefix("awf--"): file for file in sorted(paths.released.glob("awf--*.sql"))}
    return {old: file for old, file in files.items() if old != version}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def build(root: Path) -> None:
    paths = Paths(root)
    version = read_version(paths)
    header = f"-- awf {version}, assembled by sql/build.py from sql/: edit the sources, not this file.\n"
    create = "-- Run it in one transaction.\ncreate schema if not exists awf;\n"
    script = assemble(paths, version)
    write(paths.script, f"{header}{create}\n{script}")

    # Files of another version would offer update paths that no longer end here.
    shutil.rmtree(paths.extension, ignore_errors=True)
    control = (paths.sql / "awf.control.in").read_text("utf-8")
    write(paths.extension / "awf.control", control.replace("@VERSION@", version))
    extension = f"{GUARD}{header}\n{script}"
    write(paths.extension / f"awf--{version}.sql", extension)
    for old, file in earlier_releases(paths, version).items():
        # The same bytes lead from every release to this one: they replace whatever is there.
        write(paths.extension / f"awf--{old}--{version}.sql", extension)
        shutil.copy(file, paths.extension)


def release(root: Path) -> None:
    """Keep the built extension script for good and freeze the storage steps."""
    paths = Paths(root)
    name = f"awf--{read_version(paths)}.sql"
    built = (paths.extension / name).read_text("utf-8")
    kept = paths.released / name
    if kept.exists() and kept.read_text("utf-8") != built:
        raise BuildError(f"{kept}: is released and differs from the sources; raise the number in VERSION")
    write(kept, built)
    lines = [f"{step.sha256}  {step.number:04}_{step.name}.sql\n" for step in read_steps(paths)]
    write(paths.frozen, "".join(lines))


def get_build_hook() -> type[BuildHookInterface[Any]]:
    """Called by hatchling, which loads this file as its build hook."""
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    class SqlBuildHook(BuildHookInterface[Any]):
        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            build(Path(self.root))

    return SqlBuildHook


def main() -> int:
    parser = argparse.ArgumentParser(description="Assemble the SQL core.")
    here = Path(__file__).resolve().parent.parent
    parser.add_argument("--root", type=Path, default=here, help="the project's folder")
    parser.add_argument("--release", action="store_true", help="keep the script, freeze the storage steps")
    arguments = parser.parse_args()
    try:
        build(arguments.root)
        if arguments.release:
            release(arguments.root)
    except (BuildError, OSError) as error:
        print(f"sql/build.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
