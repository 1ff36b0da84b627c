"""Values in a form that JSON and PostgreSQL have, whatever they are: for events that were refused."""

from __future__ import annotations

import math
from typing import Any

_MAX_DEPTH = 10
_MAX_BITS = 1024  # of an integer that is shown; no float is larger
_MAX_CHARS = 200


def as_json(value: Any, depth: int = 0) -> Any:
    """The value as a document that can be stored; what has no such form is there as text. Never raises."""
    if depth > _MAX_DEPTH:
        return "..."
    if isinstance(value, dict):
        return {printable(shown(key)): as_json(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item, depth + 1) for item in value]
    if value is None or _is_finite(value):
        return value
    return printable(shown(value))


def shown(value: Any) -> str:
    """A value as text; Python does not write out an integer of thousands of digits."""
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return f"an integer of {value.bit_length()} bits"
    try:
        return str(value)
    except Exception:
        return f"a value of type {type(value).__name__}"


def printable(text: str) -> str:
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()[:_MAX_CHARS]


def _is_finite(value: Any) -> bool:
    if isinstance(value, int):
        return value.bit_length() <= _MAX_BITS
    return isinstance(value, float) and math.isfinite(value)
