"""Where the keys of a TOML document stand: `tomllib` does not tell, and whoever mends a file wants to know.

The text is valid TOML already, so that it is enough to see headers, keys and where values end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]
"""Keys of tables and, from 0, positions in arrays."""

_HEADER = re.compile(r"\s*(\[\[|\[)(.+?)(?:\]\]|\])\s*(?:#.*)?$")
_KEY_PART = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*""")


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines by path."""

    by_path: Mapping[KeyPath, int]

    def line_of(self, path: KeyPath) -> int:
        """Return the line of a key, else that of the nearest thing around it; 1 where nothing is known."""
        while path:
            if path in self.by_path:
                return self.by_path[path]
            path = path[:-1]
        return 1


def locate_keys(text: str) -> Lines:
    """Return where each table and key of a TOML document stands."""
    found: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        header = _HEADER.match(line)
        if header is not None and not _assigns(line):
            table = _table_path(_parts(header[2]), counts, is_array=header[1] == "[[")
            _note(found, table, at + 1)
            at += 1
            continue
        key_text, equals = _key(line)
        if not equals:
            at += 1
            continue
        path = table + tuple(_parts(key_text))
        _note(found, path, at + 1)
        at = _behind_value(lines, at, line.index("=", len(key_text)) + 1, path, found)
    return Lines(found)


def _note(found: dict[KeyPath, int], path: KeyPath, line: int) -> None:
    for length in range(1, len(path) + 1):
        found.setdefault(path[:length], line)


def _assigns(line: str) -> bool:
    return _key(line)[1]


def _key(line: str) -> tuple[str, bool]:
    """Return the key that a line begins with, and whether an equals sign follows."""
    at = 0
    while (part := _KEY_PART.match(line, at)) is not None:
        at = part.end()
        if line[at : at + 1] != ".":
            break
        at += 1
    return line[:at], line[at : at + 1] == "="


def _parts(text: str) -> list[str]:
    return [
        quoted.encode().decode("unicode_escape") if quoted and "\\" in quoted else quoted or literal or bare
        for quoted, literal, bare in _KEY_PART.findall(text)
    ]


def _table_path(parts: list[str], counts: dict[KeyPath, int], *, is_array: bool) -> KeyPath:
    """Return the path of a table, with the position of the last item of every array on the way."""
    path: KeyPath = ()
    for number, part in enumerate(parts, start=1):
        path += (part,)
        if is_array and number == len(parts):
            counts[path] = counts.get(path, 0) + 1
        if path in counts:
            path += (counts[path] - 1,)
    return path


def _behind_value(lines: list[str], at: int, column: int, path: KeyPath, found: dict[KeyPath, int]) -> int:
    """Return the line behind a value that begins at a place; note where items of an array begin."""
    depth, item = 0, 0
    expects_item = is_list = False
    for line_number, kind in _iter_signs(lines, at, column):
        if kind == "newline":
            if depth == 0:
                return line_number + 1
            continue
        if expects_item and depth == 1 and kind not in "],":
            found.setdefault((*path, item), line_number + 1)
            expects_item = False
        if kind == "[":
            depth += 1
            expects_item = depth == 1
            is_list = is_list or expects_item
        elif kind == "{":
            depth += 1
        elif kind in "]}":
            depth -= 1
        elif kind == "," and depth == 1 and is_list:
            item += 1
            expects_item = True
    return len(lines)


def _iter_signs(lines: list[str], at: int, column: int) -> Iterator[tuple[int, str]]:
    """Yield brackets, commas, ends of lines and one sign for each other piece of a value, texts passed over."""
    while at < len(lines):
        line = lines[at]
        while column < len(line):
            letter = line[column]
            if letter == "#":
                break
            if letter in "\"'":
                yield at, "value"
                at, column = _behind_text(lines, at, column)
                line = lines[at]
                continue
            if letter in "[]{},":
                yield at, letter
            elif not letter.isspace():
                yield at, "value"
            column += 1
        yield at, "newline"
        at, column = at + 1, 0


def _behind_text(lines: list[str], at: int, column: int) -> tuple[int, int]:
    quote = lines[at][column]
    fence = quote * 3 if lines[at].startswith(quote * 3, column) else quote
    column += len(fence)
    while at < len(lines):
        line = lines[at]
        while column < len(line):
            if quote == '"' and line[column] == "\\":
                column += 2
            elif line.startswith(fence, column):
                column += len(fence)
                while len(fence) == 3 and line.startswith(quote, column):  # up to two quotes may stand before the fence
                    column += 1
                return at, column
            else:
                column += 1
        at, column = at + 1, 0
    return len(lines) - 1, len(lines[-1])
