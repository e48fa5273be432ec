"""A request of the router's JSON as its handlers see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from isocenter.domain.errors import InvalidRequest
from isocenter.domain.principal import Principal

REASON_LENGTH_MAX = 500
"""Of why somebody does something."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a handler sees it."""

    principal: Principal
    path: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    word: str
    """The last part of the path."""
    body: object
    """What was sent as JSON, or text that was sent as TOML."""
    accepts_toml: bool = False

    def one(self, name: str) -> str | None:
        """Return a parameter of the query; raises InvalidRequest where it is given again."""
        values = self.query.get(name, ())
        if len(values) > 1:
            raise InvalidRequest(f"The parameter {name} is given twice.")
        return values[0] if values else None

    def number(self, name: str, default: int, *, highest: int) -> int:
        """Return a parameter that is a whole number from 1 on; raises InvalidRequest."""
        text = self.one(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdecimal() or len(text) > 18 or not 1 <= int(text) <= highest:
            raise InvalidRequest(f"The parameter {name} is a whole number from 1 to {highest}.")
        return int(text)

    @property
    def document(self) -> Mapping[str, object]:
        """Return the body as an object; raises InvalidRequest where it is none."""
        if not isinstance(self.body, Mapping):
            raise InvalidRequest("The body must be a JSON object.")
        return self.body

    def text(self, name: str) -> str:
        """Return a text of the body, empty where it is not there; raises InvalidRequest."""
        value = self.document.get(name, "")
        if not isinstance(value, str):
            raise InvalidRequest(f"{name} must be a text.")
        return value

    @property
    def reason(self) -> str:
        """Return why something is done, as far as people read it."""
        return self.text("reason")[:REASON_LENGTH_MAX]


@dataclass(frozen=True, slots=True)
class Text:
    """An answer that is no JSON."""

    text: str
    headers: Mapping[str, str] = field(default_factory=dict)
