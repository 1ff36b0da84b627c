"""awf-pg experiment: the experiments and their lives."""

from __future__ import annotations

from typing import Any, TextIO

import click

from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.base import (
    Command,
    confirm,
    format_option,
    not_empty,
    out_option,
    revision_option,
    with_api,
    yes_option,
)
from awf_pg.cli.definition import Body, body_of, definition_options
from awf_pg.cli.describe import describe
from awf_pg.errors import InvalidState

# Keys of the document that are arguments of create_experiment(); all others are its settings.
_ARGUMENTS = {
    "name": "name",
    "allocations": "allocations",
    "hashBasis": "hash_basis",
    "guardrails": "guardrails",
    "startAt": "start_at",
    "stopAt": "stop_at",
}

# Fields of a shown document that say how the experiment does, not what it is.
_READ_ONLY = ("id", "state", "phase", "phases", "overrides", "createdAt", "updatedAt")


@click.group()
def experiment() -> None:
    """Define, start, stop and list experiments.

    \b
    Example:
      awf-pg experiment list --status running
    """


def document_format(command: Command) -> Command:
    return format_option("table", "json")(command)


@experiment.command("list")
@click.option("--status", metavar="draft|running|stopped", help="Only experiments in this state.")
@format_option("table", "json", "csv")
@out_option
@with_api
def list_(api: Api, status: str | None, fmt: str, out: str | None) -> None:
    """List the experiments.

    \b
    Example:
      awf-pg experiment list --status running --format json
    """
    if output.write_rows(api.list_experiments(status), output.EXPERIMENTS, fmt=fmt, out=out) == 0:
        click.echo("no experiments", err=True)


@experiment.command()
@click.argument("key")
@document_format
@with_api
def show(api: Api, key: str, fmt: str) -> None:
    """Show an experiment: state, timeline, layer, variations and overrides.

    \b
    Example:
      awf-pg experiment show token-budget-test
      awf-pg experiment show token-budget-test --format json > token-budget-test.json
    """
    document = api.get_experiment(key)
    if fmt == "json":
        output.write_document(document)
    else:
        click.echo(describe(api, document))


@experiment.command()
@click.argument("key", required=False)
@click.option("--template", metavar="KEY", callback=not_empty, help="Begin with this template.")
@definition_options
@document_format
@with_api
def create(
    api: Api, key: str | None, template: str | None, file: TextIO | None, fmt: str, **options: Any
) -> None:
    """Create an experiment, as a draft.

    The definition comes from the options, from a JSON document (--file), or from both: then the options win.
    A template brings variations too, and whatever is not said here.

    \b
    Example:
      awf-pg experiment create token-budget-test --name "Token Budget Experiment" --hash-basis session \\
        --allocation control=50 --allocation high-budget=50 \\
        --guardrail maxOutputTokens=2000 --guardrail maxActs=8 --guardrail toolMaxCalls=10
      awf-pg experiment create german-test --name "In German" \\
        --condition '{"locale": {"$in": ["de-DE", "de-AT"]}}'
      awf-pg experiment create few-calls --name "Few calls" --layer budgets --slots 0:450 --owner ana
      awf-pg experiment create cheaper --template token-budget --name "Cheaper turns" --tag cost
      awf-pg experiment create --file experiment.json
    """
    body = body_of(file, options)
    key = _key(key, body.pop("key", None))
    _require_draft(body.pop("status", None))
    name = body.pop("name", None)
    if template is not None:
        _announce(api.create_from_template(template, key, name, body), "created", fmt)
        return
    if name is None:
        raise click.UsageError("The experiment needs a name: --name.")
    arguments = {argument: body.pop(field) for field, argument in _ARGUMENTS.items() if field in body}
    _announce(api.create_experiment(key, name, **arguments, settings=body), "created", fmt)


@experiment.command()
@click.argument("key")
@definition_options
@click.option("--conclusion", metavar="TEXT", help="What came of it.")
@revision_option
@document_format
@with_api
def update(api: Api, key: str, file: TextIO | None, revision: int | None, fmt: str, **options: Any) -> None:
    """Change what an experiment says; what is not named stays.

    A document that `experiment show` printed (--file) is refused when the experiment has changed since. Of
    what it says, only what differs is a change.

    \b
    Example:
      awf-pg experiment update token-budget-test --file token-budget-test.json
      awf-pg experiment update token-budget-test --name "Token budget, second try" --set stopAt=null
      awf-pg experiment update german-test --condition '{"locale": "de-DE", "player.level": {"$gte": 5}}'
    """
    changes = body_of(file, options)
    _key(key, changes.pop("key", None))
    said = changes.pop("revision", None)
    if not changes:
        raise click.UsageError("Nothing to change: name at least one option.")
    changes = {name: value for name, value in changes.items() if name not in _READ_ONLY}
    _announce(api.update_experiment(key, changes, revision or _revision(said)), "updated", fmt)


@experiment.command()
@click.argument("key")
@yes_option
@with_api
def delete(api: Api, key: str, yes: bool) -> None:
    """Delete an experiment and its variations; its events stay.

    \b
    Example:
      awf-pg experiment delete token-budget-test --yes
    """
    api.get_experiment(key)  # Asking about an experiment that is not there would be a strange question.
    confirm(f"Delete experiment {key} and its variations?", yes)
    api.delete_experiment(key)
    click.echo(f"experiment {key} deleted")


@experiment.command()
@click.argument("key")
@revision_option
@document_format
@with_api
def start(api: Api, key: str, revision: int | None, fmt: str) -> None:
    """Start an experiment: from now on, or from its start time on, it assigns.

    \b
    Example:
      awf-pg experiment start token-budget-test
    """
    _announce(api.start_experiment(key, revision), "started", fmt)


@experiment.command()
@click.argument("key")
@click.option("--conclusion", metavar="TEXT", help="What came of it.")
@document_format
@with_api
def stop(api: Api, key: str, conclusion: str | None, fmt: str) -> None:
    """Stop an experiment: it assigns no more; its report stays.

    \b
    Example:
      awf-pg experiment stop token-budget-test --conclusion "The larger budget is not worth its tokens."
    """
    _announce(api.stop_experiment(key, conclusion), "stopped", fmt)


def _announce(document: Body, what: str, fmt: str) -> None:
    if fmt == "json":
        output.write_document(document)
    else:
        status = document["status"]
        state = document.get("state", status)  # An older SQL core knows no more than the status.
        more = "" if state == status else f" ({state})"
        click.echo(f"experiment {document['key']} {what}, status {status}{more}")


def _key(argument: str | None, in_body: Any) -> Any:
    if argument is None and in_body is None:
        raise click.UsageError('The experiment needs a key: KEY, or "key" in the document (--file).')
    if argument is not None and in_body not in (None, argument):
        raise click.UsageError(f"Two keys: {argument} as KEY, {in_body} in --file or --set.")
    return in_body if argument is None else argument


def _revision(said: Any) -> int | None:
    if said is None or (isinstance(said, int) and not isinstance(said, bool)):
        return said
    raise click.UsageError(f"The revision must be a whole number, not {output.to_json(said)}.")


def _require_draft(status: Any) -> None:
    if status not in (None, "draft"):
        raise InvalidState(
            f'a new experiment is a draft, not "{status}"',
            hint="leave the status out; then: awf-pg experiment start KEY",
        )
