"""awf-pg experiment phase, phases, ramp and advance: how a running experiment goes on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import click

from awf_pg.admin import Api
from awf_pg.cli import describe, output
from awf_pg.cli.base import (
    format_option,
    json_value,
    moment,
    number,
    out_option,
    pair,
    percent,
    revision_option,
    with_api,
)
from awf_pg.cli.definition import allocations_of


@click.command()
@click.argument("key")
@click.option(
    "--allocation", "allocations", type=pair, multiple=True, metavar="VARIATION=PERCENT",
    help="Share of a variation; the shares sum to 100. Repeat it.",
)  # fmt: skip
@click.option("--coverage", type=number, metavar="NUMBER", help="Share of the units that take part, 0 to 1.")
@click.option("--condition", type=json_value, metavar="JSON", help="Which turns take part.")
@click.option("--seed", metavar="TEXT", help="Seed of the hash; another one assigns all units anew.")
@click.option(
    "--previous",
    metavar="keep|reassign|exclude",
    help="What becomes of the units of earlier phases; keep where the experiment is sticky, else reassign.",
)
@revision_option
@format_option("table", "json")
@with_api
def phase(
    api: Api,
    key: str,
    allocations: tuple[tuple[str, Any], ...],
    coverage: Decimal | None,
    condition: Any,
    seed: str | None,
    previous: str | None,
    revision: int | None,
    fmt: str,
) -> None:
    """Open the next phase of an experiment: another split, seed or condition, from now on.

    \b
    Example:
      awf-pg experiment phase token-budget-test --allocation control=20 --allocation high-budget=80
      awf-pg experiment phase token-budget-test --seed second-draw --previous reassign
    """
    given = {
        "allocations": allocations_of(allocations),
        "coverage": coverage,
        "condition": condition,
        "hashSeed": seed,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes and previous is None:
        raise click.UsageError("Nothing would change: give --allocation, --condition, --seed or --previous.")
    document = api.open_phase(key, changes, previous, revision)
    if fmt == "json":
        output.write_document(document)
    else:
        click.echo(f"experiment {key} is in phase {document['phase']}: {describe.allocations_of(document)}")


@click.command()
@click.argument("key")
@format_option("table", "json", "csv")
@out_option
@with_api
def phases(api: Api, key: str, fmt: str, out: str | None) -> None:
    """List what assigned units when, a row a variation.

    \b
    Example:
      awf-pg experiment phases token-budget-test --format csv
    """
    if output.write_rows(api.list_phases(key), output.PHASES, fmt=fmt, out=out) == 0:
        click.echo(f"experiment {key} has not started", err=True)


def _step(text: str) -> dict[str, Any]:
    """PERCENT or PERCENT@TIME."""
    share, at, time = text.partition("@")
    return {"coverage": percent(share), "at": moment(time).isoformat() if at else None}


@click.command()
@click.argument("key")
@click.option(
    "--step",
    "steps",
    type=_step,
    multiple=True,
    metavar="PERCENT[@TIME]",
    help="Coverage to rise to, at a time or, without one, on demand (advance). Repeat it.",
)
@click.option("--clear", is_flag=True, help="Remove the plan; the coverage stays as it is now.")
@revision_option
@format_option("table", "json")
@with_api
def ramp(
    api: Api, key: str, steps: tuple[dict[str, Any], ...], clear: bool, revision: int | None, fmt: str
) -> None:
    """Plan how the coverage of an experiment rises.

    The steps lie above the coverage of now, so the experiment begins with a small one ("experiment create
    --coverage 0.01").

    \b
    Example:
      awf-pg experiment ramp token-budget-test --step 1% --step 5% --step 25% --step 100%
      awf-pg experiment ramp token-budget-test --step 5%@2031-02-01T00:00Z --step 100%@2031-02-08T00:00Z
      awf-pg experiment ramp token-budget-test --clear
    """
    if bool(steps) == clear:
        raise click.UsageError("Give the steps of the plan (--step), or --clear to remove it.")
    document = api.set_ramp(key, list(steps), revision)
    if fmt == "json":
        output.write_document(document)
    elif clear:
        click.echo(f"experiment {key} has no ramp, coverage {document['coverage'] * 100:g} %")
    else:
        click.echo(f"experiment {key} has a ramp: {describe.ramp_of(document)}")


@click.command()
@click.argument("key")
@format_option("table", "json")
@with_api
def advance(api: Api, key: str, fmt: str) -> None:
    """Raise the coverage of an experiment to the next step of its ramp, now.

    \b
    Example:
      awf-pg experiment advance token-budget-test
    """
    document = api.advance_ramp(key)
    if fmt == "json":
        output.write_document(document)
    else:
        click.echo(f"experiment {key} covers {document['coverage'] * 100:g} %, next: {_next(document)}")


def _next(document: dict[str, Any]) -> str:
    """The first step above the present coverage."""
    left = (step for step in document["ramp"] if step["coverage"] > document["coverage"])
    return next(map(describe.step_of, left), "nothing")
