"""Write an expression as text, in one spelling: `parse_expression` reads the same expression from it."""

from __future__ import annotations

from isocenter.routing.rules.expression import (
    And,
    Between,
    Comparison,
    Contains,
    Count,
    Expression,
    Fact,
    Has,
    Leaf,
    Like,
    Membership,
    Not,
    Operand,
    Or,
    Path,
    PathStep,
    Present,
)
from isocenter.routing.rules.literals import format_literal, format_text
from isocenter.routing.rules.types import name_of_step


def format_expression(expression: Expression) -> str:
    """Return an expression as text."""
    match expression:
        case Or(parts):
            return " or ".join(map(format_expression, parts))
        case And(parts):
            return " and ".join(_grouped(part) if isinstance(part, Or) else format_expression(part) for part in parts)
        case Not(part):
            return _format_negation(part)
        case Has(path, condition):
            return f"{_format_path(path)} has ({format_expression(condition)})"
        case _:
            return _format_leaf(expression, is_negated=False)


def _grouped(expression: Expression) -> str:
    return f"({format_expression(expression)})"


def _format_negation(part: Expression) -> str:
    if isinstance(part, Or | And):
        return "not " + _grouped(part)
    if isinstance(part, Not | Has):
        return "not " + format_expression(part)
    if isinstance(part, Comparison) and part.operator.value != "=":
        return "not " + format_expression(part)
    return _format_leaf(part, is_negated=True)


def _format_leaf(leaf: Leaf, *, is_negated: bool) -> str:
    name = format_operand(leaf.operand)
    word = "not " if is_negated else ""
    match leaf:
        case Comparison(_, operator, literal):
            return f"{name} {'!=' if is_negated else operator.value} {format_literal(literal)}"
        case Between(_, lowest, highest):
            return f"{name} {word}between {format_literal(lowest)} and {format_literal(highest)}"
        case Membership(_, literals):
            return f"{name} {word}in ({', '.join(map(format_literal, literals))})"
        case Like(_, pattern):
            return f"{name} {word}like {format_text(pattern)}"
        case Contains(_, text):
            return f"{name} {word}contains {format_text(text)}"
        case Present():
            return f"{name} is {'missing' if is_negated else 'present'}"


def format_operand(operand: Operand) -> str:
    """Return what is looked at, as an expression writes it."""
    if isinstance(operand, Fact):
        return operand.value
    if isinstance(operand, Count):
        return f"count({_format_path(operand.path)})"
    return _format_path(operand)


def _format_path(path: Path) -> str:
    return ".".join(map(_format_step, path.steps))


def _format_step(step: PathStep) -> str:
    return name_of_step(step) + ("" if step.number is None else f"[{step.number}]")
