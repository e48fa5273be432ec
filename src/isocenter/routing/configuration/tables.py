"""Tables of TOML that hold others: each entry by its name or number, with the path that problems are told by."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TypeVar

from isocenter.domain.nearest import did_you_mean
from isocenter.routing.configuration.kinds import NAME_EXPECTED, NAME_PATTERN
from isocenter.routing.configuration.lines import KeyPath, Lines
from isocenter.routing.configuration.problem import InvalidConfiguration, Report
from isocenter.routing.configuration.section import read_table

T = TypeVar("T")


def parse_tables(text: str, file: str, what: str, *, length_max: int) -> Mapping[str, object]:
    """Return the tables of a text; raise InvalidConfiguration where it is too long to be `what`, or is not TOML."""
    if len(text) > length_max:
        raise InvalidConfiguration(f"{file} is too large to be {what}.")
    try:
        return tomllib.loads(text.replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        report = Report(file, Lines({}))
        report.refuse((), f"This is not TOML: {error}.")
        raise InvalidConfiguration(f"{file}: this is not TOML: {error}.", problems=tuple(report.problems)) from error


def read_named(
    tables: Mapping[str, object],
    key: str,
    report: Report,
    read: Callable[[str, Mapping[str, object], KeyPath, Report], T | None],
    *,
    count_max: int,
) -> tuple[T, ...]:
    """Return the entries of a table of tables; one that is not sound is left out, with its problems."""
    table = read_table(tables.get(key, {}), (key,), report) or {}
    if len(table) > count_max:
        report.refuse((key,), f"There are more than {count_max} of them.")
        return ()
    found = []
    for name, raw in table.items():
        path = (key, name)
        if NAME_PATTERN.fullmatch(name) is None:
            report.refuse(path, f"{name!r} is not {NAME_EXPECTED}.")
        inner = read_table(raw, path, report)
        entry = None if inner is None else read(name, inner, path, report)
        if entry is not None:
            found.append(entry)
    return tuple(found)


def iter_listed(
    table: Mapping[str, object], key: str, path: KeyPath, report: Report, *, count_max: int
) -> Iterator[tuple[Mapping[str, object], KeyPath]]:
    """Yield the tables of an array with their paths."""
    raw = table.get(key, [])
    at = (*path, key)
    if not isinstance(raw, list) or len(raw) > count_max:
        header = f"[[{'.'.join(map(str, at))}]]"
        report.refuse(at, f"Expected is a list of at most {count_max} tables, each written below {header}.")
        return
    for number, one in enumerate(raw):
        inner = read_table(one, (*at, number), report)
        if inner is not None:
            yield inner, (*at, number)


def is_there(name: str, known: Collection[str], what: str, path: KeyPath, report: Report, *, table: str = "") -> bool:
    """Tell whether an entry is there that another names; note it where it is not, and was not refused itself.

    `table` is where such entries stand, if it is not the plural of `what`.
    """
    if name in known:
        return True
    table = table or f"{what}s"
    if not any(problem.key.startswith(f"{table}.{name}") for problem in report.problems):
        hint = did_you_mean(name, known, f"add it below [{table}.{name}].")
        report.refuse(path, f"There is no {what} {name}; {hint}")
    return False
