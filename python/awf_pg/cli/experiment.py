"""awf-pg experiment: the experiments and their lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TextIO

import click

from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.base import (
    Command,
    format_option,
    json_value,
    moment,
    not_empty,
    number,
    out_option,
    pair,
    parse_json,
    with_api,
)
from awf_pg.errors import InvalidState

Body = dict[str, Any]

# Keys of the document that are arguments of create_experiment(); all others are its settings.
_ARGUMENTS = {
    "name": "name",
    "allocations": "allocations",
    "hashBasis": "hash_basis",
    "guardrails": "guardrails",
    "startAt": "start_at",
    "stopAt": "stop_at",
}

# For people; JSON from the database comes in an order of its own.
_SHOWN_FIRST = (
    "key",
    "name",
    "status",
    "startAt",
    "stopAt",
    "hashBasis",
    "coverage",
    "allocations",
    "guardrails",
    "condition",
)


@click.group()
def experiment() -> None:
    """Define, start, stop and list experiments.

    \b
    Example:
      awf-pg experiment list --status running
    """


def definition_options(command: Command) -> Command:
    """What create and update both take."""
    options: list[Callable[[Command], Command]] = [
        click.option("--name", callback=not_empty, help="Title for people."),
        click.option(
            "--allocation", "allocations", type=pair, multiple=True, metavar="VARIATION=PERCENT",
            help="Share of a variation; the shares sum to 100. Repeat it.",
        ),
        click.option("--hash-basis", metavar="session|player", help="Unit of randomization."),
        click.option(
            "--guardrail", "guardrails", type=pair, multiple=True, metavar="KNOB=MAX",
            help='Upper bound of a knob, or {"min": number, "max": number}. Repeat it.',
        ),
        click.option(
            "--condition", type=json_value, metavar="JSON",
            help="Which turns take part, by locale, world, adventure, model and other attributes.",
        ),
        click.option("--start-at", type=moment, metavar="TIME", help="In force from this time on; ISO 8601."),
        click.option("--stop-at", type=moment, metavar="TIME", help="In force up to this time; ISO 8601."),
        click.option(
            "--coverage", type=number, metavar="NUMBER", help="Share of the units that take part, 0 to 1."
        ),
        click.option(
            "--set", "more", type=pair, multiple=True, metavar="KEY=JSON",
            help="Any other key of the document. Repeat it.",
        ),
        click.option("--file", type=click.File(encoding="utf-8"), help="JSON document; - is standard input."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


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
    """Show an experiment with its variations.

    \b
    Example:
      awf-pg experiment show token-budget-test
    """
    document = api.get_experiment(key)
    if fmt == "json":
        output.write_document(document)
        return
    variations = document.pop("variations")
    first = {name: document[name] for name in _SHOWN_FIRST}
    click.echo(output.as_pairs(first | document))
    if variations:
        columns = [output.Column("variationKey", "variation"), output.Column("params", "params")]
        click.echo("\n" + output.as_table(variations, columns))


@experiment.command()
@click.argument("key", required=False)
@definition_options
@document_format
@with_api
def create(api: Api, key: str | None, file: TextIO | None, fmt: str, **options: Any) -> None:
    """Create an experiment, as a draft.

    The definition comes from the options, from a JSON document (--file), or from both: then the options win.

    \b
    Example:
      awf-pg experiment create token-budget-test --name "Token Budget Experiment" --hash-basis session \\
        --allocation control=50 --allocation high-budget=50 \\
        --guardrail maxOutputTokens=2000 --guardrail maxActs=8 --guardrail toolMaxCalls=10
      awf-pg experiment create german-test --name "In German" \\
        --condition '{"locale": {"$in": ["de-DE", "de-AT"]}}'
      awf-pg experiment create --file experiment.json
    """
    body = _body(file, options)
    key = _key(key, body.pop("key", None))
    _require_draft(body.pop("status", None))
    arguments = {argument: body.pop(name) for name, argument in _ARGUMENTS.items() if name in body}
    if "name" not in arguments:
        raise click.UsageError("The experiment needs a name: --name.")
    _announce(api.create_experiment(key, **arguments, settings=body), "created", fmt)


@experiment.command()
@click.argument("key")
@definition_options
@document_format
@with_api
def update(api: Api, key: str, file: TextIO | None, fmt: str, **options: Any) -> None:
    """Change what an experiment says; what is not named stays.

    \b
    Example:
      awf-pg experiment update token-budget-test --name "Token budget, second try" --set stopAt=null
      awf-pg experiment update german-test --condition '{"locale": "de-DE", "player.level": {"$gte": 5}}'
    """
    changes = _body(file, options)
    if not changes:
        raise click.UsageError("Nothing to change: name at least one option.")
    _announce(api.update_experiment(key, changes), "updated", fmt)


@experiment.command()
@click.argument("key")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_api
def delete(api: Api, key: str, yes: bool) -> None:
    """Delete an experiment and its variations; its events stay.

    \b
    Example:
      awf-pg experiment delete token-budget-test --yes
    """
    api.get_experiment(key)  # Asking about an experiment that is not there would be a strange question.
    if not yes:
        click.confirm(f"Delete experiment {key} and its variations?", abort=True, err=True)
    api.delete_experiment(key)
    click.echo(f"experiment {key} deleted")


@experiment.command()
@click.argument("key")
@document_format
@with_api
def start(api: Api, key: str, fmt: str) -> None:
    """Start an experiment: from now on, or from its start time on, it assigns.

    \b
    Example:
      awf-pg experiment start token-budget-test
    """
    _announce(api.start_experiment(key), "started", fmt)


@experiment.command()
@click.argument("key")
@document_format
@with_api
def stop(api: Api, key: str, fmt: str) -> None:
    """Stop an experiment: it assigns no more; its report stays.

    \b
    Example:
      awf-pg experiment stop token-budget-test
    """
    _announce(api.stop_experiment(key), "stopped", fmt)


def _announce(document: Body, what: str, fmt: str) -> None:
    if fmt == "json":
        output.write_document(document)
    else:
        click.echo(f"experiment {document['key']} {what}, status {document['status']}")


def _key(argument: str | None, in_body: Any) -> Any:
    if argument is None and in_body is None:
        raise click.UsageError('The experiment needs a key: KEY, or "key" in the document (--file).')
    if argument is not None and in_body not in (None, argument):
        raise click.UsageError(f"Two keys: {argument} as KEY, {in_body} in --file or --set.")
    return in_body if argument is None else argument


def _require_draft(status: Any) -> None:
    if status not in (None, "draft"):
        raise InvalidState(
            f'a new experiment is a draft, not "{status}"',
            hint="leave the status out; then: awf-pg experiment start KEY",
        )


def _body(file: TextIO | None, options: dict[str, Any]) -> Body:
    """The document that file and options make together, keys as in the JSON API."""
    body = _read_document(file) if file else {}
    given = {
        "name": options["name"],
        "hashBasis": options["hash_basis"],
        "startAt": options["start_at"] and options["start_at"].isoformat(),
        "stopAt": options["stop_at"] and options["stop_at"].isoformat(),
        "coverage": options["coverage"],
        "allocations": [{"variation": name, "percent": share} for name, share in options["allocations"]]
        or None,
        "guardrails": dict(options["guardrails"]) or None,
        "condition": options["condition"],
    }
    return body | {name: value for name, value in given.items() if value is not None} | dict(options["more"])


def _read_document(file: TextIO) -> Body:
    try:
        document = parse_json(file.read().removeprefix("\ufeff"))
    except ValueError as error:
        raise click.UsageError(f"{file.name} is {error}") from error
    except click.BadParameter as error:
        raise click.UsageError(f"{file.name}: {error.message}") from error
    if not isinstance(document, dict):
        raise click.UsageError(f"{file.name} holds no JSON object.")
    return document
