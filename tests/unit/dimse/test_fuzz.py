from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.dimse_fuzz import TARGETS, iter_corpus, seeds


@pytest.mark.parametrize("target", TARGETS)
def test_every_input_of_the_corpus_gives_values_a_refusal_or_a_violation(target: str) -> None:
    inputs = [*iter_corpus(target), *seeds(target)]
    assert inputs
    for data in inputs:
        TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
@given(data=st.data())
def test_neighbours_of_the_corpus_give_values_a_refusal_or_a_violation(target: str, data: st.DataObject) -> None:
    changed = bytearray(data.draw(st.sampled_from(list(iter_corpus(target)))))
    for place in data.draw(st.lists(st.integers(0, 1023), max_size=5)):
        changed[place % (len(changed) + 1) : place % (len(changed) + 1) + 1] = data.draw(st.binary(max_size=3))
    TARGETS[target](bytes(changed))
