"""A finding in words, a line for each part: what holds, what does not, and where there was nothing to compare.

By default the text holds what the rule says and never what the instance says, so that it may stand in a log.
"""

from __future__ import annotations

from collections.abc import Iterator

from isocenter.routing.rules.evaluate import Finding
from isocenter.routing.rules.expression import And, Count, Expression, Fact, Has, Not, Or, Present
from isocenter.routing.rules.format import format_expression, format_operand

ITEMS_SHOWN_MAX = 16
"""Items of a sequence that are told of one by one."""
VALUES_SHOWN_MAX = 8
VALUE_LENGTH_MAX = 64

HOLDS, FAILS = "yes", "no"


def describe_finding(finding: Finding, *, with_values: bool = False) -> list[str]:
    """Return the lines that explain a finding, parts indented below what they are part of."""
    return list(_lines(finding, "", with_values))


def _lines(finding: Finding, indent: str, with_values: bool) -> Iterator[str]:
    expression = finding.expression
    mark = f"{indent}{HOLDS if finding.is_true else FAILS:3}  "
    if isinstance(expression, Not) and not isinstance(expression.part, And | Or | Has | Not):
        inner = finding.parts[0]
        yield mark + format_expression(expression) + _note(inner, with_values)
        return
    yield mark + _heading(expression) + _note(finding, with_values)
    for number, part in enumerate(finding.parts[:ITEMS_SHOWN_MAX], start=1):
        if isinstance(expression, Has):
            yield f"{indent}     item {number}:"
        yield from _lines(part, indent + ("       " if isinstance(expression, Has) else "     "), with_values)


def _heading(expression: Expression) -> str:
    match expression:
        case And():
            return "all of:"
        case Or():
            return "one of:"
        case Not():
            return "not:"
        case Has(path):
            return f"an item of {format_operand(path)} where:"
        case _:
            return format_expression(expression)


def _note(finding: Finding, with_values: bool) -> str:
    """Return what is to be said of the values that were compared."""
    expression = finding.expression
    if isinstance(expression, And | Or | Not | Present):
        return ""
    if isinstance(expression, Has):
        return "" if finding.has_value else "  (it has no items)"
    if not finding.has_value:
        return f"  ({format_operand(expression.operand)} is missing)"
    if with_values and not isinstance(expression.operand, Count | Fact):
        return f"  ({_shown(finding.values)})"
    if finding.has_unfit_value:
        return "  (a value is none of its VR, so that it cannot be compared)"
    return ""


def _shown(values: tuple[str, ...]) -> str:
    shown = [repr(value[:VALUE_LENGTH_MAX]) for value in values[:VALUES_SHOWN_MAX]]
    more = len(values) - len(shown)
    return "it is " + ", ".join(shown) + (f" and {more} more" if more else "")
