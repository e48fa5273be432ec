"""Cut messages into PDVs that the peer takes (PS3.8 annex E.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from isocenter.dimse.message.command_set import encode_command
from isocenter.dimse.message.messages import Message
from isocenter.dimse.ul.limits import PDU_LENGTH_MAX
from isocenter.dimse.ul.pdu import PDV_HEADER_LENGTH, Buffer, Pdv

PADDING = b"\0"
"""Behind a data set of odd length, which the standard does not know and some senders make: the last PDV must be even
too (PS3.8 annex E.2), and receivers of DCMTK's kind wait half a minute for the rest of an odd one."""


def iter_pdvs(
    context_id: int, message: Message, *, dataset: Iterable[Buffer] | None, pdu_length_max: int
) -> Iterator[Pdv]:
    """Yield the PDVs of a message; chunks of the data set are cut, not copied.

    `pdu_length_max` is what the peer takes (`Association.peer_pdu_length_max`), 0 where it sets no limit.
    """
    size = fragment_length_max(pdu_length_max)
    command = encode_command(message, has_dataset=dataset is not None)
    yield from _iter_fragments(context_id, (command,), size, is_command=True)
    if dataset is not None:
        yield from _iter_fragments(context_id, dataset, size, is_command=False)


def fragment_length_max(pdu_length_max: int) -> int:
    """Return how much data a PDV carries at most: an even number that fits into what the peer takes."""
    # Whoever takes PDUs of any length is sent none that is longer than what we would take: it would gain nothing.
    size = min(pdu_length_max or PDU_LENGTH_MAX, PDU_LENGTH_MAX) - PDV_HEADER_LENGTH
    return size - (size & 1)


def _iter_fragments(context_id: int, chunks: Iterable[Buffer], size: int, *, is_command: bool) -> Iterator[Pdv]:
    """Yield the PDVs of a command or data set, the last of them marked; one at least, if it is empty."""
    waiting: Buffer = b""
    for piece in _iter_pieces(chunks, size):
        if waiting:
            yield Pdv(context_id, is_command, False, waiting)
        waiting = piece
    yield Pdv(context_id, is_command, True, waiting)


def _iter_pieces(chunks: Iterable[Buffer], size: int) -> Iterator[Buffer]:
    """Yield views of the chunks, none longer than a size; all but the last are of even length (PS3.8 annex E.2)."""
    odd = b""
    for chunk in chunks:
        view = memoryview(chunk)
        if odd and view:
            # The byte that was left over moves the boundaries of the chunk behind it; only its first piece is copied.
            first, view = memoryview(odd + bytes(view[: size - 1])), view[size - 1 :]
            even_length = len(first) & ~1
            yield first[:even_length]
            odd = bytes(first[even_length:])
        even_length = len(view) & ~1
        for start in range(0, even_length, size):
            yield view[start : min(start + size, even_length)]
        odd += bytes(view[even_length:])
    if odd:
        yield odd + PADDING
