"""Messages to PDVs where data sets are read while they are sent; those in memory are the fragmenter's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator

from isocenter.dimse.message.command_set import encode_command
from isocenter.dimse.message.fragmenter import PADDING, fragment_length_max, iter_pdvs
from isocenter.dimse.message.messages import Message
from isocenter.dimse.ul.pdu import Buffer, Pdv


def message_pdvs(
    context_id: int, message: Message, dataset: Iterable[Buffer] | None, *, pdu_length_max: int
) -> Iterator[Pdv]:
    """Yield the PDVs of a message whose data set is in memory."""
    return iter_pdvs(context_id, message, dataset=dataset, pdu_length_max=pdu_length_max)


async def stream_message(
    context_id: int, message: Message, dataset: AsyncIterator[Buffer], *, pdu_length_max: int
) -> AsyncIterator[list[Pdv]]:
    """Yield the PDVs of a message by and by, those of each piece of its data set together."""
    size = fragment_length_max(pdu_length_max)
    command = encode_command(message, has_dataset=True)
    ready = list(_cut(context_id, command, size, is_command=True, is_last=True))
    piece: Buffer = b""
    odd = b""
    async for following in dataset:
        if piece:
            ready += _cut(context_id, piece, size, is_command=False, is_last=False)
        if ready:
            yield ready
        ready = []
        piece, odd = _split_even(odd, following)
    if odd:
        ready += _cut(context_id, piece, size, is_command=False, is_last=False) if piece else []
        piece = odd + PADDING
    yield [*ready, *_cut(context_id, piece, size, is_command=False, is_last=True)]


def _split_even(before: bytes, data: Buffer) -> tuple[Buffer, bytes]:
    """Return data, behind a byte that was left over, without a last odd byte; and that byte."""
    if before:  # rare: the piece is copied for it
        data = before + bytes(data)
    if not len(data) % 2:
        return data, b""
    view = memoryview(data)
    return view[:-1], bytes(view[-1:])


def _cut(context_id: int, data: Buffer, size: int, *, is_command: bool, is_last: bool) -> Iterator[Pdv]:
    if len(data) <= size:
        yield Pdv(context_id, is_command, is_last, data)
        return
    view = memoryview(data)
    for start in range(0, len(view), size):
        piece = view[start : start + size]
        yield Pdv(context_id, is_command, is_last and start + size >= len(view), piece)
