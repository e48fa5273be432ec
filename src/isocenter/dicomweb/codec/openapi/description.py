"""What is said of a method on a path: its parameters, what it takes, every answer that it gives.

The OpenAPI document, the capabilities of PS3.18 8.9 and the conformance page are all made from these values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.domain.identifiers import Level

Schema: TypeAlias = Mapping[str, object]
"""A schema object of OpenAPI 3.0."""
Contents: TypeAlias = Mapping[str, Schema]
"""Schemas by media type."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a request."""

    name: str
    text: str
    schema: Schema
    location: str = "query"
    """`query`, `path` or `header`."""
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """One header of an answer."""

    name: str
    text: str
    is_always_there: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request."""

    contents: Contents
    text: str = ""
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """One status that a request can be answered with."""

    status: int
    text: str
    contents: Contents = field(default_factory=dict)
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True, slots=True)
class Description:
    """A method on a path."""

    name: str
    """What programs call it, unique under a root: `SearchStudies`."""
    group: str
    """Under which heading people look for it."""
    summary: str
    source: str
    """Clauses that it follows."""
    answers: tuple[Answer, ...]
    """Those that are its own, failures included; what every route can answer comes on top."""
    text: str = ""
    parameters: tuple[Parameter, ...] = ()
    """In the query and in headers; those of the path follow from its pattern."""
    body: Body | None = None

    @property
    def takes(self) -> tuple[str, ...]:
        """Return the media types of a body."""
        return tuple(self.body.contents) if self.body is not None else ()

    @property
    def gives(self) -> tuple[str, ...]:
        """Return the media types of what is answered where all is well, each once."""
        return tuple(dict.fromkeys(name for one in self.answers if one.status < 300 for name in one.contents))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a method is offered."""

    method: str
    pattern: str
    """Path below the root, with names in braces."""
    dialect: Dialect

    @property
    def level(self) -> Level | None:
        """Return the level of the resource that the path names, None where it names none."""
        for level in (Level.INSTANCE, Level.SERIES, Level.STUDY):
            if f"{{{level.name.lower()}}}" in self.pattern:
                return level
        return None


Describe: TypeAlias = Callable[[Place], Description]
"""Says what a method does at a place."""
