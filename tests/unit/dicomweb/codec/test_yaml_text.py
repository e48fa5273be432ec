from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicomweb.codec.yaml_text import write_yaml

_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(st.characters(codec="utf-8")))
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=8), _VALUES, min_size=1, max_size=5))
def test_what_is_written_is_read_again(value: dict[str, object]) -> None:
    assert yaml.safe_load(write_yaml(value)) == value


@pytest.mark.parametrize("key", ["yes", "No", "null", "on", "200", "1.5", "a: b", "# c", "", "{x}", "- d", "~"])
def test_a_key_that_could_be_read_as_something_else_stays_a_text(key: str) -> None:
    assert yaml.safe_load(write_yaml({key: "value"})) == {key: "value"}


def test_it_is_nested_by_indentation() -> None:
    text = write_yaml({"paths": {"/studies": {"get": {"tags": ["Search"], "security": []}}}})
    assert text == 'paths:\n  /studies:\n    get:\n      tags:\n        - "Search"\n      security: []\n'
