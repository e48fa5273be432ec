"""Cut the text of a condition into tokens, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from isocenter.routing.rules.errors import InvalidExpression
from isocenter.routing.rules.expression import EXPRESSION_LENGTH_MAX


class TokenKind(Enum):
    """What a token is."""

    TEXT = "text"
    DATE = "date"
    TIME = "time"
    NUMBER = "number"
    """With its unit, if it has one."""
    TAG = "tag"
    NAME = "name"
    SIGN = "sign"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text from `start` up to `end`; of a text its content, without quotes and escapes."""

    kind: TokenKind
    text: str
    start: int
    end: int


_BLANK = re.compile(r"[ \t\r\n]+")
_TAG = re.compile(
    r"\( *(?P<group>[0-9A-Fa-f]{4}) *, *(?P<element>[0-9A-Fa-f]{4}|[xX]{2}[0-9A-Fa-f]{2})"
    r' *(?:, *"(?P<creator>[^"\\]{1,64})" *)?\)'
)
_PATTERNS = (
    (TokenKind.DATE, re.compile(r"\d{4}-\d{2}-\d{2}(?![\w.])", re.ASCII)),
    (TokenKind.TIME, re.compile(r"\d{1,2}:\d{2}(?::\d{2})?(?![\w.])", re.ASCII)),
    (TokenKind.NUMBER, re.compile(r"-?\d{1,18}(?:\.\d{1,9})?[A-Za-z]*(?![\w.])", re.ASCII)),
    (TokenKind.NAME, re.compile(r"[A-Za-z_]\w*", re.ASCII)),
    (TokenKind.SIGN, re.compile(r"<=|>=|!=|[=<>()\[\],.\-+]")),
)
_INSTEAD = {
    "==": "= for equality",
    "&&": "and",
    "||": "or",
    "<>": "!=",
    "=~": 'like with a pattern of * and ?, for example like "CT*"',
    "~": 'like with a pattern of * and ?, for example like "CT*"',
    "!": "not",
    "&": "and",
    "|": "or",
    "{": "( before a list",
    "“": 'straight quotes: "',
    "”": 'straight quotes: "',
    "„": 'straight quotes: "',
    "’": "straight quotes: '",
}
"""What other languages write, and what is written here; longer ones before shorter ones."""


def tokenize(text: str) -> list[Token]:
    """Return the tokens of a condition with an END behind them. Raises InvalidExpression."""
    if len(text) > EXPRESSION_LENGTH_MAX:
        raise InvalidExpression(
            f"The condition is longer than {EXPRESSION_LENGTH_MAX} characters; make several rules of it.",
            start=EXPRESSION_LENGTH_MAX,
            end=len(text),
        )
    tokens = list(_iter_tokens(text))
    return [*tokens, Token(TokenKind.END, "", len(text), len(text))]


def _iter_tokens(text: str) -> Iterator[Token]:
    at = 0
    previous: Token | None = None
    while at < len(text):
        blank = _BLANK.match(text, at)
        if blank is not None:
            at = blank.end()
            continue
        token = _token(text, at, previous)
        yield token
        previous, at = token, token.end


def _token(text: str, at: int, previous: Token | None) -> Token:
    foreign = next((sign for sign in _INSTEAD if text.startswith(sign, at) and not text.startswith("!=", at)), None)
    if foreign is not None:
        raise InvalidExpression(
            f"{foreign} is not known here; write {_INSTEAD[foreign]}.", start=at, end=at + len(foreign)
        )
    if text[at] in "\"'":
        return _quoted(text, at)
    begins_list = previous is not None and previous.kind is TokenKind.NAME and previous.text == "in"
    if text[at] == "(" and not begins_list:
        found = _TAG.match(text, at)
        if found is not None:
            return Token(TokenKind.TAG, found[0], at, found.end())
    for kind, pattern in _PATTERNS:
        if kind is TokenKind.NUMBER and text[at] == "-" and _is_value(previous):
            continue  # `today -30d` takes away, as `today - 30d` does
        found = pattern.match(text, at)
        if found is not None:
            return Token(kind, found[0], at, found.end())
    raise InvalidExpression(f"{text[at]!r} has no meaning here.", start=at)


def _is_value(token: Token | None) -> bool:
    return token is not None and token.kind is TokenKind.NAME and token.text == "today"


def _quoted(text: str, start: int) -> Token:
    quote, out, at = text[start], [], start + 1
    while at < len(text) and text[at] != quote:
        if text[at] == "\\":
            if text[at + 1 : at + 2] not in {"\\", '"', "'"}:
                raise InvalidExpression(
                    "A backslash in a text stands before another one or before a quote: write \\\\ for one backslash.",
                    start=at,
                    end=at + 2,
                )
            at += 1
        out.append(text[at])
        at += 1
    if at >= len(text):
        raise InvalidExpression(f"The text that begins here has no end; close it with {quote}.", start=start)
    return Token(TokenKind.TEXT, "".join(out), start, at + 1)


def parse_tag(text: str) -> tuple[int, str | None]:
    """Return the tag, and the private creator if one is named, of a TAG token."""
    found = _TAG.fullmatch(text)
    assert found is not None
    element = found["element"].lower()
    tag = int(found["group"], 16) << 16 | int(element.replace("x", "0"), 16)
    return tag, found["creator"]
