"""Conditions on the attributes of a turn, in GrowthBook's language: the twin of `awf.matches()`.

A condition is read once and becomes functions; evaluating it calls them. A condition that is malformed
anywhere matches nothing, not even inside `$not`. docs/targeting.md has the language.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Test = Callable[[Any], bool]

MAX_DEPTH = 32

_CONDITION_LISTS = ("$and", "$or", "$nor")
_TYPES = ("string", "number", "boolean", "array", "object", "null")
_SCALAR = "must be text, a number, true, false or null"

_NUMBER = re.compile(r"-?[0-9]{1,200}(?:\.[0-9]{1,200})?")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")

# What PostgreSQL and Python read alike. A set has ranges, escapes, characters, and a hyphen at the end.
_ESCAPED = r"\\[][\\^$.|?*+(){}/-]"
_SET = rf"\[\^?(?:[^][\\^-]-[^][\\^-]|\\[dwstnr]|{_ESCAPED}|[^][\\^-])+-?\]"
_TOKEN = re.compile(
    rf"(?P<open>\((?:\?:)?)|(?P<close>\))|(?P<place>[|^$])"
    rf"|(?P<repeat>(?:[*+?]|\{{(?P<low>[0-9]{{1,3}})(?:,(?P<high>[0-9]{{0,3}}))?\}})\??)"
    rf"|(?P<atom>\.|\\[dwsDWStnr]|{_ESCAPED}|[^][\\^$.|?*+(){{}}]|(?P<set>{_SET}))"
)
_RANGE = re.compile(r"([^][\\^-])-([^][\\^-])")
_MAX_PATTERN = 200
_MAX_COPIES = 255


class Malformed(ValueError):
    """A condition cannot be read; the text is the place of the fault and the fault."""

    def __init__(self, path: str, fault: str) -> None:
        super().__init__(f"{path}: {fault}")


class Condition:
    """A condition made ready; `fault` says where and why it is malformed, or is None."""

    def __init__(self, condition: Any, groups: Mapping[str, Any] | None = None) -> None:
        self.fault: str | None = None
        try:
            if _deeper(condition, MAX_DEPTH):
                raise Malformed("$", f"is nested more than {MAX_DEPTH} levels deep")
            self._test = _Reader(groups or {}).condition(condition, "$")
        except Malformed as error:
            self.fault = str(error)
            self._test = _never

    def matches(self, attributes: Mapping[str, Any] | None) -> bool:
        return self._test({} if attributes is None else attributes)


def matches(
    condition: Any, attributes: Mapping[str, Any] | None, groups: Mapping[str, Any] | None = None
) -> bool:
    """Whether attributes meet a condition; `groups` has the members of saved groups by name."""
    return Condition(condition, groups).matches(attributes)


class _Reader:
    """Turns the parts of a condition into tests."""

    def __init__(self, groups: Mapping[str, Any]) -> None:
        self._groups = groups

    def condition(self, node: Any, path: str) -> Test:
        """A test of attributes."""
        if not isinstance(node, Mapping):
            raise Malformed(path, "must be an object")
        return _every([self._entry(key, node[key], f"{path}.{key}") for key in _ordered(node)])

    def _entry(self, key: str, node: Any, path: str) -> Test:
        if key in _CONDITION_LISTS:
            tests = _read_list(node, path, self.condition)
            return {"$and": _every(tests), "$or": _some(tests), "$nor": _negated(_some(tests))}[key]
        if key == "$not":
            return _negated(self.condition(node, path))
        if key in _OPERATORS:
            raise Malformed(path, "is an operator, where an attribute belongs")
        if key in ("$savedGroup", "$savedGroups"):
            raise Malformed(path, "is not supported")
        test = self.value(node, path)
        if "." not in key:
            return lambda attributes: test(_step(attributes, key))
        steps = key.split(".")
        return lambda attributes: test(_at(attributes, steps))

    def value(self, node: Any, path: str, equals: Callable[[Any, Any], bool] | None = None) -> Test:
        """A test of one attribute."""
        equals = equals or _same
        if not isinstance(node, Mapping) or (node and not any(key.startswith("$") for key in node)):
            return lambda value: equals(node, value)
        if not node:
            raise Malformed(path, "is empty")
        return _every([self._operator(key, node[key], f"{path}.{key}") for key in _ordered(node)])

    def _operator(self, name: str, operand: Any, path: str) -> Test:
        if not name.startswith("$"):
            raise Malformed(path, "stands beside operators and is none")
        if name not in _OPERATORS:
            raise Malformed(path, "is not an operator")
        return _OPERATORS[name](self, operand, path)

    def equal(self, operand: Any, path: str) -> Test:
        if _is_container(operand):
            raise Malformed(path, _SCALAR)
        return lambda value: _same(operand, value)

    def order(self, holds: Callable[[int], bool]) -> Callable[[Any, str], Test]:
        def read(operand: Any, path: str) -> Test:
            if _kind(operand) not in ("number", "string"):
                raise Malformed(path, "must be a number or text")
            return lambda value: (order := _compare(value, operand)) is not None and holds(order)

        return read

    def version(self, holds: Callable[[int], bool]) -> Callable[[Any, str], Test]:
        def read(operand: Any, path: str) -> Test:
            key = _version_key(_text(operand, path))
            return lambda value: isinstance(value, str) and holds(_order(_version_key(value), key))

        return read

    def contained(self, operand: Any, path: str) -> Test:
        for index, entry in enumerate(_list(operand, path)):
            if _is_container(entry):
                raise Malformed(f"{path}[{index}]", _SCALAR)
        return _membership(operand)

    def contained_folded(self, operand: Any, path: str) -> Test:
        self.contained(operand, path)
        held = _membership([_fold(entry) for entry in operand])
        return lambda value: held([_fold(one) for one in value] if _is_list(value) else _fold(value))

    def in_group(self, operand: Any, path: str) -> Test:
        members = self._groups.get(_text(operand, path))
        return _membership(members if _is_list(members) else [])

    def regex(self, operand: Any, path: str, flags: int = 0) -> Test:
        pattern = _text(operand, path)
        search = re.compile(_read_regex(pattern, path), re.ASCII | re.DOTALL | flags).search
        return lambda value: isinstance(value, str) and search(value) is not None

    def regex_folded(self, operand: Any, path: str) -> Test:
        return self.regex(operand, path, re.IGNORECASE)

    def exists(self, operand: Any, path: str) -> Test:
        if not isinstance(operand, bool):
            raise Malformed(path, "must be true or false")
        return lambda value: (value is not None) == operand

    def type(self, operand: Any, path: str) -> Test:
        if operand not in _TYPES:
            raise Malformed(path, "must be string, number, boolean, array, object or null")
        return lambda value: _kind(value) == operand

    def size(self, operand: Any, path: str) -> Test:
        test = self.value(operand, path)
        return lambda value: _is_list(value) and test(len(value))

    def all(self, operand: Any, path: str) -> Test:
        return _all_of(_read_list(operand, path, self.value))

    def all_folded(self, operand: Any, path: str) -> Test:
        return _all_of(_read_list(operand, path, lambda node, place: self.value(node, place, _same_folded)))

    def element(self, operand: Any, path: str) -> Test:
        on_value = isinstance(operand, Mapping) and all(
            key.startswith("$") and key not in _CONDITION_LISTS for key in operand
        )
        test = self.value(operand, path) if on_value else self.condition(operand, path)
        return lambda value: _is_list(value) and any(one is not None and test(one) for one in value)


def _not(read: Callable[[_Reader, Any, str], Test]) -> Callable[[_Reader, Any, str], Test]:
    return lambda reader, operand, path: _negated(read(reader, operand, path))


def _ordered_by(holds: Callable[[int], bool]) -> Callable[[_Reader, Any, str], Test]:
    return lambda reader, operand, path: reader.order(holds)(operand, path)


def _version_by(holds: Callable[[int], bool]) -> Callable[[_Reader, Any, str], Test]:
    return lambda reader, operand, path: reader.version(holds)(operand, path)


_OPERATORS: dict[str, Callable[[_Reader, Any, str], Test]] = {
    "$eq": _Reader.equal,
    "$ne": _not(_Reader.equal),
    "$lt": _ordered_by(lambda order: order < 0),
    "$lte": _ordered_by(lambda order: order <= 0),
    "$gt": _ordered_by(lambda order: order > 0),
    "$gte": _ordered_by(lambda order: order >= 0),
    "$veq": _version_by(lambda order: order == 0),
    "$vne": _not(_version_by(lambda order: order == 0)),
    "$vlt": _version_by(lambda order: order < 0),
    "$vlte": _version_by(lambda order: order <= 0),
    "$vgt": _version_by(lambda order: order > 0),
    "$vgte": _version_by(lambda order: order >= 0),
    "$in": _Reader.contained,
    "$nin": _not(_Reader.contained),
    "$ini": _Reader.contained_folded,
    "$nini": _not(_Reader.contained_folded),
    "$inGroup": _Reader.in_group,
    "$notInGroup": _not(_Reader.in_group),
    "$regex": _Reader.regex,
    "$notRegex": _not(_Reader.regex),
    "$regexi": _Reader.regex_folded,
    "$notRegexi": _not(_Reader.regex_folded),
    "$exists": _Reader.exists,
    "$type": _Reader.type,
    "$size": _Reader.size,
    "$all": _Reader.all,
    "$alli": _Reader.all_folded,
    "$elemMatch": _Reader.element,
    "$not": _not(_Reader.value),
}


def _read_regex(pattern: str, path: str) -> str:
    """The pattern in Python's syntax, with the meaning that it has in PostgreSQL."""
    if len(pattern) > _MAX_PATTERN:
        raise Malformed(path, f"has more than {_MAX_PATTERN} characters")
    made, at, depth, copies, repeatable = [], 0, 0, 1, False
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None or (token["repeat"] and not repeatable) or (token["close"] and depth == 0):
            raise Malformed(path, f'cannot be read from "{pattern[at : at + 20]}" on')
        if token["low"]:
            low = int(token["low"])
            high = int(token["high"] or low)
            copies = copies * max(high, 1) if low <= high else 0
        if token["set"] and any(low > high for low, high in _RANGE.findall(token["set"])):
            copies = 0
        if not 1 <= copies <= _MAX_COPIES:
            raise Malformed(path, f'has a range out of order, or repeats too often, at "{token[0]}"')
        depth += bool(token["open"]) - bool(token["close"])
        repeatable = bool(token["atom"] or token["close"])
        made.append(_python_token(token))
        at = token.end()
    if depth > 0:
        raise Malformed(path, "has a group that is not closed")
    return "".join(made)


