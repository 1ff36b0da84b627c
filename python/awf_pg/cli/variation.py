"""awf-pg variation: what the variations of an experiment set."""

from __future__ import annotations

from typing import Any

import click

from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.base import (
    Command,
    confirm,
    format_option,
    json_value,
    out_option,
    pair,
    revision_option,
    with_api,
    yes_option,
)


@click.group()
def variation() -> None:
    """Define the variations of an experiment.

    \b
    Example:
      awf-pg variation add token-budget-test control --param maxOutputTokens=1500
    """


def params_options(command: Command) -> Command:
    one = click.option(
        "--param", "pairs", type=pair, multiple=True, metavar="KNOB=VALUE", help="One param. Repeat it."
    )
    all_ = click.option("--params", "document", type=json_value, metavar="JSON", help="All params at once.")
    return one(all_(command))


@variation.command("list")
@click.argument("experiment")
@format_option("table", "json", "csv")
@out_option
@with_api
def list_(api: Api, experiment: str, fmt: str, out: str | None) -> None:
    """List the variations of an experiment.

    \b
    Example:
      awf-pg variation list token-budget-test
    """
    if output.write_rows(api.list_variations(experiment), output.VARIATIONS, fmt=fmt, out=out) == 0:
        click.echo("no variations", err=True)


@variation.command()
@click.argument("experiment")
@click.argument("key")
@params_options
@revision_option
@format_option("table", "json")
@with_api
def add(api: Api, experiment: str, key: str, revision: int | None, fmt: str, **given: Any) -> None:
    """Add a variation.

    \b
    Example:
      awf-pg variation add token-budget-test high-budget \\
        --param maxOutputTokens=2000 --param maxActs=8 --param toolMaxCalls=10
    """
    _announce(api.create_variation(experiment, key, _params(**given), revision), "added", fmt)


@variation.command()
@click.argument("experiment")
@click.argument("key")
@params_options
@revision_option
@format_option("table", "json")
@with_api
def update(api: Api, experiment: str, key: str, revision: int | None, fmt: str, **given: Any) -> None:
    """Replace the params of a variation.

    \b
    Example:
      awf-pg variation update token-budget-test control --params '{"maxOutputTokens": 1400}'
    """
    params = _params(**given)
    if not params and given["document"] is None:
        raise click.UsageError("Nothing to set: give --param or --params.")
    _announce(api.update_variation(experiment, key, params, revision), "updated", fmt)


@variation.command()
@click.argument("experiment")
@click.argument("key")
@revision_option
@yes_option
@with_api
def delete(api: Api, experiment: str, key: str, revision: int | None, yes: bool) -> None:
    """Delete a variation; its events stay.

    One that a running experiment, or a phase that was, has allocated is refused.

    \b
    Example:
      awf-pg variation delete token-budget-test high-budget --yes
    """
    confirm(f"Delete variation {key} of experiment {experiment}?", yes)
    api.delete_variation(experiment, key, revision)
    click.echo(f"variation {key} of experiment {experiment} deleted")


def _params(document: Any, pairs: tuple[tuple[str, Any], ...]) -> Any:
    """The document, with single params put over it. What is no object is left to the database to refuse."""
    if document is None or isinstance(document, dict):
        return (document or {}) | dict(pairs)
    return document


def _announce(made: dict[str, Any], what: str, fmt: str) -> None:
    if fmt == "json":
        output.write_document(made)
    else:
        params = output.to_json(made["params"])
        click.echo(f"variation {made['variationKey']} of experiment {made['experimentKey']} {what}: {params}")
