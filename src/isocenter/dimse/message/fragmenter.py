"""Cut messages into PDVs that the peer takes (PS3.8 annex E.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from isocenter.dimse.message.messages import Message
from isocenter.dimse.ul.pdu import Buffer, Pdv


def iter_pdvs(
    context_id: int, message: Message, *, dataset: Iterable[Buffer] | None, pdu_length_max: int
) -> Iterator[Pdv]:
    """Yield the PDVs of a message; chunks of the data set are cut, not copied.

    `pdu_length_max` is what the peer takes (`Association.peer_pdu_length_max`), 0 where it sets no limit.
    """
    raise NotImplementedError