def _python_token(token: re.Match[str]) -> str:
    text = token[0]
    if text == "$":
        return r"\Z"  # Python's own $ also holds before a line feed at the end.
    if token["set"]:
        return re.sub(r"([&~|])", r"\\\1", text)  # Doubled, they are reserved.
    return text


def _read_list(node: Any, path: str, read: Callable[[Any, str], Test]) -> list[Test]:
    return [read(entry, f"{path}[{index}]") for index, entry in enumerate(_list(node, path))]


def _list(node: Any, path: str) -> list[Any]:
    if not isinstance(node, list):
        raise Malformed(path, "must be a list")
    return node


def _text(node: Any, path: str) -> str:
    if not isinstance(node, str):
        raise Malformed(path, "must be text")
    return node


def _ordered(node: Mapping[str, Any]) -> Iterator[str]:
    """Keys in the order in which jsonb keeps them, so that both evaluators name the same fault."""
    return iter(sorted(node, key=lambda key: (len(raw := key.encode("utf-8", "surrogatepass")), raw)))


def _deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return any(levels == 0 or _deeper(one, levels - 1) for one in inner)


def _never(_: Any) -> bool:
    return False


def _every(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    return lambda value: all(test(value) for test in tests)


def _some(tests: list[Test]) -> Test:
    return lambda value: not tests or any(test(value) for test in tests)


def _negated(test: Test) -> Test:
    return lambda value: not test(value)


def _all_of(tests: list[Test]) -> Test:
    return lambda value: _is_list(value) and all(any(test(one) for one in value) for test in tests)


def _step(current: Any, key: str) -> Any:
    if isinstance(current, Mapping):
        return current.get(key)
    if _is_list(current):
        if key == "length":
            return len(current)
        if _INDEX.fullmatch(key) and int(key) < len(current):
            return current[int(key)]
    return None


def _at(current: Any, steps: list[str]) -> Any:
    for key in steps:
        current = _step(current, key)
    return current


def _kind(value: Any) -> str:
    """The JSON type of a value; no JSON type has the name of any other Python type."""
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "object"
    return "array" if _is_list(value) else "unknown"


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _is_container(value: Any) -> bool:
    return isinstance(value, Mapping) or _is_list(value)


def _double(number: int | float) -> float:
    """As JavaScript has no other number; whole numbers may be larger than any double."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _same(one: Any, other: Any) -> bool:
    """Deep equality of JSON values: 1 is 1.0, and true is no number."""
    kind = _kind(one)
    if kind != _kind(other):
        return False
    if kind == "number":
        return _double(one) == _double(other)
    if kind == "array":
        return len(one) == len(other) and all(map(_same, one, other))
    if kind == "object":
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)


def _same_folded(one: Any, other: Any) -> bool:
    return _same(_fold(one), _fold(other))


def _fold(value: Any) -> Any:
    """A text with its letters A to Z in lower case: other letters' lower case depends on the platform."""
    if not isinstance(value, str):
        return value
    return value.lower() if value.isascii() else re.sub("[A-Z]+", lambda found: found[0].lower(), value)


def _membership(members: Any) -> Test:
    """Whether a scalar, or one of the scalars in a list, is a member."""
    held = {(_kind(one), _comparable(one)) for one in members if not _is_container(one)}

    def test(value: Any) -> bool:
        if _is_list(value):
            return any(not _is_container(one) and test(one) for one in value)
        # What JSON does not know, a set for example, is a member of nothing.
        return isinstance(value, str | int | float | None) and (_kind(value), _comparable(value)) in held

    return test


def _comparable(value: Any) -> Any:
    return _double(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _compare(value: Any, operand: Any) -> int | None:
    """-1, 0 or 1: two texts by code point, anything else as numbers; None when a side stands for none."""
    if isinstance(value, str) and isinstance(operand, str):
        return _order(value, operand)
    one, other = _number(value), _number(operand)
    return None if one is None or other is None or one != one or other != other else _order(one, other)


def _number(value: Any) -> float | None:
    """The number that a value stands for, as in JavaScript: null is 0, "8" is 8."""
    if value is None:
        return 0.0
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value) else None
    return _double(value) if _kind(value) == "number" else None


def _order(one: Any, other: Any) -> int:
    return int(one > other) - int(one < other)


def _version_key(version: str) -> str:
    """The padded form that the GrowthBook SDKs compare: "1.2.3" becomes "    1-    2-    3-~"."""
    parts = (version or "0").removeprefix("v").partition("+")[0].replace(".", "-").split("-")
    if len(parts) == 3:
        parts.append("~")  # It sorts after every letter and digit: a release is newer than its pre-releases.
    return "-".join(part.rjust(5) if part.isascii() and part.isdigit() else part for part in parts)
