"""Whole numbers in the paths of routes, with a bound: what is longer names nothing, and is not found."""

from __future__ import annotations

from starlette.convertors import IntegerConvertor, register_url_convertor

NUMBER_DIGITS_MAX = 18
"""Fits into the 64 bits of a database; Starlette's own takes any, and Python converts no more than 4,300 digits."""


class BoundedNumber(IntegerConvertor):
    """A whole number that a database can hold."""

    regex = f"[0-9]{{1,{NUMBER_DIGITS_MAX}}}"


# Under the usual name, so that a route that says `int` is bounded whoever wrote it.
register_url_convertor("int", BoundedNumber())


def number_part(name: str) -> str:
    """Return the part of a path that stands for a number: `{name:int}`."""
    return f"{{{name}:int}}"
