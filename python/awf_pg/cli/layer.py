"""awf-pg layer: experiments that never share a unit."""

from __future__ import annotations

from decimal import Decimal

import click

from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.base import confirm, format_option, number, out_option, with_api, yes_option


@click.group()
def layer() -> None:
    """Define layers: experiments of one layer never share a unit.

    \b
    Example:
      awf-pg layer list
    """


@layer.command()
@click.argument("key")
@click.option("--hash-basis", metavar="session|player", help="What falls into its slots.")
@click.option("--description", metavar="TEXT", help="What it is for.")
@click.option(
    "--holdout", type=number, metavar="NUMBER", help="Share of the units kept out of all of it, 0 to 1."
)
@format_option("table", "json")
@with_api
def create(
    api: Api,
    key: str,
    hash_basis: str | None,
    description: str | None,
    holdout: Decimal | None,
    fmt: str,
) -> None:
    """Create a layer of 1,000 slots.

    \b
    Example:
      awf-pg layer create budgets --hash-basis session --description "Budgets of a turn" --holdout 0.1
    """
    document = api.create_layer(key, hash_basis, description, holdout)
    if fmt == "json":
        output.write_document(document)
    else:
        click.echo(f"layer {key} created")


@layer.command("list")
@format_option("table", "json", "csv")
@out_option
@with_api
def list_(api: Api, fmt: str, out: str | None) -> None:
    """List the layers.

    \b
    Example:
      awf-pg layer list --format json
    """
    if output.write_rows(api.list_layers(), output.LAYERS, fmt=fmt, out=out) == 0:
        click.echo("no layers", err=True)


@layer.command()
@click.argument("key")
@format_option("table", "json", "csv")
@out_option
@with_api
def show(api: Api, key: str, fmt: str, out: str | None) -> None:
    """Show who holds which slots of a layer, now and later.

    \b
    Example:
      awf-pg layer show budgets
    """
    output.write_rows(api.layer_map(key), output.LAYER_MAP, fmt=fmt, out=out)


@layer.command()
@click.argument("key")
@click.argument("share", type=number)
@with_api
def holdout(api: Api, key: str, share: Decimal) -> None:
    """Keep a share of the units, 0 to 1, out of every experiment of a layer.

    \b
    Example:
      awf-pg layer holdout budgets 0.2
    """
    api.set_holdout(key, share)
    click.echo(f"layer {key} keeps a share of {share} of its units out")


@layer.command()
@click.argument("key")
@yes_option
@with_api
def delete(api: Api, key: str, yes: bool) -> None:
    """Delete a layer that no experiment belongs to.

    \b
    Example:
      awf-pg layer delete budgets --yes
    """
    confirm(f"Delete layer {key}?", yes)
    api.delete_layer(key)
    click.echo(f"layer {key} deleted")
