"""Hold a condition against an instance: whether it holds, and why.

Nothing here can fail or take long: what cannot be compared does not fit, values beyond the limits are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from isocenter.routing.rules.comparison import depends_on_today, fitting, to_comparable
from isocenter.routing.rules.expression import And, Expression, Has, Leaf, Not, Or, Present
from isocenter.routing.rules.subject import AttributeReader, Subject
from isocenter.routing.rules.values import is_present, items_at, texts_getter, texts_of


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether an expression holds, and what of it."""

    expression: Expression
    is_true: bool
    values: tuple[str, ...] = ()
    """What a comparison looked at: values of attributes, which belong in no log."""
    has_value: bool = True
    """Whether there was anything to compare."""
    has_unfit_value: bool = False
    """Whether a value is none of its VR, so that it cannot be compared."""
    parts: tuple[Finding, ...] = ()
    """Of a compound; of `has`, one for each item."""


Test = Callable[[AttributeReader, Subject], bool]
"""Tells of a data set or item, of an instance that came so, whether a condition holds."""


def holds(expression: Expression, subject: Subject) -> bool:
    """Tell whether a condition holds; what cannot change the outcome is not looked at."""
    return compile_expression(expression)(subject.attributes, subject)


def compile_expression(expression: Expression) -> Test:
    """Return a condition ready to be held against many instances."""
    match expression:
        case And(parts):
            tests = [compile_expression(part) for part in parts]
            return lambda reader, subject: all(test(reader, subject) for test in tests)
        case Or(parts):
            tests = [compile_expression(part) for part in parts]
            return lambda reader, subject: any(test(reader, subject) for test in tests)
        case Not(part):
            inner = compile_expression(part)
            return lambda reader, subject: not inner(reader, subject)
        case Has(path, condition):
            of_item = compile_expression(condition)
            return lambda reader, subject: any(of_item(item, subject) for item in items_at(path, reader))
        case Present(operand):
            return lambda reader, subject: is_present(operand, reader, subject)
        case _:
            return _compile_leaf(expression)


def _compile_leaf(leaf: Leaf) -> Test:
    texts = texts_getter(leaf.operand)
    convert = to_comparable(leaf)
    fixed = None if depends_on_today(leaf) else fitting(leaf, date.min)

    def test(reader: AttributeReader, subject: Subject) -> bool:
        fits = fixed or fitting(leaf, subject.received_at.date())
        for text in texts(reader, subject):
            value = convert(text)
            if value is not None and fits(value):
                return True
        return False

    return test


def explain(expression: Expression, subject: Subject) -> Finding:
    """Return whether a condition and every part of it holds."""
    return _explain(expression, subject.attributes, subject)


def _explain(expression: Expression, reader: AttributeReader, subject: Subject) -> Finding:
    match expression:
        case And(parts):
            findings = tuple(_explain(part, reader, subject) for part in parts)
            return Finding(expression, all(finding.is_true for finding in findings), parts=findings)
        case Or(parts):
            findings = tuple(_explain(part, reader, subject) for part in parts)
            return Finding(expression, any(finding.is_true for finding in findings), parts=findings)
        case Not(part):
            inner = _explain(part, reader, subject)
            return Finding(expression, not inner.is_true, parts=(inner,))
        case Has(path, condition):
            findings = tuple(_explain(condition, item, subject) for item in items_at(path, reader))
            is_true = any(finding.is_true for finding in findings)
            return Finding(expression, is_true, has_value=bool(findings), parts=findings)
        case _:
            return _test(expression, reader, subject)


def _test(leaf: Leaf, reader: AttributeReader, subject: Subject) -> Finding:
    if isinstance(leaf, Present):
        is_there = is_present(leaf.operand, reader, subject)
        return Finding(leaf, is_there, has_value=is_there)
    texts = tuple(texts_of(leaf.operand, reader, subject))
    compared = list(map(to_comparable(leaf), texts))
    values = [value for value in compared if value is not None]
    is_true = any(map(fitting(leaf, subject.received_at.date()), values))
    return Finding(leaf, is_true, texts, has_value=bool(texts), has_unfit_value=None in compared)
