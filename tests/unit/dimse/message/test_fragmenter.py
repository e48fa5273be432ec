from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dimse.message.command_set import encode_command
from isocenter.dimse.message.fragmenter import PADDING, fragment_length_max, iter_pdvs
from isocenter.dimse.message.messages import CStoreRq
from isocenter.dimse.ul.limits import PDU_LENGTH_MAX

STORE = CStoreRq(message_id=7, affected_sop_class_uid="1.2.3", affected_sop_instance_uid="1.2.3.4")


@given(st.lists(st.binary(max_size=400), max_size=5), st.integers(8, 300))
def test_fragments_fit_are_even_and_hold_all(chunks: list[bytes], length_max: int) -> None:
    pdvs = list(iter_pdvs(5, STORE, dataset=chunks, pdu_length_max=length_max))
    assert all(pdv.context_id == 5 for pdv in pdvs)
    dataset = b"".join(chunks)
    padded = dataset + PADDING * (len(dataset) % 2)
    for is_command, content in ((True, encode_command(STORE, has_dataset=True)), (False, padded)):
        fragments = [pdv for pdv in pdvs if pdv.is_command == is_command]
        assert [pdv.is_last for pdv in fragments] == [False] * (len(fragments) - 1) + [True]
        assert b"".join(bytes(pdv.data) for pdv in fragments) == content
        assert all(len(pdv.data) + 6 <= length_max for pdv in fragments)
        assert all(len(pdv.data) % 2 == 0 for pdv in fragments)
        assert all(len(pdv.data) for pdv in fragments[:-1])
    assert [pdv.is_command for pdv in pdvs] == sorted((pdv.is_command for pdv in pdvs), reverse=True)


def test_message_without_a_data_set_says_so() -> None:
    (pdv,) = iter_pdvs(1, STORE, dataset=None, pdu_length_max=16384)
    assert bytes(pdv.data) == encode_command(STORE, has_dataset=False)
    assert pdv.is_last


def test_data_set_without_bytes_ends_all_the_same() -> None:
    *_, last = iter_pdvs(1, STORE, dataset=[], pdu_length_max=16384)
    assert (last.is_command, last.is_last, bytes(last.data)) == (False, True, b"")


def test_chunks_are_cut_not_copied() -> None:
    chunk = bytes(100_000)
    data = [pdv.data for pdv in iter_pdvs(1, STORE, dataset=[chunk], pdu_length_max=16384) if not pdv.is_command]
    assert len(data) == 7
    for view in data:
        assert isinstance(view, memoryview)
        assert view.obj is chunk


def test_data_set_is_read_as_it_is_sent() -> None:
    read = []

    def chunks() -> Iterator[bytes]:
        for number in range(5):
            read.append(number)
            yield bytes(1000)

    pdvs = iter_pdvs(1, STORE, dataset=chunks(), pdu_length_max=16384)
    next(pdvs)
    next(pdvs)
    assert read == [0, 1]


@pytest.mark.parametrize(
    ("length_max", "size"), [(0, PDU_LENGTH_MAX - 6), (1 << 31, PDU_LENGTH_MAX - 6), (16384, 16378), (129, 122)]
)
def test_length_of_fragments_is_what_the_peer_takes_within_our_own(length_max: int, size: int) -> None:
    assert fragment_length_max(length_max) == size
