"""The command line of experiments in full: phases, ramps, layers, templates, checks; examples that run."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import click
import psycopg
import pytest
from click.testing import CliRunner

from awf_pg.admin import Api
from awf_pg.cli import assign, main
from awf_pg.cli.describe import describe
from awf_pg.errors import NotInstalled
from awf_pg.settings import hash_player
from awf_pg.spool import Spool
from tests.test_cli import DEFINITION, KEY, PARAMS, PLAYER_KEY, TURNS, Cli, error, lines, make_cli, ok, rows

FUTURE = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()


@pytest.fixture
def cli(db: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    return make_cli(db, monkeypatch, tmp_path)


@pytest.fixture
def draft(cli: Cli) -> Cli:
    """With the experiment defined, since 2025, and its variations added."""
    ok(cli("experiment", "create", "--file", "-", "--start-at", "2025-01-01", stdin=json.dumps(DEFINITION)))
    for key, params in PARAMS.items():
        ok(cli("variation", "add", KEY, key, "--params", json.dumps(params)))
    return cli


@pytest.fixture
def running(draft: Cli) -> Cli:
    ok(draft("experiment", "start", KEY))
    return draft


def shown(cli: Cli, key: str = KEY) -> dict[str, Any]:
    document: dict[str, Any] = rows(cli("experiment", "show", key, "--format", "json"))
    return document


def usage(cli: Cli, *arguments: str) -> str:
    """What is said about wrong usage."""
    result = cli(*arguments)
    assert result.exit_code == 2, result.output
    return result.stderr


# Every example of every help runs.

DRAFT = (
    f'experiment create {KEY} --name "Token budget" --allocation control=50 --allocation high-budget=50 '
    "--start-at 2025-01-01",
    f"variation add {KEY} control --param maxOutputTokens=1500",
    f"variation add {KEY} high-budget --param maxOutputTokens=2000",
)
RUNNING = (*DRAFT, f"experiment start {KEY}")
LAYER = ("layer create budgets --hash-basis session",)

# What there must be for a command's examples; RUNNING for those that are not here.
BEFORE: dict[str, tuple[str, ...]] = {
    "experiment create": LAYER,
    "experiment update": (*DRAFT, "experiment create german-test --name German"),
    "experiment delete": DRAFT,
    "experiment start": DRAFT,
    "experiment ramp": DRAFT,
    "experiment advance": (
        *DRAFT,
        f"experiment ramp {KEY} --step 1 --step 100",
        f"experiment start {KEY}",
    ),
    "variation": DRAFT[:1],
    "variation add": DRAFT[:1],
    "variation update": DRAFT,
    "variation delete": DRAFT,
    "layer create": (),
    "layer show": LAYER,
    "layer holdout": LAYER,
    "layer delete": LAYER,
    "template delete": (*DRAFT, f"template save our-budgets {KEY}"),
}

# They start servers, never end, or need what is not here (an archive, pg_cron); other tests run them.
ELSEWHERE = (
    "demo", "install", "server", "restore-archive", "jobs run", "jobs schedule", "jobs unschedule",
)  # fmt: skip


def commands_with_help(group: click.Group, path: str = "") -> list[str]:
    found = []
    for name, command in group.commands.items():
        if f"{path}{name}" not in ELSEWHERE:
            found.append(f"{path}{name}")
            if isinstance(command, click.Group):
                found += commands_with_help(command, f"{path}{name} ")
    return found


def examples_of(command: str) -> str:
    text = CliRunner().invoke(main, [*command.split(), "--help"], terminal_width=200).stdout
    return dedent(text.split("Example:\n")[1].split("\n\n")[0])


@pytest.mark.parametrize("command", commands_with_help(main))
def test_the_examples_of_the_help_run(command: str, cli: Cli, db: str, tmp_path: Path) -> None:
    for before in BEFORE.get(command, RUNNING):
        ok(cli(*shlex.split(before)))
    Path("experiment.json").write_text(json.dumps(DEFINITION | {"key": "from-a-file"}))
    Path("sessions.txt").write_text("session-1\nsession-2\n")
    Path("events.jsonl").write_text(lines(*TURNS))
    Spool("awf.spool").append([])
    Path("player.txt").write_text("player-1\n")
    Path("archive").mkdir()
    Path("monday").mkdir()
    Path("monday/events.jsonl").write_text(lines(*TURNS))
    Path("tuesday.jsonl.gz").write_bytes(gzip.compress(lines(*TURNS).encode()))
    if command == "experiment update":
        Path(f"{KEY}.json").write_text(json.dumps(shown(cli)))
    # awf-pg is the package that is tested, from wherever it is imported.
    script = f'awf-pg() {{ "{sys.executable}" -c "from awf_pg.cli import main; main()" "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script + examples_of(command)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        cwd=tmp_path,
        input="y\n" * 5,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{examples_of(command)}\n{done.stdout}{done.stderr}"


# Definition


def test_options_of_the_definition(cli: Cli) -> None:
    ok(cli("layer", "create", "budgets"))
    ok(
        cli("experiment", "create", KEY, "--name", "n", "--layer", "budgets", "--slots", "0:450", "--opt-in",
            "--sticky", "--allow-overlap", "--owner", "ana", "--hypothesis", "h", "--tag", "a", "--tag", "b")
    )  # fmt: skip
    said = {
        "layer": "budgets", "slots": [0, 450], "optIn": True, "sticky": True, "allowOverlap": True,
        "owner": "ana", "hypothesis": "h", "tags": ["a", "b"],
    }  # fmt: skip
    assert said.items() <= shown(cli).items()
    ok(
        cli("experiment", "update", KEY, "--no-opt-in", "--no-sticky", "--no-allow-overlap", "--tag", "c",
            "--slots", "450:900", "--conclusion", "none", "--set", "owner=null")
    )  # fmt: skip
    said |= {
        "slots": [450, 900], "optIn": False, "sticky": False, "allowOverlap": False, "tags": ["c"],
        "conclusion": "none", "owner": None,
    }  # fmt: skip
    assert said.items() <= shown(cli).items()


@pytest.mark.parametrize("slots", ["450", "a:b", "1.5:3", "-1:5", ":5", "0:450:900"])
def test_slots_that_are_none(cli: Cli, slots: str) -> None:
    said = usage(cli, "experiment", "create", KEY, "--name", "n", "--layer", "l", f"--slots={slots}")
    assert f"'{slots}' is not LOW:HIGH" in said


def test_slots_and_layers_that_the_database_refuses(cli: Cli) -> None:
    ok(cli("layer", "create", "budgets"))
    create = ("experiment", "create", KEY, "--name", "n")
    error(cli(*create, "--layer", "nowhere", "--slots", "0:10"), "WF117", "nowhere")
    error(cli(*create, "--layer", "budgets", "--slots", "900:1001"), "WF122", "1001")
    error(cli(*create, "--layer", "budgets", "--slots", "5:5"), "WF122", "5")
    error(cli("layer", "create", "budgets"), "WF118", "budgets")


def test_a_shown_document_can_be_edited_and_given_back(running: Cli) -> None:
    document = shown(running)
    # What the experiment has become since is no change: a timeline, an override, a time.
    Path("e.json").write_text(json.dumps(document | {"name": "Edited", "phases": [], "overrides": 7}))
    ok(running("experiment", "update", KEY, "--file", "e.json"))
    assert shown(running)["name"] == "Edited"
    assert shown(running)["allocations"] == document["allocations"]

    error(running("experiment", "update", KEY, "--file", "e.json"), "WF114", str(document["revision"]))
    newest = str(shown(running)["revision"])
    ok(running("experiment", "update", KEY, "--file", "e.json", "--revision", newest))


def test_documents_that_change_what_an_update_does_not(running: Cli) -> None:
    document = shown(running)
    for field, value, code in (
        ("hashBasis", "player", "WF106"),
        ("variations", [], "WF001"),
        ("status", "stopped", "WF001"),
        ("ramp", [{"coverage": 1, "at": None}], "WF001"),
    ):
        body = json.dumps(document | {field: value})
        error(running("experiment", "update", KEY, "--file", "-", stdin=body), code, field)
    other = running("experiment", "update", "other", "--file", "-", stdin=json.dumps(document))
    assert other.exit_code == 2
    assert f"Two keys: other as KEY, {KEY}" in other.stderr
    odd = running(
        "experiment", "update", KEY, "--file", "-", stdin=json.dumps(document | {"revision": "new"})
    )
    assert odd.exit_code == 2
    assert 'not "new"' in odd.stderr
    assert shown(running) == document


def test_a_revision_guards_every_change(draft: Cli) -> None:
    old = str(shown(draft)["revision"])
    ok(draft("variation", "update", KEY, "control", "--param", "maxActs=5", "--revision", old))
    for arguments in (
        ("experiment", "update", KEY, "--name", "x"),
        ("experiment", "start", KEY),
        ("experiment", "ramp", KEY, "--step", "5"),
        ("variation", "add", KEY, "third"),
        ("variation", "update", KEY, "control", "--param", "maxActs=4"),
        ("variation", "delete", KEY, "control", "--yes"),
    ):
        error(draft(*arguments, "--revision", old), "WF114", KEY, old)
    ok(draft("experiment", "start", KEY, "--revision", str(shown(draft)["revision"])))
    error(draft("experiment", "phase", KEY, "--seed", "s", "--revision", old), "WF114", KEY, old)


def test_two_experiments_with_one_knob(running: Cli) -> None:
    ok(running("experiment", "create", "second", "--template", "token-budget"))
    error(running("experiment", "start", "second"), "WF116", "second", KEY, "maxOutputTokens")
    ok(running("experiment", "update", "second", "--allow-overlap"))
    ok(running("experiment", "start", "second"))


# Showing


def test_show_for_people(draft: Cli) -> None:
    ok(draft("layer", "create", "budgets", "--holdout", "0.1"))
    ok(draft("experiment", "update", KEY, "--layer", "budgets", "--slots", "0:450", "--owner", "ana"))
    before = ok(draft("experiment", "show", KEY))
    assert "Timeline" not in before
    ok(draft("experiment", "start", KEY))
    ok(draft("experiment", "update", KEY, "--coverage", "0.5", "--stop-at", FUTURE))
    for n in range(22):
        ok(draft("experiment", "override", KEY, f"qa-{n:02}", "control", "--note", "by hand"))
    text = ok(draft("experiment", "show", KEY))
    facts = dict(line.split(maxsplit=1) for line in text.split("\n\n")[0].splitlines())
    assert facts["state"] == "running"
    assert facts["owner"] == "ana"
    assert facts["conclusion"] == "-"
    assert facts["allocations"] == "control 50 %, high-budget 50 %"
    assert facts["guardrails.maxOutputTokens"] == "2,000"
    assert facts["layer"] == "budgets, slots 0 up to 450"
    sections = {part.split("\n")[0] for part in text.split("\n\n")}
    assert {"Timeline (UTC)", "Layer budgets", "Variations", "Overrides"} <= sections
    timeline = text.split("Timeline (UTC)\n\n")[1].split("\n\n")[0]
    assert "high-budget 50 % [0.5, 1)" in timeline
    assert "high-budget 50 % [0.5, 0.75)" in timeline, "a row of the timeline for the lower coverage"
    assert "false" in timeline, "the planned end"
    assert "holdout" in text
    assert "qa-19" in text
    assert "qa-20" not in text
    assert f"2 more: awf-pg experiment overrides {KEY}" in text


def test_show_of_an_older_sql_core() -> None:
    with Api("host=nowhere") as api, pytest.raises(NotInstalled, match="older"):
        describe(api, {"key": KEY, "status": "draft"})


def test_list_shows_state_and_layer(draft: Cli) -> None:
    ok(draft("experiment", "update", KEY, "--start-at", FUTURE, "--tag", "cost"))
    said = ok(draft("experiment", "start", KEY))
    assert said == f"experiment {KEY} started, status running (scheduled)\n"
    (row,) = rows(draft("experiment", "list", "--status", "running", "--format", "json"))
    assert (row["state"], row["tags"], row["coverage"], row["layer"]) == ("scheduled", ["cost"], 1, None)
    assert "scheduled" in ok(draft("experiment", "list"))


def test_stop_with_a_conclusion(running: Cli) -> None:
    ok(running("experiment", "stop", KEY, "--conclusion", "Not worth it."))
    assert (shown(running)["state"], shown(running)["conclusion"]) == ("stopped", "Not worth it.")
    assert "Not worth it." in ok(running("experiment", "show", KEY))


# Phases and ramps


def test_phases(running: Cli) -> None:
    shares = ("--allocation", "control=20", "--allocation", "high-budget=80")
    assert ok(running("experiment", "phase", KEY, *shares)) == (
        f"experiment {KEY} is in phase 2: control 20 %, high-budget 80 %\n"
    )
    listed = rows(running("experiment", "phases", KEY, "--format", "json"))
    split = [(row["phase"], row["variation_key"], row["percent"], row["low"], row["high"]) for row in listed]
    assert split == [
        (1, "control", 50, 0, 0.5),
        (1, "high-budget", 50, 0.5, 1),
        (2, "control", 20, 0, 0.2),
        (2, "high-budget", 80, 0.2, 1),
    ]
    as_csv = list(csv.DictReader(io.StringIO(ok(running("experiment", "phases", KEY, "--format", "csv")))))
    assert [row["variation_key"] for row in as_csv] == [part[1] for part in split]
    made = rows(running("experiment", "phase", KEY, "--seed", "s", "--coverage", "0.5", "--format", "json"))
    assert (made["phase"], made["hashSeed"], made["coverage"]) == (3, "s", 0.5)
    error(running("experiment", "phase", KEY, "--allocation", "a=100"), "WF102", "a")
    error(running("experiment", "phase", KEY, "--seed", "t", "--previous", "forget"), "WF001", "forget")
    error(running("experiment", "phase", KEY, "--seed", "t", "--previous", "keep"), "WF001", "keep")


def test_an_experiment_without_phases(draft: Cli) -> None:
    result = draft("experiment", "phases", KEY)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "has not started" in result.stderr
    error(draft("experiment", "phase", KEY, "--seed", "s"), "WF106", KEY)


def test_a_ramp_on_demand(draft: Cli) -> None:
    said = ok(draft("experiment", "ramp", KEY, "--step", "0.5", "--step", "25%", "--step", "100%"))
    assert said == f"experiment {KEY} has a ramp: 0.5 %, 25 %, 100 %\n"
    assert [(step["coverage"], step["at"]) for step in shown(draft)["ramp"]] == [
        (0.005, None),
        (0.25, None),
        (1, None),
    ]
    ok(draft("experiment", "start", KEY))
    assert shown(draft)["coverage"] == 0.005
    assert ok(draft("experiment", "advance", KEY)) == f"experiment {KEY} covers 25 %, next: 100 %\n"
    assert ok(draft("experiment", "advance", KEY)) == f"experiment {KEY} covers 100 %, next: nothing\n"
    error(draft("experiment", "advance", KEY), "WF106", KEY)
    assert "no ramp, coverage 100 %" in ok(draft("experiment", "ramp", KEY, "--clear"))
    assert shown(draft)["ramp"] == []


def test_a_ramp_at_times(draft: Cli) -> None:
    steps = ("--step", f"5%@{FUTURE}T00:00Z", "--step", f"100@{FUTURE}T12:00+02:00")
    made = rows(draft("experiment", "ramp", KEY, *steps, "--format", "json"))
    assert [(step["coverage"], datetime.fromisoformat(step["at"])) for step in made["ramp"]] == [
        (0.05, datetime.fromisoformat(f"{FUTURE}T00:00Z")),
        (1, datetime.fromisoformat(f"{FUTURE}T10:00Z")),
    ]
    assert f"5 % at {FUTURE} 00:00, 100 % at {FUTURE} 10:00" in ok(draft("experiment", "show", KEY))


@pytest.mark.parametrize("step", ["", "five", "5%%", "-1", "1e2", "nan", "1000.5.5"])
def test_steps_that_are_none(draft: Cli, step: str) -> None:
    result = draft("experiment", "ramp", KEY, f"--step={step}")
    assert result.exit_code == 2, result.output
    assert repr(step) in result.stderr or "is empty" in result.stderr


def test_ramps_that_are_refused(draft: Cli) -> None:
    ramp = ("experiment", "ramp", KEY)
    error(draft(*ramp, "--step", "5@yesterday"), "WF002", "yesterday")
    error(draft(*ramp, "--step", "5@"), "WF002", '""')
    error(draft(*ramp, "--step", "25", "--step", "5"), "WF121", KEY)
    error(draft(*ramp, "--step", "101"), "WF121", "1.01")
    error(draft(*ramp, "--step", "5", "--step", f"50@{FUTURE}"), "WF121", KEY)
    assert "--clear" in usage(draft, *ramp)
    assert "--clear" in usage(draft, *ramp, "--step", "5", "--clear")


# Overrides


def test_overrides(running: Cli) -> None:
    assert "no overrides" in running("experiment", "overrides", KEY).stderr
    for variation in PARAMS:
        said = ok(running("experiment", "override", KEY, "qa-1", variation, "--note", "for Ana"))
        assert said == f"unit qa-1 gets {variation} in experiment {KEY}\n"
        assert ok(running("assign", KEY, "--session", "qa-1")) == f"{variation}\n"
    (row,) = rows(running("experiment", "overrides", KEY, "--format", "json"))
    assert (row["unit_id"], row["variation_key"], row["note"]) == ("qa-1", "high-budget", "for Ana")
    ok(running("experiment", "override", KEY, "qa-1", "--remove"))
    assert rows(running("experiment", "overrides", KEY, "--format", "json")) == []
    error(running("experiment", "override", KEY, "qa-1", "nobody"), "WF102", "nobody")
    assert "--remove" in usage(running, "experiment", "override", KEY, "qa-1")
    assert "--remove" in usage(running, "experiment", "override", KEY, "qa-1", "control", "--remove")


def test_an_override_of_a_player(cli: Cli) -> None:
    ok(cli("experiment", "create", KEY, "--template", "token-budget", "--hash-basis", "player"))
    ok(cli("experiment", "start", KEY))
    said = ok(cli("experiment", "override", KEY, "ann", "control", "--player-id"))
    hashed = hash_player(PLAYER_KEY.encode(), "ann").hex()
    assert said == f"unit {hashed} gets control in experiment {KEY}\n"
    assert ok(cli("assign", KEY, "--player-id", "ann")) == "control\n"
    error(cli("experiment", "override", KEY, "ann", "control"), "WF001")


# Layers and templates


def test_layers(cli: Cli) -> None:
    assert "no layers" in cli("layer", "list").stderr
    made = rows(cli("layer", "create", "budgets", "--hash-basis", "player", "--description", "All budgets",
                    "--holdout", "0.1", "--format", "json"))  # fmt: skip
    assert (made["hashBasis"], made["description"], made["holdout"]) == ("player", "All budgets", 0.1)
    ok(cli("experiment", "create", "a", "--template", "token-budget", "--layer", "budgets",
           "--hash-basis", "player", "--slots", "0:450"))  # fmt: skip
    ok(cli("experiment", "start", "a"))
    (row,) = rows(cli("layer", "list", "--format", "json"))
    assert (row["key"], row["holdout"], row["experiments"], row["free_slots"]) == ("budgets", 0.1, 1, 450)
    held = rows(cli("layer", "show", "budgets", "--format", "json"))
    assert [(row["low"], row["high"], row["holder"], row["experiment_key"]) for row in held] == [
        (0, 450, "experiment", "a"),
        (450, 900, "free", None),
        (900, 1000, "holdout", None),
    ]
    ok(cli("layer", "holdout", "budgets", "0.25"))
    assert "750" in ok(cli("layer", "show", "budgets"))
    error(cli("layer", "holdout", "budgets", "0.9"), "WF115", "budgets", "a")
    error(cli("layer", "holdout", "budgets", "1.5"), "WF001", "1.5")
    error(cli("layer", "delete", "budgets", "--yes"), "WF106", "budgets", "a")
    ok(cli("experiment", "stop", "a"))
    ok(cli("experiment", "delete", "a", "--yes"))
    refused = cli("layer", "delete", "budgets", stdin="n\n")
    assert "Aborted" in refused.stderr
    assert cli("layer", "delete", "budgets", stdin="y\n").exit_code == 0
    for arguments in (("show", "budgets"), ("holdout", "budgets", "0"), ("delete", "budgets", "--yes")):
        error(cli("layer", *arguments), "WF117", "budgets")


def test_slots_that_are_taken(cli: Cli) -> None:
    ok(cli("layer", "create", "budgets"))
    for key, slots in (("a", "0:600"), ("b", "500:1000")):
        ok(cli("experiment", "create", key, "--template", "token-budget", "--layer", "budgets",
               "--slots", slots))  # fmt: skip
    ok(cli("experiment", "start", "a"))
    error(cli("experiment", "start", "b"), "WF115", "budgets", "a", "600")


def test_templates(draft: Cli) -> None:
    listed = {row["key"]: row for row in rows(draft("template", "list", "--format", "json"))}
    assert set(listed) == {"token-budget", "latency-budget", "tool-call-limit", "choice-count"}
    assert all(row["built_in"] for row in listed.values())
    assert "maxOutputTokens" in ok(draft("template", "show", "token-budget"))
    assert rows(draft("template", "show", "token-budget", "--format", "json")) == listed["token-budget"]

    ok(draft("template", "save", "ours", KEY, "--description", "Our budgets"))
    assert "Our budgets" in ok(draft("template", "list"))
    error(draft("template", "save", "ours", KEY), "WF120", "ours")
    made = rows(
        draft("experiment", "create", "copy", "--template", "ours", "--owner", "ana", "--coverage", "0.5",
              "--set", 'variations={"control": {"maxActs": 3}}', "--format", "json")
    )  # fmt: skip
    assert (made["name"], made["status"], made["owner"], made["coverage"]) == ("copy", "draft", "ana", 0.5)
    assert {one["variationKey"]: one["params"] for one in made["variations"]} == {
        "control": {"maxActs": 3},
        "high-budget": PARAMS["high-budget"],
    }
    assert "Aborted" in draft("template", "delete", "ours", stdin="n\n").stderr
    ok(draft("template", "delete", "ours", "--yes"))
    error(draft("template", "delete", "token-budget", "--yes"), "WF120", "token-budget")
    error(draft("template", "delete", "ours", "--yes"), "WF119", "ours")
    error(draft("template", "show", "ours"), "WF119", "ours")
    error(draft("template", "save", "mine", "nothing"), "WF101", "nothing")
    error(draft("experiment", "create", "x", "--template", "ours"), "WF119", "ours")


# Assignment, one by one and many


def test_explain(running: Cli) -> None:
    ok(running("experiment", "update", KEY, "--coverage", "0"))
    result = running("assign", KEY, "--session", "s")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "--explain says why" in result.stderr
    steps = rows(running("assign", KEY, "--session", "s", "--explain", "--format", "json"))
    passed = {row["check"]: row["passed"] for row in steps}
    assert list(passed)[-1] == "result"
    assert passed["coverage"] is False
    assert "coverage" in ok(running("assign", KEY, "--session", "s", "--explain"))
    then = rows(
        running("assign", KEY, "--session", "s", "--at", "2025-06-01", "--explain", "--format", "json")
    )
    assert {row["check"]: row["passed"] for row in then}["coverage"] is True
    error(running("assign", "nothing", "--session", "s", "--explain"), "WF101", "nothing")


def test_assign_for_one_who_has_opted_in_or_out(draft: Cli) -> None:
    ok(draft("experiment", "update", KEY, "--opt-in"))
    ok(draft("experiment", "start", KEY))
    assert "not assigned" in draft("assign", KEY, "--session", "s").stderr
    assert ok(draft("assign", KEY, "--session", "s", "--opted-in")) in {"control\n", "high-budget\n"}
    assert "not assigned" in draft("assign", KEY, "--session", "s", "--opted-out").stderr


def test_assign_many_agrees_with_assign(running: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assign, "_BATCH", 3)
    ok(running("experiment", "update", KEY, "--coverage", "0.5"))
    units = [f"session-{n}" for n in range(8)]
    Path("units.txt").write_bytes("\ufeff".encode() + "\r\n".join(units).encode() + b"\n\n")
    one_by_one = [running("assign", KEY, "--session", unit).stdout.strip() for unit in units]
    assert set(one_by_one) == {"", "control", "high-budget"}

    said = ok(running("assign-many", KEY, "--units-file", "units.txt"))
    assert said.splitlines()[0] == "unit_id,variation_key"
    listed = list(csv.DictReader(io.StringIO(said)))
    assert [(row["unit_id"], row["variation_key"]) for row in listed] == list(
        zip(units, one_by_one, strict=True)
    )
    as_json = rows(running("assign-many", KEY, "--format", "json", stdin="\n".join(units)))
    assert [row["variation_key"] or "" for row in as_json] == one_by_one
    assert "session-7" in ok(running("assign-many", KEY, "--format", "table", stdin="\n".join(units)))
    before = running("assign-many", KEY, "--at", "2024-12-31", "--format", "json", stdin="session-1\n")
    assert rows(before) == [{"unit_id": "session-1", "variation_key": None}]


def test_assign_many_of_none_and_of_nonsense(running: Cli) -> None:
    assert ok(running("assign-many", KEY, stdin="")) == "unit_id,variation_key\n"
    error(running("assign-many", "nothing", stdin=""), "WF101", "nothing")
    Path("units.txt").write_bytes(b"good\n\xff\n")
    result = running("assign-many", KEY, "--units-file", "units.txt", "--out", "out.csv")
    assert result.exit_code == 1
    assert "line 2 of units.txt is not UTF-8" in result.stderr
    assert not Path("out.csv").exists()
    result = running("assign-many", KEY, stdin="good\nb\0d\n")
    assert "line 2 of" in result.stderr
    assert "NUL" in result.stderr


def test_simulate(draft: Cli) -> None:
    ok(draft("experiment", "update", KEY, "--coverage", "0.5"))
    split = rows(draft("experiment", "simulate", KEY, "--units", "2000", "--format", "json"))
    assert [row["variation_key"] for row in split] == ["control", "high-budget", None]
    assert sum(row["units"] for row in split) == 2000
    for row, expected in zip(split, (25, 25, 50), strict=True):
        assert row["percent"] == pytest.approx(expected, abs=5)
        assert row["percent"] == pytest.approx(row["units"] / 20)
    assert "(not in)" in ok(draft("experiment", "simulate", KEY))
    assert "0 is not in the range" in usage(draft, "experiment", "simulate", KEY, "--units", "0")
    ok(draft("experiment", "update", KEY, "--condition", '{"locale": "de-DE"}'))
    for locale, inside in (("de-DE", True), ("en-US", False)):
        split = rows(
            draft("experiment", "simulate", KEY, "--attribute", f"locale={locale}", "--format", "json")
        )
        assert (sum(row["units"] for row in split if row["variation_key"] is not None) > 0) is inside


def test_verify(running: Cli, db: str) -> None:
    given = {n: ok(running("assign", KEY, "--session", f"session-{n}")).strip() for n in range(20)}
    played = [
        {**TURNS[0], "id": None, "ts": f"2025-01-15T10:00:{n:02}Z", "sessionId": f"session-{n}",
         "variationKey": variation}
        for n, variation in given.items()
    ]  # fmt: skip
    ok(running("ingest", "-", stdin=lines(*played)))
    ok(running("rollup", "refresh"))
    agreed = running("experiment", "verify", KEY)
    assert (agreed.exit_code, agreed.stdout) == (0, "")
    assert "every exposure agrees" in agreed.stderr

    wrong = {"control": "high-budget", "high-budget": "control"}
    other = ok(running("assign", KEY, "--session", "odd-1")).strip()
    ok(running("ingest", "-", stdin=lines({**played[0], "sessionId": "odd-1", "variationKey": wrong[other]})))
    ok(running("rollup", "refresh"))
    found = running("experiment", "verify", KEY, "--grace", "5")
    assert found.exit_code == 1
    assert f"exposures that disagree with experiment {KEY}: 1\n" in found.stderr
    assert "odd-1" in found.stdout
    assert "session-1" not in found.stdout
    result = running("experiment", "verify", KEY, "--format", "json")
    assert result.exit_code == 1
    (row,) = json.loads(result.stdout)
    assert (row["unit_id"], row["stored"], row["derived"]) == ("odd-1", wrong[other], other)
    for grace in ("-1", "1e400", "1E+300", "soon"):
        assert grace in usage(running, "experiment", "verify", KEY, "--grace", grace)


def test_config(running: Cli) -> None:
    document = rows(running("config"))
    assert document["version"] == 2
    assert [one["key"] for one in document["experiments"]] == [KEY]
    ok(running("config", "--out", "config.json"))
    assert json.loads(Path("config.json").read_text()) == document


def test_reports_by_phase(running: Cli) -> None:
    ok(running("ingest", "-", stdin=lines(*TURNS)))
    ok(running("rollup", "refresh"))
    text = ok(running("report", KEY, "--by", "phase,variation"))
    assert "expected" in text
    assert "locale" not in text
    assert "expected" not in ok(running("report", KEY))
    found = rows(running("report", KEY, "--by", "phase,variation", "--format", "json"))
    assert [(row["phase"], row["variation_key"], row["expected_percent"]) for row in found] == [
        (1, "control", 50),
        (1, "high-budget", 50),
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("experiment", "phase", "--seed", "s"), ("experiment", "phases"), ("experiment", "ramp", "--clear"),
        ("experiment", "advance"), ("experiment", "overrides"), ("experiment", "simulate"),
        ("experiment", "verify"), ("experiment", "update", "--name", "n"), ("experiment", "stop"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_experiment_that_is_not_there(cli: Cli, arguments: tuple[str, ...]) -> None:
    error(cli(*arguments, "nothing"), "WF101", "nothing")


def test_who_may(running: Cli, db: str) -> None:
    ok(running("experiment", "override", KEY, "qa-1", "control"))
    ok(running("layer", "create", "budgets"))
    everyone = ("experiment list", f"experiment show {KEY}", f"experiment phases {KEY}", "layer list",
                "layer show budgets", "template list", "template show token-budget",
                f"assign {KEY} --session s")  # fmt: skip
    analysts = ("config", f"experiment overrides {KEY}", f"experiment simulate {KEY}",
                f"experiment verify {KEY}", f"assign {KEY} --session s --explain",
                f"assign-many {KEY}")  # fmt: skip
    admins = (f"experiment phase {KEY} --seed s", f"experiment advance {KEY}",
              f"experiment override {KEY} unit control", f"experiment ramp {KEY} --clear",
              f"template save mine {KEY}", "layer create mine")  # fmt: skip
    for role, may, may_not in (
        ("reader", everyone, analysts + admins),
        ("analyst", everyone + analysts, admins),
    ):
        dsn = ("--dsn", psycopg.conninfo.make_conninfo(db, user=f"t_{role}"))
        refused = {words: running(*words.split(), *dsn).stderr for words in may}
        assert {words: said for words, said in refused.items() if "Error" in said} == {}
        for words in may_not:
            error(running(*words.split(), *dsn), "WF903", "permission denied")
