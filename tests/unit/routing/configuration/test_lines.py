from __future__ import annotations

import tomllib

from hypothesis import given, settings

from isocenter.routing.configuration.channel import Configuration
from isocenter.routing.configuration.lines import KeyPath, locate_keys
from isocenter.routing.configuration.write import write_configuration
from tests.support.routing_configurations import configurations

DOCUMENT = '''\
# A comment with [brackets] = and "quotes
title = "a # b"
dotted.key = 1

[table."quoted key"]  # behind
list = [
  "a",  # ], the comment does not close it
  "b]",
  { inner = 1 },
]
text = """
[no.table]
no = "key"
"""
literal = \'\'\'it''s\'\'\'
after = [[1, 2], [3]]

[[array]]
x = 1
[array.sub]
y = 2

[[array]]
x = 3
[[array.inner]]
z = 1
[[array.inner]]
z = 2
'''


def _line(*path: str | int) -> int:
    return locate_keys(DOCUMENT).line_of(path)


def test_the_document_is_toml() -> None:
    assert tomllib.loads(DOCUMENT)["array"][1]["inner"][1]["z"] == 2


def test_keys_are_found_on_their_lines() -> None:
    lines = DOCUMENT.splitlines()
    assert _line("title") == 2
    assert _line("dotted", "key") == 3
    assert _line("table", "quoted key") == 5
    assert _line("table", "quoted key", "text") == lines.index('text = """') + 1
    assert _line("table", "quoted key", "literal") == lines.index("literal = '''it''s'''") + 1
    assert _line("table", "quoted key", "after") == lines.index("after = [[1, 2], [3]]") + 1


def test_items_of_a_list_are_found_on_theirs() -> None:
    assert [_line("table", "quoted key", "list", item) for item in range(3)] == [7, 8, 9]


def test_tables_of_an_array_are_told_apart() -> None:
    lines = DOCUMENT.splitlines()
    assert _line("array", 0, "x") == lines.index("x = 1") + 1
    assert _line("array", 0, "sub", "y") == lines.index("y = 2") + 1
    assert _line("array", 1, "x") == lines.index("x = 3") + 1
    assert _line("array", 1, "inner", 1, "z") == lines.index("z = 2") + 1


def test_what_stands_nowhere_is_at_what_it_would_stand_in() -> None:
    assert _line("array", 1, "missing") == _line("array", 1)
    assert _line("nothing") == 1


@settings(max_examples=60)
@given(configurations())
def test_every_key_of_a_configuration_has_a_line_that_names_it(configuration: Configuration) -> None:
    text = write_configuration(configuration)
    lines, located = text.split("\n"), locate_keys(text)
    for path in _paths(tomllib.loads(text), ()):
        line = lines[located.line_of(path) - 1]
        key = next(part for part in reversed(path) if isinstance(part, str))
        assert key in line
        assert path in located.by_path or f"{key} = " in line, "keys of a table that stands on one line share it"


def _paths(value: object, path: KeyPath) -> list[KeyPath]:
    """Return the paths of tables and of keys."""
    if not isinstance(value, dict) or (path and path[-1] in {"values", "calling_ae_titles"}):
        return [path] if path else []
    found: list[KeyPath] = []
    for key, inner in value.items():
        if isinstance(inner, list) and inner and all(isinstance(one, dict) for one in inner):
            found += [each for number, one in enumerate(inner) for each in _paths(one, (*path, key, number))]
        else:
            found += _paths(inner, (*path, key))
    return found
