"""Tables of TOML as lists of keys: one list to read by, to write by and to document by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from isocenter.domain.nearest import did_you_mean
from isocenter.routing.configuration.kinds import SECRET, Kind, Unfit
from isocenter.routing.configuration.lines import KeyPath
from isocenter.routing.configuration.problem import Report

HIDDEN = "********"
"""In the place of what may be a secret that somebody put where its name belongs."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a table: the field that it fills, what is expected, what it means."""

    name: str
    kind: Kind
    help: str
    field: str = ""
    """Where it is named otherwise."""

    @property
    def field_name(self) -> str:
        """Return the field of the value that it fills."""
        return self.field or self.name


@dataclass(frozen=True, slots=True)
class Section:
    """A table: what it becomes, and its keys. A key without a default in the value must stand there."""

    make: type[Any]
    """A dataclass."""
    keys: tuple[Key, ...]
    kind: str = ""
    """What its key `kind` says, where there are several of the sort."""
    help: str = ""

    def is_required(self, key: Key) -> bool:
        """Tell whether a key must be there."""
        return key.field_name in _required_fields(self.make)


def _required_fields(make: type[Any]) -> frozenset[str]:
    found = (one for one in fields(make) if one.default is MISSING and one.default_factory is MISSING)
    return frozenset(one.name for one in found)


def defaults_of(make: type[Any]) -> dict[str, Any]:
    """Return the defaults of the value that a section makes."""
    found: dict[str, Any] = {}
    for one in fields(make):
        if one.default is not MISSING:
            found[one.name] = one.default
        elif one.default_factory is not MISSING:
            found[one.name] = one.default_factory()
    return found


def read_table(raw: object, path: KeyPath, report: Report) -> Mapping[str, object] | None:
    """Return a table, None with a problem where something else stands there."""
    if isinstance(raw, dict):
        return raw
    report.refuse(path, "Expected is a table.")
    return None


def read_keys(
    section: Section, table: Mapping[str, object], path: KeyPath, report: Report, *, others: Iterable[str] = ()
) -> dict[str, object] | None:
    """Return the values of a table by field, None with problems where one is wrong or missing.

    `others` are keys that somebody else reads.
    """
    known = {key.name: key for key in section.keys}
    allowed = [*known, *others, *(["kind"] if section.kind else [])]
    before = len(report.problems)
    refuse_unknown(table, allowed, path, report)
    values: dict[str, object] = {}
    for key in section.keys:
        if key.name in table:
            _read_key(key, table[key.name], (*path, key.name), report, values)
        elif section.is_required(key):
            report.refuse(path, f"{key.name} is missing; expected is {key.kind.expected}.")
    return values if len(report.problems) == before else None


def _read_key(key: Key, raw: object, path: KeyPath, report: Report, values: dict[str, object]) -> None:
    try:
        values[key.field_name] = key.kind.parse(raw)
    except Unfit as error:
        report.refuse(path, str(error))
    except ValueError:
        shown = HIDDEN if key.kind is SECRET else _shown(raw)
        report.refuse(path, f"{shown} cannot stand here; expected is {key.kind.expected}.")


def refuse_unknown(table: Mapping[str, object], allowed: Iterable[str], path: KeyPath, report: Report) -> None:
    """Note every key that nobody knows, with the nearest one."""
    names = list(allowed)
    for name in table:
        if name not in names:
            hint = did_you_mean(name, names, "allowed are " + ", ".join(names) + ".")
            report.refuse((*path, name), f"There is no key {name} here; {hint}")


def read_section(section: Section, table: Mapping[str, object], path: KeyPath, report: Report) -> Any | None:
    """Return what a table says, None with problems where it says nothing sound."""
    values = read_keys(section, table, path, report)
    return None if values is None else section.make(**values)


def choose_section(
    sections: Iterable[Section], table: Mapping[str, object], path: KeyPath, report: Report
) -> Section | None:
    """Return the section that the key `kind` of a table names, None with a problem where it names none."""
    by_kind = {section.kind: section for section in sections}
    kind = table.get("kind")
    if isinstance(kind, str) and kind in by_kind:
        return by_kind[kind]
    allowed = ", ".join(f'"{name}"' for name in by_kind)
    if kind is None:
        report.refuse(path, f"kind is missing; it is one of {allowed}.")
    else:
        report.refuse((*path, "kind"), f"{_shown(kind)} is no kind that is known here; it is one of {allowed}.")
    return None


def write_section(section: Section, value: Any) -> dict[str, object]:
    """Return the table that `read_section` reads a value from, what is the default left out."""
    defaults = defaults_of(section.make)
    table: dict[str, object] = {"kind": section.kind} if section.kind else {}
    for key in section.keys:
        one = getattr(value, key.field_name)
        if key.field_name not in defaults or one != defaults[key.field_name]:
            table[key.name] = key.kind.write(one)
    return table


def _shown(raw: object) -> str:
    return (
        repr(raw) if isinstance(raw, str | int | float | bool) and len(repr(raw)) <= 80 else f"a {type(raw).__name__}"
    )
