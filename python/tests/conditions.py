# ruff: noqa: E501
"""Random conditions and attributes: from a small world, so that they often meet."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

words = st.sampled_from(
    ["", "a", "A", "ab", "aB", "b-1", "de-DE", "de-de", "fr-FR", "8", "-1.5", "08", "1e3", " 1", "v1.2.3",
     "1.2.3-rc.1", "1.2", "1.10.0+b", "10.2.3", "~", "é", "É", "\uffff", "\U0001f600", "\u017f", "\u212a", "k", "a\nb", "a\n"]
)  # fmt: skip
numbers = st.sampled_from(
    [
        0,
        1,
        -1,
        2,
        3,
        8,
        12,
        0.5,
        -1.5,
        1.0,
        10**23,
        1e23,
        2**53 + 1,
        9007199254740992.0,
        10**400,
        -(10**400),
        5e-324,
    ]
)
scalars = words | numbers | st.booleans() | st.none()
names = st.sampled_from(["locale", "world", "player", "level", "tags", "v", "", "$groups", "é"])
paths = names | st.sampled_from(
    ["player.level", "tags.0", "tags.length", "player.tags.1", "tags.x", "tags.-1", "."]
)

json_values: st.SearchStrategy[Any] = st.recursive(
    scalars | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            names | st.sampled_from(["$in", "$or", "$not", "$regex", "$elemMatch", "$all"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
attributes = st.dictionaries(names, scalars | st.lists(scalars, max_size=4) | json_values, max_size=6)

atoms = st.sampled_from(
    ["a", "B", "-", "\\.", ".", "\\d", "\\w", "\\s", "\\S",
     "[a-z]", "[^a-c]", "[\\w.-]", "[A-z]", "é", "1", "[é-\u017f]", "\\n", "[&&~~||]"]
)  # fmt: skip
patterns: st.SearchStrategy[str] = st.recursive(
    st.tuples(atoms, st.sampled_from(["", "", "", "*", "+", "?", "*?", "{2}", "{1,3}", "{0,2}?"])).map(
        "".join
    )
    | st.sampled_from(["^", "$", ""]),
    lambda inner: (
        st.lists(inner, max_size=4).map("".join)
        | st.tuples(inner, inner).map("|".join)
        | st.tuples(st.sampled_from(["(", "(?:"]), inner, st.sampled_from([")", ")*", ")+", ")?"])).map(
            "".join
        )
    ),
    max_leaves=6,
)


def entry(operators: list[str], operands: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(st.sampled_from(operators), operands).map(lambda pair: {pair[0]: pair[1]})


# Operators that GrowthBook's package evaluates as we do, whatever the attribute.
shared_operators = (
    entry(["$eq", "$ne"], scalars)
    | entry(["$in", "$nin", "$ini", "$nini"], st.lists(scalars, max_size=4))
    | entry(["$veq", "$vne", "$vlt", "$vlte", "$vgt", "$vgte"], words)
    | entry(["$inGroup", "$notInGroup"], st.sampled_from(["one", "two", "none"]))
    | entry(["$exists"], st.booleans())
    | entry(["$type"], st.sampled_from(["string", "number", "boolean", "array", "object", "null"]))
)
own_operators = (
    shared_operators
    | entry(["$lt", "$lte", "$gt", "$gte"], words | numbers)
    | entry(["$regex", "$notRegex", "$regexi", "$notRegexi"], patterns)
)


def conditions_of(operators: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Conditions with these operators, well-formed but for what the patterns do."""
    literals = scalars | st.lists(scalars, max_size=3)
    simple = st.dictionaries(paths, operators | literals, max_size=3)
    values = st.recursive(
        operators | literals,
        lambda inner: entry(["$not", "$size"], inner) | entry(["$all", "$alli"], st.lists(inner, max_size=3)),
        max_leaves=4,
    )
    return st.recursive(
        simple | st.dictionaries(paths, values, max_size=3),
        lambda inner: (
            entry(["$and", "$or", "$nor"], st.lists(inner, max_size=3))
            | entry(["$not"], inner)
            | st.tuples(paths, entry(["$elemMatch"], inner.filter(bool) | operators)).map(
                lambda pair: {pair[0]: pair[1]}
            )
        ),
        max_leaves=5,
    )


conditions = conditions_of(own_operators)
groups = st.fixed_dictionaries({"one": st.lists(scalars, max_size=4), "two": json_values})
