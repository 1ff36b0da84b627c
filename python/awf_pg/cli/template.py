"""awf-pg template: definitions to begin an experiment with."""

from __future__ import annotations

from typing import Any

import click

from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.base import confirm, format_option, out_option, with_api, yes_option
from awf_pg.errors import TemplateNotFound


@click.group()
def template() -> None:
    """Keep definitions to begin experiments with.

    \b
    Example:
      awf-pg template list
    """


@template.command("list")
@format_option("table", "json", "csv")
@out_option
@with_api
def list_(api: Api, fmt: str, out: str | None) -> None:
    """List the templates.

    \b
    Example:
      awf-pg template list --format json
    """
    output.write_rows(api.list_templates(), output.TEMPLATES, fmt=fmt, out=out)


@template.command()
@click.argument("key")
@format_option("table", "json")
@with_api
def show(api: Api, key: str, fmt: str) -> None:
    """Show what a template defines.

    \b
    Example:
      awf-pg template show token-budget
    """
    found = _find(api, key)
    if fmt == "json":
        output.write_document(found)
    else:
        click.echo(output.as_pairs({name: value for name, value in found.items() if name != "definition"}))
        click.echo("\n" + output.to_json(found["definition"], indent=2))


@template.command()
@click.argument("key")
@click.argument("experiment")
@click.option("--description", metavar="TEXT", help="What an experiment made from it tries.")
@format_option("table", "json")
@with_api
def save(api: Api, key: str, experiment: str, description: str | None, fmt: str) -> None:
    """Save an experiment with its variations as a template.

    \b
    Example:
      awf-pg template save our-budgets token-budget-test --description "Our usual budgets"
    """
    document = api.save_template(key, experiment, description)
    if fmt == "json":
        output.write_document(document)
    else:
        click.echo(f"template {key} saved from experiment {experiment}")


@template.command()
@click.argument("key")
@yes_option
@with_api
def delete(api: Api, key: str, yes: bool) -> None:
    """Delete a template; experiments made from it stay.

    \b
    Example:
      awf-pg template delete our-budgets --yes
    """
    _find(api, key)
    confirm(f"Delete template {key}?", yes)
    api.delete_template(key)
    click.echo(f"template {key} deleted")


def _find(api: Api, key: str) -> dict[str, Any]:
    for row in api.list_templates():
        if row["key"] == key:
            return row
    raise TemplateNotFound(f'there is no template "{key}"', hint="awf-pg template list shows them all")
