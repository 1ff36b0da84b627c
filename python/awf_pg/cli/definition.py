"""What an experiment is defined by: the options of create and update, and the documents of their --file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TextIO

import click

from awf_pg.cli.base import Command, json_value, moment, not_empty, number, pair, parse_json, slots

Body = dict[str, Any]


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
        click.option("--layer", callback=not_empty, metavar="KEY", help="Layer whose units it shares out."),
        click.option(
            "--slots", type=slots, metavar="LOW:HIGH",
            help="Its slots of the layer's 1,000, from LOW up to and without HIGH.",
        ),
        click.option("--opt-in/--no-opt-in", default=None, help="Only turns that have opted in take part."),
        click.option(
            "--sticky/--no-sticky", default=None, help="A unit keeps its variation over later phases."
        ),
        click.option(
            "--allow-overlap/--no-allow-overlap", default=None,
            help="It may run beside an experiment that sets one of its knobs.",
        ),
        click.option("--owner", metavar="NAME", help="Who answers for it."),
        click.option("--hypothesis", metavar="TEXT", help="What it is meant to show."),
        click.option("--tag", "tags", multiple=True, metavar="WORD", help="Word to find it by. Repeat it."),
        click.option(
            "--set", "more", type=pair, multiple=True, metavar="KEY=JSON",
            help="Any other key of the document. Repeat it.",
        ),
        click.option("--file", type=click.File(encoding="utf-8"), help="JSON document; - is standard input."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def body_of(file: TextIO | None, options: dict[str, Any]) -> Body:
    """The document that file and options make together, keys as in the JSON API."""
    body = _read_document(file) if file else {}
    given = {
        "name": options["name"],
        "hashBasis": options["hash_basis"],
        "startAt": options["start_at"] and options["start_at"].isoformat(),
        "stopAt": options["stop_at"] and options["stop_at"].isoformat(),
        "coverage": options["coverage"],
        "allocations": allocations_of(options["allocations"]),
        "guardrails": dict(options["guardrails"]) or None,
        "condition": options["condition"],
        "layer": options["layer"],
        "slots": options["slots"],
        "optIn": options["opt_in"],
        "sticky": options["sticky"],
        "allowOverlap": options["allow_overlap"],
        "owner": options["owner"],
        "hypothesis": options["hypothesis"],
        "tags": list(options["tags"]) or None,
        "conclusion": options.get("conclusion"),
    }
    return body | {name: value for name, value in given.items() if value is not None} | dict(options["more"])


def allocations_of(pairs: tuple[tuple[str, Any], ...]) -> list[Body] | None:
    return [{"variation": name, "percent": share} for name, share in pairs] or None


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
